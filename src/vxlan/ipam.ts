/** The hand-off to IPAM: what the runtime sent, plus where and from what an address is wanted. */
import { findPlugin } from "../cni/delegate.ts";
import { CniError, Code } from "../cni/error.ts";
import type { Invocation, Verb } from "../cni/invocation.ts";
import type { Plugin } from "../cni/plugin.ts";
import { requestedIps } from "../cni/request.ts";
import type { Result } from "../cni/result.ts";
import { type Cidr, formatCidr, formatIp, type Ip, parseCidr } from "../ip.ts";
import type { World } from "../world.ts";
import type { Network } from "./config.ts";
import { macvlanName } from "./objects.ts";

/** The types that claim in the routing table: they never name a gateway, each node claims one. */
const CLAIMING = ["routetable-ipam", "route-table"];

/** IPAM plugins that run in this process. */
export type BuiltIn = Readonly<Record<string, Plugin>>;

export function claimsGateway({ ipam }: Network): boolean {
  return CLAIMING.includes(ipam.type);
}

export interface Handoff {
  verb: Verb;
  network: Network;
  /** Index of `mv_` on the host. */
  linkIndex?: number;
  ips: readonly Ip[];
}

/** Calls the network's IPAM plugin; passes its errors through. */
export function callIpam(
  world: World,
  builtIn: BuiltIn,
  invocation: Invocation,
  handoff: Handoff,
): Promise<Result | undefined> {
  const { network: { ipam, prefixes, excludeFirst, excludeLast }, linkIndex, ips, verb } = handoff;
  const plugin = findPlugin(world, ipam.type, invocation.path, builtIn);
  const { IP: sent, ...kept } = invocation.args;
  const ip = claimsGateway(handoff.network)
    ? { IP: ips.map(formatIp).join(",") }
    : ipForOthers(invocation, handoff, sent);
  return plugin({
    ...invocation,
    verb,
    args: {
      ...kept,
      IgnoreUnknown: "1",
      CIDR: prefixes.map(formatCidr).join(","),
      EXCLUDE_FIRST: String(excludeFirst),
      EXCLUDE_LAST: String(excludeLast),
      ...(linkIndex === undefined ? {} : { LINK_INDEX: String(linkIndex) }),
      ...ip,
    },
    config: { ...invocation.config, raw: { ...invocation.config.raw, ipam } },
  });
}

/** Other plugins read what the runtime sent by themselves; only of the original's annotation they know nothing. */
function ipForOthers(invocation: Invocation, { verb, network, ips }: Handoff, sent?: string): Record<string, string> {
  if (sent !== undefined) return { IP: sent };
  const [ip] = ips;
  const annotated = verb === "ADD" && ips.length === 1 && requestedIps(invocation, network.prefixes).length === 0;
  return annotated && ip !== undefined ? { IP: formatIp(ip) } : {};
}

/** The gateway's own request: its own container id and interface name, and nothing that was asked for the container. */
export function gatewayInvocation(invocation: Invocation, network: Network): Invocation {
  const { runtimeConfig: _1, args: _2, prevResult: _3, ...raw } = invocation.config.raw;
  const { IP: _4, MAC: _5, ...args } = invocation.args;
  return {
    ...invocation,
    containerId: `gateway-${network.name}`,
    ifname: macvlanName(network),
    netns: "/proc/1/ns/net",
    args,
    config: { ...invocation.config, raw },
  };
}

/** The addresses of an IPAM result, with the gateway that it names; throws CniError (106) when there is none or one is broken. */
export function resultAddresses(result: Result | undefined, network: Network): { address: Cidr; gateway?: string }[] {
  const addresses = (result?.ips ?? []).map(({ address, gateway }) => {
    const cidr = parseCidr(address);
    if (cidr === undefined) {
      throw new CniError(
        Code.ipam,
        `Cannot use the answer of IPAM "${network.ipam.type}": wanted an address with length, got "${address}"`,
      );
    }
    return { address: cidr, ...(gateway === undefined ? {} : { gateway }) };
  });
  if (addresses.length > 0) return addresses;
  throw new CniError(Code.ipam, `Cannot use the answer of IPAM "${network.ipam.type}": it holds no address`);
}
