/** The topology of a network, on one page. */
import type { Cidr, Ip } from "../ip.ts";
import { defaultPrefix } from "../ip.ts";
import type { AddressObject, LinkObject, NetObject, RouteObject, RuleObject } from "../state/object.ts";
import type { Network } from "./config.ts";
import { vxlanData } from "./options.ts";

/** As `ip rule add` chooses it: just above the main table's 32766. */
const BYPASS_PRIORITY = 32765;

export function vxlanName({ name }: Pick<Network, "name">): string {
  return `vx_${name}`;
}

export function macvlanName({ name }: Pick<Network, "name">): string {
  return `mv_${name}`;
}

/** What the node's side was derived from: index and MTU (bytes, overhead taken off) of the underlay. */
export interface Underlay {
  device?: number;
  mtu: number;
}

/** `vx_` with its VTEP, and `mv_` on it. `device` is the index of a `vtepdev` that the configuration names. */
export function hostLinks(network: Network, device?: number, underlay?: Underlay): LinkObject[] {
  const { id, options, mtu } = network;
  const size = mtu === 0 ? {} : { mtu };
  const initial = underlay ?? {};
  return [
    {
      kind: "link",
      name: vxlanName(network),
      vxlan: vxlanData(id, options, device),
      mac: options.vxlanhardwareaddr,
      txqlen: options.vxlantxqlen,
      ...size,
      initial,
    },
    {
      kind: "link",
      name: macvlanName(network),
      macvlanOn: vxlanName(network),
      ...size,
      initial: { mtu: underlay?.mtu },
    },
  ];
}

/** The bypass: traffic within the subnet goes out on it, also where host routes lead elsewhere. */
export function bypass(network: Network): (RouteObject | RuleObject)[] {
  if (!network.bypass) return [];
  const { prefixes, bypassTable: table } = network;
  return prefixes.flatMap((prefix): (RouteObject | RuleObject)[] => [
    { kind: "route", device: macvlanName(network), to: prefix, table },
    { kind: "rule", prefix, table, priority: BYPASS_PRIORITY },
  ]);
}

/** The node's address in the network. */
export function gatewayAddress(network: Network, address: Cidr): AddressObject {
  return { kind: "address", device: macvlanName(network), address };
}

/** The container's link, made in its namespace under its final name, on the link of the given index on the host. */
export function containerLink(
  macvlanOn: number,
  { ifname, netnsFd, mac, mtu }: { ifname: string; netnsFd: number; mac?: string; mtu?: number },
): LinkObject {
  return { kind: "link", name: ifname, macvlanOn, netnsFd, mac, mtu };
}

export interface ContainerRoute {
  to: Cidr;
  gateway?: Ip;
}

/** What a container's namespace holds on its link. */
export function containerObjects(
  ifname: string,
  addresses: readonly Cidr[],
  routes: readonly ContainerRoute[],
): NetObject[] {
  return [
    ...addresses.map((address): NetObject => ({ kind: "address", device: ifname, address })),
    ...routes.map((route): NetObject => ({ kind: "route", device: ifname, ...route })),
  ];
}

/** The default route through a gateway of the same family. */
export function defaultRoute(gateway: Ip): ContainerRoute {
  return { to: defaultPrefix(gateway.version), gateway };
}
