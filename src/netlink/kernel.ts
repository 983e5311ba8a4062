/** The kernel of one network namespace: what it knows, and the way to change it. */
import { decode } from "../bytes.ts";
import { EHOSTUNREACH, ENETUNREACH, ENODEV, ENOENT, ESRCH, failedWith } from "../errno.ts";
import type { Ip, IpVersion } from "../ip.ts";
import type { Netns } from "../world.ts";
import { type Address, address, RTM_ADDR } from "./address.ts";
import { type Link, link, RTM_LINK, WITHOUT_STATISTICS } from "./link.ts";
import { addressFamily, type Conversation, conversation, NLM_F_DUMP, type Request, request } from "./message.ts";
import { getRoute, route, type RouteMessage, RTM_ROUTE } from "./route.ts";
import { RTM_RULE, rule, type RuleMessage } from "./rule.ts";

/** One network namespace, open: its sockets and sysctls in `netns`, its links, addresses, routes and rules here. */
export interface Kernel extends Conversation, Disposable {
  readonly netns: Netns;
  /** One link by name or index; undefined when there is none. */
  link(which: string | number): Link | undefined;
  links(): Link[];
  /** The addresses of one link, both families. */
  addresses(index: number): Address[];
  /** The routes of one table or of all, of those with this protocol and device where given. A walk over whole tables: not for the way of an ADD. */
  routes(version: IpVersion, filter: { table?: number; oif?: number; protocol?: number }): RouteMessage[];
  /** The route that the kernel would use for an address, as it stands in the table; undefined when there is none. `oif`: among those through that device. */
  lookup(to: Ip, oif?: number): RouteMessage | undefined;
  rules(version: IpVersion): RuleMessage[];
}

/** Takes the namespace over: it is closed with the kernel. `log` is told of each request; `name` is what it calls the namespace. */
export function openKernel(netns: Netns, log?: (line: string) => void, name = netns.path): Kernel {
  const trace = log === undefined ? undefined : (line: string) => log(`${name}: ${line}`);
  const talk = conversation(netns.rtnetlink, trace);

  /** The replies; none when the kernel answers with one of `missing`. */
  function ask(question: Request, ...missing: number[]): Uint8Array[] {
    try {
      return talk.execute(question);
    } catch (error) {
      if (failedWith(error, ...missing)) return [];
      throw error;
    }
  }

  return {
    ...talk,
    netns,
    link(which) {
      const wanted = typeof which === "string" ? { name: which } : { index: which };
      const value = { ...wanted, extMask: WITHOUT_STATISTICS };
      const [reply] = ask(request(`read link ${which}`, link, { type: RTM_LINK.get, value }), ENODEV);
      return reply === undefined ? undefined : decode(link, reply);
    },
    links: () =>
      ask(request("list links", link, {
        type: RTM_LINK.get,
        flags: NLM_F_DUMP,
        value: { extMask: WITHOUT_STATISTICS },
      })).map((reply) => decode(link, reply)),
    addresses: (index) =>
      ask(request("list addresses", address, { type: RTM_ADDR.get, flags: NLM_F_DUMP, value: { index } }), ENODEV)
        .map((reply) => decode(address, reply)),
    routes(version, filter) {
      const value = { family: addressFamily(version), ...filter };
      // A table that nobody has used yet does not exist; a device that is gone has none.
      return ask(request("list routes", route, { type: RTM_ROUTE.get, flags: NLM_F_DUMP, value }), ENOENT, ENODEV)
        .map((reply) => decode(route, reply));
    },
    lookup(to, oif) {
      const [reply] = ask(getRoute(to, oif), ENETUNREACH, EHOSTUNREACH, ESRCH);
      return reply === undefined ? undefined : decode(route, reply);
    },
    rules: (version) =>
      ask(request("list rules", rule, {
        type: RTM_RULE.get,
        flags: NLM_F_DUMP,
        value: { family: addressFamily(version) },
      })).map((reply) => decode(rule, reply)),
    [Symbol.dispose]: () => netns[Symbol.dispose](),
  };
}
