/** What must be known of the node before its side of a network can be written down. */
import { CniError, Code } from "../cni/error.ts";
import { invalid } from "../cni/schema.ts";
import { type Cidr, contains, type Ip, parseIp } from "../ip.ts";
import { ownAddress } from "../netlink/address.ts";
import type { Kernel } from "../netlink/kernel.ts";
import type { Network } from "./network.ts";
import { underlayVersion } from "./options.ts";
import { macvlanName, type NodeFacts, vxlanName } from "./topology.ts";

/** UDP, VXLAN and inner Ethernet headers, plus the outer IP header of 20 or 40 bytes. */
const OVERHEAD = { 4: 50, 6: 70 };

/** The underlay is looked for only while `vx_` is missing: afterwards it is the link's. Throws CniError (7). */
export function readFacts(kernel: Kernel, network: Network): NodeFacts {
  const vtep = vtepDevice(kernel, network);
  const facts: NodeFacts = { vtep, gateways: [] };
  return kernel.link(vxlanName(network)) === undefined
    ? { ...facts, underlay: readUnderlay(kernel, network, vtep) }
    : facts;
}

/** The index of the device that the configuration names; undefined when it names none. Throws CniError (7). */
export function vtepDevice(kernel: Kernel, { options: { vtepdev }, path }: Network): number | undefined {
  if (vtepdev === undefined) return undefined;
  const index = kernel.link(vtepdev)?.index;
  if (index !== undefined) return index;
  throw invalid([...path, "options", "vtepdev"], "the name of a device that exists on this node", vtepdev);
}

/** The named device, else that of the route to the group, else that of the default route. */
function readUnderlay(kernel: Kernel, { options, path }: Network, vtep: number | undefined) {
  const version = underlayVersion(options);
  const link = vtep ?? routeDevice(kernel, options.group, version);
  if (link === undefined) {
    throw invalid(
      [...path, "options", "vtepdev"],
      "a device, because no route leads to the group and there is no default route",
      undefined,
    );
  }
  return { link, mtu: (kernel.link(link)?.mtu ?? 1500) - OVERHEAD[version] };
}

function routeDevice(kernel: Kernel, group: Ip | undefined, version: 4 | 6): number | undefined {
  // Documentation addresses (RFC 5737, RFC 3849): only a default route leads there.
  const anywhere = parseIp(version === 4 ? "192.0.2.1" : "2001:db8::1");
  const lookup = (to: Ip | undefined) => to === undefined ? undefined : kernel.lookup(to)?.oif;
  return lookup(group) ?? lookup(anywhere);
}

/** The links of the node's side as they are now. */
export interface NodeSide {
  vxlan: number;
  macvlan: number;
  /** Hardware address of `mv_`. */
  mac: string;
  /** Bytes. */
  mtu: number;
  /** As a result of ADD lists them. */
  interfaces: { name: string; mac: string; mtu: number }[];
}

/** Throws CniError (104) when a link has gone. */
export function readNodeSide(kernel: Kernel, network: Network): NodeSide {
  const vxlan = kernel.link(vxlanName(network));
  const macvlan = kernel.link(macvlanName(network));
  if (vxlan?.index === undefined || macvlan?.index === undefined) {
    throw new CniError(Code.hostDiffers, `Cannot use network "${network.name}": its devices have gone in the meantime`);
  }
  return {
    vxlan: vxlan.index,
    macvlan: macvlan.index,
    mac: macvlan.mac ?? "",
    mtu: vxlan.mtu ?? 0,
    interfaces: [vxlan, macvlan].map(({ name = "", mac = "", mtu = 0 }) => ({ name, mac, mtu })),
  };
}

/** The addresses of `mv_` that lie in the network: the node's gateways. */
export function readGateways(kernel: Kernel, { prefixes }: Pick<Network, "prefixes">, macvlan: number): Cidr[] {
  return kernel.addresses(macvlan).flatMap((one) => {
    const ip = ownAddress(one);
    const { length = 0 } = one;
    // An address of another length is a reservation that the node answers for.
    const isGateway = ip !== undefined && prefixes.some((prefix) => prefix.length === length && contains(prefix, ip));
    return isGateway ? [{ ip, length }] : [];
  });
}
