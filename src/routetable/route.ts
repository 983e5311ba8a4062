/** What a claim looks like in the kernel's table. */
import { hostPrefix, type Ip } from "../ip.ts";
import { type Route, RT_SCOPE_UNIVERSE } from "../netlink/rtnetlink.ts";

/** The host route that claims an address; scope universe, as routing daemons expect of what they spread. */
export function claimRoute(ip: Ip, oif: number, protocol: number, metric: number): Route {
  return { to: hostPrefix(ip), oif, protocol, metric, scope: RT_SCOPE_UNIVERSE };
}
