/** Routes of the fake kernel: those that are added, and those that it keeps for links and addresses by itself. */
import { bits, type Cidr, contains, type Ip, parseIp, prefixOf, sameIp } from "../../src/ip.ts";
import type { RouteMessage } from "../../src/netlink/route.ts";
import { cidrOf, type FakeAddress, type FakeLink, familyOf, IPV4, linkByIndex, no, type Space } from "./space.ts";

const LOCAL = 255;
const MAIN = 254;
/** RTPROT_KERNEL, RTN_*, RT_SCOPE_*. */
const KERNEL = 2;
const UNICAST = 1, OWN = 2, BROADCAST = 3, MULTICAST = 5;
const UNIVERSE = 0, LINK = 253, HOST = 254;
const RTM_F_LOOKUP_TABLE = 0x1000;
const ALL_MULTICAST: Ip = parseIp("ff00::") ?? { version: 6, value: 0n };

const destinationOf = ({ to, length = 0, family = IPV4 }: RouteMessage) => cidrOf(to, length, family);
const tableOf = ({ table = MAIN }: RouteMessage) => table;
/** The metric that a route has in the end. */
const metricOf = ({ priority = 0, family }: RouteMessage) => priority === 0 && family !== IPV4 ? 1024 : priority;

function removeRoutes(space: Space, which: (route: RouteMessage) => boolean): RouteMessage[] {
  const gone = space.routes.filter(which);
  space.routes = space.routes.filter((route) => !gone.includes(route));
  return gone;
}

/** Routes whose link goes, or has no address any more: of those of IPv4 nobody hears. */
export function loseRoutes(space: Space, which: (route: RouteMessage) => boolean): void {
  for (const route of removeRoutes(space, which)) if (route.family !== IPV4) space.changed(false, route);
}

function insertRoute(space: Space, route: RouteMessage): void {
  space.routes.push(route);
  space.changed(true, route);
}

/** Brings the routes that the kernel keeps for a link by itself up to date. */
export function keepKernelRoutes(space: Space, link: FakeLink): void {
  const key = ({ family, length, to, type, table }: RouteMessage) => [family, to?.value, length, type, table].join();
  const wanted = kernelRoutes(space, link);
  const keys = wanted.map(key);
  const isOwn = (route: RouteMessage) => route.oif === link.index && route.protocol === KERNEL;
  const kept = space.routes.filter(isOwn).map(key);
  const gone = removeRoutes(space, (one) => isOwn(one) && !keys.includes(key(one)));
  for (const route of gone.reverse()) space.changed(false, route);
  for (const [index, route] of wanted.entries()) {
    if (!kept.includes(key(route)) && keys.indexOf(key(route)) === index) insertRoute(space, route);
  }
}

function kernelRoutes({ addresses }: Space, link: FakeLink): RouteMessage[] {
  const own = addresses.filter(({ index }) => index === link.index).flatMap((one) => addressRoutes(one, link));
  const groups = kept(link, { ip: ALL_MULTICAST, length: 8 }, { type: MULTICAST, table: LOCAL, priority: 256 });
  return link.up && link.name !== "lo" ? [...own, groups] : own;
}

function kept({ index: oif }: FakeLink, { ip: to, length }: Cidr, more: RouteMessage): RouteMessage {
  const headerTable = more.table;
  return { family: familyOf(to), to, length, oif, protocol: KERNEL, scope: UNIVERSE, flags: 0, headerTable, ...more };
}

/** To the address itself, to its broadcast, to its prefix. */
function addressRoutes({ cidr, bare }: FakeAddress, link: FakeLink): RouteMessage[] {
  const { ip, length } = cidr;
  const { version, value } = ip;
  const most = bits(version);
  if (version === 6) {
    const itself = kept(link, { ip, length: most }, { type: OWN, table: LOCAL });
    if (!link.up || bare) return [itself];
    return [itself, kept(link, prefixOf(cidr), { type: UNICAST, table: MAIN, priority: 256 })];
  }
  const broadcast = value | (1n << BigInt(most - length)) - 1n;
  return [
    kept(link, { ip, length: most }, { type: OWN, table: LOCAL, scope: HOST }),
    ...(link.up && length < most - 1
      ? [
        kept(link, { ip: { version, value: broadcast }, length: most }, { type: BROADCAST, table: LOCAL, scope: LINK }),
      ]
      : []),
    ...(link.up && length < most ? [kept(link, prefixOf(cidr), { type: UNICAST, table: MAIN, scope: LINK })] : []),
  ];
}

function isSamePlace(a: RouteMessage, b: RouteMessage): boolean {
  return a.family === b.family && tableOf(a) === tableOf(b) && a.length === b.length &&
    sameIp(destinationOf(a).ip, destinationOf(b).ip);
}

export function newRoute(space: Space, route: RouteMessage): void {
  if (!linkByIndex(space, route.oif).up) throw no(100);
  if (route.gateway !== undefined) checkGateway(space, route, route.gateway);
  if (space.routes.some((one) => isSamePlace(one, route) && metricOf(one) === metricOf(route))) throw no(17);
  const metric = metricOf(route);
  insertRoute(space, { ...route, ...(metric === 0 ? {} : { priority: metric }) });
}

function checkGateway(space: Space, { family, oif }: RouteMessage, gateway: Ip): void {
  const isOwn = space.addresses.some(({ cidr }) => sameIp(cidr.ip, gateway));
  if (family !== IPV4 && isOwn) throw no(22, "Gateway can not be a local address");
  const [best] = matches(space, gateway, (one) => one.oif === oif);
  const isReached = best !== undefined && best.gateway === undefined && (family !== IPV4 || (best.scope ?? 0) >= LINK);
  if (!isReached) throw family === IPV4 ? no(101, "Nexthop has invalid gateway") : no(113);
}

/** RT_SCOPE_NOWHERE: any. */
const NOWHERE = 255;

/** Of several that fit the one that is preferred goes. */
export function removeRoute(space: Space, wanted: RouteMessage): void {
  const { family, scope, type, protocol, priority, gateway, oif } = wanted;
  const [first] = space.routes.filter((one) =>
    isSamePlace(one, wanted) && (oif === undefined || one.oif === oif) &&
    (!protocol || one.protocol === protocol) && (priority === undefined || metricOf(one) === priority) &&
    (gateway === undefined || (one.gateway !== undefined && sameIp(one.gateway, gateway))) &&
    (family !== IPV4 || ((scope === NOWHERE || one.scope === scope) && (!type || one.type === type)))
  ).sort((a, b) => metricOf(a) - metricOf(b));
  if (first === undefined) throw no(3);
  for (const route of removeRoutes(space, (one) => one === first)) space.changed(false, route);
}

/** The routes to an address: the longest prefix first, then what is in the local table, then the lowest metric. */
function matches(space: Space, ip: Ip, which: (route: RouteMessage) => boolean): RouteMessage[] {
  const isAsked = (route: RouteMessage) => [LOCAL, MAIN].includes(tableOf(route));
  // Two tables are asked one after the other, but one table in which both are at once.
  const isOne = ip.version === 4 && !space.split;
  return space.routes
    .filter((route) =>
      route.family === familyOf(ip) && isAsked(route) && which(route) && contains(destinationOf(route), ip)
    )
    .sort((a, b) =>
      (isOne ? 0 : tableOf(b) - tableOf(a)) || (b.length ?? 0) - (a.length ?? 0) || tableOf(b) - tableOf(a) ||
      metricOf(a) - metricOf(b)
    );
}

/** As RTM_F_FIB_MATCH: the route as it stands; rules with a source do not apply. IPv4 tells its table only when that is asked. */
export function lookup(space: Space, ip: Ip, oif?: number, flags = 0): RouteMessage {
  if (ip.version === 4 && oif !== undefined) linkByIndex(space, oif);
  const [best] = matches(space, ip, (route) => oif === undefined || route.oif === oif);
  if (best === undefined) throw no(101);
  if (ip.version === 6) return best;
  return {
    ...best,
    table: space.split && (flags & RTM_F_LOOKUP_TABLE) !== 0 ? tableOf(best) : MAIN,
    type: ip.value >> 28n === 14n ? MULTICAST : best.type,
  };
}

/** Without a table: of all; a table that nobody has used yet does not exist. */
export function dumpRoutes(space: Space, { family, table, oif, protocol = 0 }: RouteMessage): RouteMessage[] {
  if (oif !== undefined) linkByIndex(space, oif);
  const inTable = space.routes.filter((one) => table === undefined || tableOf(one) === table);
  if (inTable.length === 0 && table !== undefined && table < 253) throw no(2);
  return inTable.filter((one) =>
    one.family === family && (oif === undefined || one.oif === oif) && (protocol === 0 || one.protocol === protocol)
  );
}
