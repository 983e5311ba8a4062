/** What a network is made of, as data; each kind knows how to compare, create and remove itself. */
import { EADDRNOTAVAIL, ENODEV, ENOENT, ESRCH } from "../errno.ts";
import { type Cidr, formatCidr, formatIp, type Ip, sameIp } from "../ip.ts";
import type { VxlanData } from "../netlink/format.ts";
import type { Request } from "../netlink/message.ts";
import {
  addAddress,
  addLink,
  addRoute,
  addRule,
  deleteAddress,
  deleteLink,
  deleteRoute,
  deleteRule,
  IFF_UP,
  type Rtnetlink,
  type Rule,
} from "../netlink/rtnetlink.ts";

/** A vxlan or macvlan link, up. What is not given is the kernel's to choose, and is not compared. */
export interface LinkObject {
  kind: "link";
  name: string;
  vxlan?: VxlanData;
  /** Bridge mode on this link, by name in the sender's namespace or by its index there. */
  macvlanOn?: string | number;
  /** Descriptor of the namespace to create it in: that of `kernel` when not given. */
  netnsFd?: number;
  mac?: string;
  /** Bytes. */
  mtu?: number;
  txqlen?: number;
  /** Values for creation only, e.g. an MTU that was derived from the underlay's. */
  initial?: { mtu?: number; device?: number };
}

export interface AddressObject {
  kind: "address";
  device: string;
  address: Cidr;
}

export interface RouteObject {
  kind: "route";
  device: string;
  to: Cidr;
  gateway?: Ip;
  table?: number;
}

export interface RuleObject extends Rule {
  kind: "rule";
}

export type NetObject = LinkObject | AddressObject | RouteObject | RuleObject;

/** One property that is not as wanted. */
export interface Difference {
  property: string;
  wanted: string;
  found: string;
}

export type Finding = { state: "missing" } | { state: "present" } | { state: "different"; differences: Difference[] };

const MISSING: Finding = { state: "missing" };
const PRESENT: Finding = { state: "present" };
const MACVLAN_MODE_BRIDGE = 4;

/** An object in words: `link "vx_red"`, `route 0.0.0.0/0 via 10.1.0.1`. */
export function describe(object: NetObject): string {
  switch (object.kind) {
    case "link":
      return `link "${object.name}"`;
    case "address":
      return `address ${formatCidr(object.address)} on "${object.device}"`;
    case "route": {
      const via = object.gateway === undefined ? "" : ` via ${formatIp(object.gateway)}`;
      const table = object.table === undefined ? "" : ` in table ${object.table}`;
      return `route ${formatCidr(object.to)}${via} dev "${object.device}"${table}`;
    }
    case "rule":
      return `rule ${object.priority}: from and to ${formatCidr(object.prefix)} lookup ${object.table}`;
  }
}

/** Asks the kernel what there is of an object. */
export function inspect(kernel: Rtnetlink, object: NetObject): Finding {
  switch (object.kind) {
    case "link":
      return inspectLink(kernel, object);
    case "address": {
      const link = kernel.link(object.device);
      const held = link?.index === undefined ? [] : kernel.addresses(link.index);
      const { ip, length } = object.address;
      return held.some((one) => sameIp(one.local ?? one.address ?? ip, ip) && one.length === length)
        ? PRESENT
        : MISSING;
    }
    case "route":
      return inspectRoute(kernel, object);
    case "rule": {
      const { prefix, table, priority } = object;
      const same = kernel.rules(prefix.ip.version).some((rule) =>
        rule.priority === priority && rule.table === table && rule.fromLength === prefix.length &&
        rule.toLength === prefix.length && rule.from !== undefined && sameIp(rule.from, prefix.ip) &&
        rule.to !== undefined && sameIp(rule.to, prefix.ip)
      );
      return same ? PRESENT : MISSING;
    }
  }
}

function inspectLink(kernel: Rtnetlink, wanted: LinkObject): Finding {
  const link = kernel.link(wanted.name);
  if (link === undefined) return MISSING;
  // What stands on another link while the wanted one is missing differs, too.
  const parent = typeof wanted.macvlanOn === "string"
    ? kernel.link(wanted.macvlanOn)?.index ?? `link "${wanted.macvlanOn}"`
    : wanted.macvlanOn;
  const pairs: [property: string, wanted: unknown, found: unknown][] = [
    ["kind", wanted.vxlan === undefined ? "macvlan" : "vxlan", link.info?.kind],
    ["mac", wanted.mac, link.mac],
    ["mtu", wanted.mtu, link.mtu],
    ["txqlen", wanted.txqlen, link.txqlen],
    ["parent", parent, link.link],
    ["state", "up", ((link.flags ?? 0) & IFF_UP) === 0 ? "down" : "up"],
    ...Object.entries(wanted.vxlan ?? {}).map(([key, value]): [string, unknown, unknown] => [
      key,
      value,
      Reflect.get(link.info?.vxlan ?? {}, key),
    ]),
  ];
  const differences = pairs
    .filter(([, want]) => want !== undefined)
    .map(([property, want, found]) => ({ property, wanted: show(want), found: show(found) }))
    .filter((pair) => pair.wanted !== pair.found);
  return differences.length === 0 ? PRESENT : { state: "different", differences };
}

/** A value as an operator would write it. */
function show(value: unknown): string {
  if (typeof value === "object" && value !== null) {
    if ("version" in value && "value" in value) return formatIp(value as Ip);
    return Object.entries(value).map(([key, inner]) => `${key} ${inner}`).join(" ");
  }
  return value === undefined ? "nothing" : String(value);
}

/** Without a table any will do: a later plugin of a chain (sbr) may have moved the route. */
function inspectRoute(kernel: Rtnetlink, { device, to, gateway, table }: RouteObject): Finding {
  const oif = kernel.link(device)?.index;
  if (oif === undefined) return MISSING;
  const same = kernel.routes(to.ip.version, { table, oif }).some((route) =>
    route.length === to.length && (to.length === 0 || (route.to !== undefined && sameIp(route.to, to.ip))) &&
    (gateway === undefined
      ? route.gateway === undefined
      : route.gateway !== undefined && sameIp(route.gateway, gateway))
  );
  return same ? PRESENT : MISSING;
}

/** The request that makes an object; its device must exist. */
export function creation(kernel: Rtnetlink, object: NetObject): Request {
  switch (object.kind) {
    case "link": {
      const { name, mac, mtu, txqlen, netnsFd, macvlanOn, vxlan, initial } = object;
      return addLink({
        name,
        flags: IFF_UP,
        change: IFF_UP,
        mac,
        mtu: mtu ?? initial?.mtu,
        txqlen,
        netnsFd,
        link: macvlanOn === undefined ? undefined : indexOf(kernel, macvlanOn),
        info: vxlan === undefined
          ? { kind: "macvlan", macvlan: { mode: MACVLAN_MODE_BRIDGE } }
          : { kind: "vxlan", vxlan: { ...vxlan, link: vxlan.link ?? initial?.device } },
      });
    }
    case "address":
      return addAddress(indexOf(kernel, object.device), object.address, object.device);
    case "route":
      return addRoute({ ...object, oif: indexOf(kernel, object.device) });
    case "rule":
      return addRule(object);
  }
}

/** The request that removes an object, and the errno values that say it is gone already. Undefined when its device is gone. */
export function removal(kernel: Rtnetlink, object: NetObject): { request: Request; gone: number[] } | undefined {
  if (object.kind === "rule") return { request: deleteRule(object), gone: [ENOENT] };
  const index = kernel.link(object.kind === "link" ? object.name : object.device)?.index;
  if (index === undefined) return undefined;
  switch (object.kind) {
    case "link":
      return { request: deleteLink(object.name, index), gone: [ENODEV] };
    case "address":
      return { request: deleteAddress(index, object.address, object.device), gone: [EADDRNOTAVAIL, ENODEV] };
    case "route":
      return { request: deleteRoute({ ...object, oif: index }), gone: [ESRCH, ENODEV] };
  }
}

function indexOf(kernel: Rtnetlink, device: string | number): number {
  const index = typeof device === "number" ? device : kernel.link(device)?.index;
  if (index === undefined) throw new Error(`Cannot find link "${device}": it has gone in the meantime`);
  return index;
}
