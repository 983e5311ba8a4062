/** The topology of a network, on one page: every object of the node and of a container. */
import { type Cidr, defaultPrefix, type Ip, sameIp } from "../ip.ts";
import type { RuleMessage } from "../netlink/rule.ts";
import type { AddressObject } from "../state/address.ts";
import type { Place } from "../state/kind.ts";
import type { LinkObject } from "../state/link.ts";
import type { NetObject } from "../state/objects.ts";
import type { RouteObject } from "../state/route.ts";
import type { RuleObject } from "../state/rule.ts";
import type { Network } from "./network.ts";
import { vxlanData } from "./options.ts";

/** As `ip rule add` chooses it: just above the main table's 32766. */
const BYPASS_PRIORITY = 32765;

export function vxlanName({ name }: Pick<Network, "name">): string {
  return `vx_${name}`;
}

export function macvlanName({ name }: Pick<Network, "name">): string {
  return `mv_${name}`;
}

/** What must be known of the node first. */
export interface NodeFacts {
  /** Index of the `vtepdev` that the configuration names. */
  vtep?: number | undefined;
  /** What a new `vx_` is derived from: index of the underlay, and its MTU in bytes with the overhead taken off. */
  underlay?: { link: number; mtu: number };
  /** The node's addresses in the network. */
  gateways: readonly Cidr[];
}

/** The node's side: `vx_` with its VTEP, `mv_` on it, the bypass, the gateways. */
export function nodeObjects(network: Network, { vtep, underlay, gateways }: NodeFacts): NetObject[] {
  const { id, options, prefixes, bypassTable: table } = network;
  const mtu = network.mtu === 0 ? undefined : network.mtu;
  const [vx, mv] = [vxlanName(network), macvlanName(network)];
  return [
    {
      kind: "link",
      in: "node",
      name: vx,
      vxlan: vxlanData(id, options, vtep),
      mac: options.vxlanhardwareaddr,
      txqlen: options.vxlantxqlen,
      mtu,
      initial: underlay,
    },
    { kind: "link", in: "node", name: mv, on: { name: vx }, mtu, initial: { mtu: underlay?.mtu } },
    // A router advertisement of a container's must not give the node an address or a default route.
    ...[vx, mv].map((device) => setting("node", device, "accept_ra", "0")),
    ...(network.bypass ? prefixes.flatMap((prefix) => bypass(network, { prefix, table })) : []),
    ...gateways.map((address) => gatewayAddress(network, address)),
  ];
}

/** Traffic within the subnet goes out on it, also where host routes lead elsewhere. */
export function bypass(
  network: Pick<Network, "name">,
  { prefix, table }: { prefix: Cidr; table: number },
): (RouteObject | RuleObject)[] {
  return [
    { kind: "route", in: "node", device: { name: macvlanName(network) }, to: prefix, table },
    { kind: "rule", in: "node", from: prefix, to: prefix, table, priority: BYPASS_PRIORITY },
  ];
}

/** Whether a rule is that of the bypass of a prefix, whichever its table. */
export function isBypass({ priority, from, fromLength }: RuleMessage, { ip, length }: Cidr): boolean {
  return priority === BYPASS_PRIORITY && from !== undefined && sameIp(from, ip) && fromLength === length;
}

/** The node's address in the network. */
export function gatewayAddress(network: Network, address: Cidr): AddressObject {
  return { kind: "address", in: "node", device: { name: macvlanName(network) }, address };
}

/** What must be known of an attachment. */
interface ContainerFacts {
  ifname: string;
  /** Index of `vx_` on the node. */
  vxlan: number | undefined;
  addresses: readonly Cidr[];
  routes: readonly ContainerRoute[];
}

export interface ContainerRoute {
  to: Cidr;
  gateway?: Ip | undefined;
}

/** The container's side: its link, made under its final name in its namespace, its addresses and routes. */
export function containerObjects({ ifname, vxlan, addresses, routes }: ContainerFacts): NetObject[] {
  const device = { name: ifname };
  return [
    containerLink(ifname, vxlan),
    ...addresses.map((address): NetObject => ({ kind: "address", in: "container", device, address })),
    ...routes.map((route): NetObject => ({ kind: "route", in: "container", device, ...route })),
  ];
}

/** `own` is what only its maker decides: a later plugin of a chain may change it. */
export function containerLink(
  ifname: string,
  vxlan: number | undefined,
  own: { mac?: string | undefined; mtu?: number } = {},
): LinkObject {
  return { kind: "link", in: "container", name: ifname, on: { name: "vx_", index: vxlan }, ...own };
}

/** The default route through a gateway of the same family. */
export function defaultRoute(gateway: Ip): ContainerRoute {
  return { to: defaultPrefix(gateway.version), gateway };
}

function setting(place: Place, device: string, name: string, value: string): NetObject {
  return { kind: "sysctl", in: place, family: "ipv6", device, name, value };
}
