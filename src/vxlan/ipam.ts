/** Calls IPAM: what the runtime sent, plus where and from what an address is wanted. */
import { CniError, Code } from "../cni/error.ts";
import { encodeHandoff, type Handoff, HANDOFF_KEYS } from "../cni/handoff.ts";
import type { Invocation } from "../cni/invocation.ts";
import { requestedIps } from "../cni/request.ts";
import type { Result } from "../cni/result.ts";
import type { Verb } from "../cni/verbs.ts";
import { type Cidr, formatIp, parseCidr } from "../ip.ts";
import { IPAM_NAMES } from "../text.ts";
import type { Call } from "./call.ts";
import type { Addressing, Network } from "./network.ts";
import { macvlanName } from "./topology.ts";

/** Whether the type claims in the routing table: such a plugin never names a gateway, each node claims one. */
export function claimsGateway({ ipam }: Addressing): boolean {
  return IPAM_NAMES.includes(ipam.type);
}

interface IpamRequest extends Pick<Handoff, "linkIndex" | "ips" | "avoid" | "gateway"> {
  verb: Verb;
  from: Addressing;
}

/** Calls the IPAM plugin of a network; passes its errors through. */
export function callIpam({ invocation, delegate }: Call, request: IpamRequest): Promise<Result | undefined> {
  const { verb, from: { ipam, ...subnets }, ips = [], linkIndex, avoid, gateway } = request;
  const { IP: sent, ...kept } = Object.fromEntries(
    Object.entries(invocation.args).filter(([key]) => !HANDOFF_KEYS.includes(key)),
  );
  const isOurs = claimsGateway(request.from);
  const handoff = encodeHandoff({ ...subnets, linkIndex, ...(isOurs ? { ips, avoid, gateway } : {}) });
  const plugin = delegate(ipam.type);
  return plugin({
    ...invocation,
    verb,
    args: { ...kept, IgnoreUnknown: "1", ...handoff, ...(isOurs ? {} : ipForOthers(invocation, request, sent)) },
    config: { ...invocation.config, raw: { ...invocation.config.raw, ipam } },
  });
}

/** Other plugins read what the runtime sent by themselves; only of the original's annotation they know nothing. */
function ipForOthers(invocation: Invocation, { verb, from, ips = [] }: IpamRequest, sent?: string): { IP?: string } {
  if (sent !== undefined) return { IP: sent };
  const [ip] = ips;
  const annotated = verb === "ADD" && ips.length === 1 && requestedIps(invocation, from.prefixes).length === 0;
  return annotated && ip !== undefined ? { IP: formatIp(ip) } : {};
}

/** The same call for the node's own address: nothing that was asked for the container. */
export function forGateway(call: Call, network: Pick<Network, "name">): Call {
  const { invocation } = call;
  const { runtimeConfig: _1, args: _2, prevResult: _3, ...raw } = invocation.config.raw;
  const { IP: _4, MAC: _5, ...args } = invocation.args;
  return {
    ...call,
    invocation: {
      ...invocation,
      containerId: `gateway-${network.name}`,
      ifname: macvlanName(network),
      netns: "/proc/1/ns/net",
      args,
      config: { ...invocation.config, raw },
    },
  };
}

/** The addresses of an IPAM result, with the gateway that it names; throws CniError (106) when there is none or one is broken. */
export function resultAddresses(
  result: Result | undefined,
  { ipam }: Addressing,
): { address: Cidr; gateway?: string }[] {
  const addresses = (result?.ips ?? []).map(({ address, gateway }) => {
    const cidr = parseCidr(address);
    if (cidr === undefined) throw unusable(`wanted an address with length, got "${address}"`, ipam);
    return { address: cidr, gateway };
  });
  if (addresses.length > 0) return addresses;
  throw unusable("it holds no address", ipam);
}

function unusable(why: string, { type }: Addressing["ipam"]): CniError {
  return new CniError(Code.ipam, `Cannot use the answer of IPAM "${type}": ${why}`);
}
