/** One network namespace of the fake kernel: links, addresses, routes and rules in memory, with the kernel's errno values. */
import { KernelError } from "../../src/errno.ts";
import { bits, type Cidr, contains, type Ip, prefixOf, sameIp } from "../../src/ip.ts";
import type { Address } from "../../src/netlink/address.ts";
import type { Link, VxlanData } from "../../src/netlink/link.ts";
import type { RouteMessage } from "../../src/netlink/route.ts";
import type { RuleMessage } from "../../src/netlink/rule.ts";

export interface FakeLink {
  index: number;
  name: string;
  kind: string;
  mac: string;
  mtu: number;
  txqlen: number;
  up: boolean;
  /** The link that a macvlan stands on, perhaps in another namespace. */
  parent?: FakeLink;
  vxlan?: VxlanData;
}

export interface Space {
  readonly name: string;
  readonly fd: number;
  links: FakeLink[];
  addresses: { index: number; cidr: Cidr }[];
  routes: RouteMessage[];
  rules: RuleMessage[];
  /** What was written below /proc/sys/net; what was not is 1 where there is such a device. */
  sysctls: Map<string, string>;
  /** Frames that were sent, by link. */
  frames: { index: number; frame: Uint8Array }[];
  /** Told of each route that comes or goes. */
  changed(added: boolean, route: RouteMessage): void;
}

const LOCAL = 255;
const MAIN = 254;

/** The kernel's no. */
export function no(errno: number, words = ""): KernelError {
  return new KernelError("do this", errno, { words });
}

const cidrOf = (ip: Ip | undefined, length: number, family: number): Cidr => ({
  ip: ip ?? { version: family === 2 ? 4 : 6, value: 0n },
  length,
});

const familyOf = (ip: Ip) => ip.version === 4 ? 2 : 10;

export function linkByIndex(space: Space, index: number | undefined): FakeLink {
  const found = space.links.find((link) => link.index === index);
  if (found === undefined) throw no(19);
  return found;
}

/** Makes a link; `origin` is where its parent is looked for. */
export function newLink(origin: Space, target: Space, message: Link, mac: string): void {
  const { name = "", info, mtu, flags = 0, txqlen = 1000 } = message;
  if (target.links.some((link) => link.name === name)) throw no(17);
  const index = 1 + Math.max(0, ...target.links.map((link) => link.index));
  const base = { index, name, mac: message.mac ?? mac, txqlen, up: (flags & 1) === 1 };
  if (info?.kind === "macvlan") {
    const parent = linkByIndex(origin, message.link);
    if ((mtu ?? 0) > parent.mtu) throw no(22);
    target.links.push({ ...base, kind: "macvlan", mtu: mtu ?? parent.mtu, parent });
    return;
  }
  if (info?.kind !== "vxlan") {
    target.links.push({ ...base, kind: info?.kind ?? "dummy", mtu: mtu ?? 1500 });
    return;
  }
  const vxlan = withDefaults(info.vxlan ?? {});
  if (target.links.some((link) => link.vxlan?.id === vxlan.id && link.vxlan?.port === vxlan.port)) {
    throw no(17, "A VXLAN device with the specified VNI already exists");
  }
  const group = vxlan.group ?? vxlan.group6;
  if (group !== undefined && vxlan.link === undefined) {
    throw no(22, "Local interface required for multicast remote group");
  }
  const overhead = group?.version === 6 || vxlan.local6 !== undefined ? 70 : 50;
  const room = (vxlan.link === undefined ? 1500 : linkByIndex(target, vxlan.link).mtu) - overhead;
  target.links.push({ ...base, kind: "vxlan", mtu: Math.min(mtu ?? room, room), vxlan });
}

function withDefaults(given: VxlanData): VxlanData {
  const off = { proxy: false, rsc: false, l2miss: false, l3miss: false };
  const kernels = { ttl: 0, tos: 0, learning: true, ageing: 300, limit: 0, port: 8472, portRange: { low: 0, high: 0 } };
  return {
    ...off,
    ...kernels,
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
  };
}

/** Removes a link, what stands on it in any namespace, and what leads through it. */
export function removeLink(spaces: readonly Space[], space: Space, link: FakeLink): void {
  for (const other of spaces) {
    for (const child of [...other.links]) if (child.parent === link) removeLink(spaces, other, child);
  }
  for (const child of [...space.links]) if (child.vxlan?.link === link.index) removeLink(spaces, space, child);
  space.links = space.links.filter((one) => one !== link);
  space.addresses = space.addresses.filter(({ index }) => index !== link.index);
  removeRoutes(space, (route) => route.oif === link.index);
}

function removeRoutes(space: Space, which: (route: RouteMessage) => boolean): void {
  const gone = space.routes.filter(which);
  space.routes = space.routes.filter((route) => !which(route));
  for (const route of gone) space.changed(false, route);
}

function insertRoute(space: Space, route: RouteMessage): void {
  space.routes.push(route);
  space.changed(true, route);
}

/** The routes that the kernel keeps for an address: to itself, and to its prefix. */
function addressRoutes(index: number, cidr: Cidr): RouteMessage[] {
  const { ip, length } = cidr;
  const family = familyOf(ip);
  const base = { family, oif: index, protocol: 2, flags: 0 };
  const local = { ...base, to: ip, length: bits(ip.version), type: 2, scope: 254, table: LOCAL, headerTable: LOCAL };
  if (length === bits(ip.version)) return [local];
  const metric = ip.version === 6 ? { priority: 256 } : {};
  const to = prefixOf(cidr).ip;
  return [local, { ...base, to, length, type: 1, scope: 253, table: MAIN, headerTable: MAIN, ...metric }];
}

export function newAddress(space: Space, { index = 0, local, length = 0, family = 2 }: Address): void {
  linkByIndex(space, index);
  const cidr = cidrOf(local, length, family);
  if (space.addresses.some((one) => one.index === index && sameIp(one.cidr.ip, cidr.ip))) throw no(17);
  space.addresses.push({ index, cidr });
  for (const route of addressRoutes(index, cidr)) insertRoute(space, route);
}

export function removeAddress(space: Space, { index = 0, local, length = 0, family = 2 }: Address): void {
  linkByIndex(space, index);
  const cidr = cidrOf(local, length, family);
  const same = (one: { index: number; cidr: Cidr }) =>
    one.index === index && sameIp(one.cidr.ip, cidr.ip) && one.cidr.length === length;
  if (!space.addresses.some(same)) throw no(99);
  space.addresses = space.addresses.filter((one) => !same(one));
  for (const own of addressRoutes(index, cidr)) {
    removeRoutes(space, (route) => sameRoute(route, own) && route.protocol === 2);
  }
}

function sameRoute(a: RouteMessage, b: RouteMessage): boolean {
  const destination = (route: RouteMessage) => cidrOf(route.to, route.length ?? 0, route.family ?? 2);
  return a.family === b.family && (a.table ?? MAIN) === (b.table ?? MAIN) && a.length === b.length &&
    sameIp(destination(a).ip, destination(b).ip) && (b.oif === undefined || a.oif === b.oif);
}

/** The metric that a route has in the end. */
const metricOf = ({ priority = 0, family }: RouteMessage) => priority === 0 && family === 10 ? 1024 : priority;

export function newRoute(space: Space, route: RouteMessage): void {
  if (!linkByIndex(space, route.oif).up) throw no(100);
  const { gateway } = route;
  const reachable = gateway === undefined ||
    space.routes.some((one) =>
      one.oif === route.oif && one.scope === 253 && one.to !== undefined &&
      contains({ ip: one.to, length: one.length ?? 0 }, gateway)
    );
  if (!reachable) throw route.family === 2 ? no(101, "Nexthop has invalid gateway") : no(113);
  const clash = (one: RouteMessage) =>
    sameRoute(one, { ...route, oif: undefined }) && metricOf(one) === metricOf(route);
  if (space.routes.some(clash)) throw no(17);
  const metric = metricOf(route);
  insertRoute(space, { ...route, ...(metric === 0 ? {} : { priority: metric }) });
}

/** Of several that fit the one that is preferred goes. */
export function removeRoute(space: Space, wanted: RouteMessage): void {
  const [first] = space.routes
    .filter((route) =>
      sameRoute(route, wanted) && (!wanted.protocol || route.protocol === wanted.protocol) &&
      (wanted.priority === undefined || metricOf(route) === wanted.priority)
    )
    .sort((a, b) => metricOf(a) - metricOf(b));
  if (first === undefined) throw no(3);
  removeRoutes(space, (route) => route === first);
}

/** As RTM_F_FIB_MATCH: the route as it stands, of the local table first; rules with a source do not apply. */
export function lookup(space: Space, ip: Ip, oif?: number): RouteMessage {
  for (const table of [LOCAL, MAIN]) {
    const [best] = space.routes
      .filter((route) =>
        route.table === table && route.family === familyOf(ip) && (oif === undefined || route.oif === oif)
      )
      .filter((route) => contains(cidrOf(route.to, route.length ?? 0, route.family ?? 2), ip))
      .sort((a, b) => (b.length ?? 0) - (a.length ?? 0) || metricOf(a) - metricOf(b));
    if (best !== undefined) return best;
  }
  throw no(101);
}

function sameRule(a: RuleMessage, b: RuleMessage): boolean {
  const key = ({ family, priority, table, from, to, fromLength, toLength }: RuleMessage) =>
    [family, priority, table, from?.value, to?.value, fromLength, toLength].join();
  return key(a) === key(b);
}

export function newRule(space: Space, rule: RuleMessage): void {
  if (space.rules.some((one) => sameRule(one, rule))) throw no(17);
  space.rules.push(rule);
}

export function removeRule(space: Space, rule: RuleMessage): void {
  if (!space.rules.some((one) => sameRule(one, rule))) throw no(2);
  space.rules = space.rules.filter((one) => !sameRule(one, rule));
}
