/** The verbs of rtnetlink that this program needs: requests that change something are values, so that several travel together. */
import { ENODEV, ESRCH, failedWith } from "../errno.ts";
import { bits, type Cidr, formatCidr, formatIp, type Ip, type IpVersion } from "../ip.ts";
import type { Socket } from "../world.ts";
import {
  address,
  type AddressMessage,
  link,
  type LinkMessage,
  neighbour,
  route,
  type RouteMessage,
  rule,
  type RuleMessage,
} from "./format.ts";
import {
  type Conversation,
  conversation,
  decodeMessages,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  type Request,
} from "./message.ts";

export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
/** Multicast groups (linux/rtnetlink.h). */
export const RTNLGRP_IPV4_ROUTE = 7;
export const RTNLGRP_IPV6_ROUTE = 11;
export const IFF_UP = 1;
export const RT_TABLE_MAIN = 254;
export const RT_TABLE_LOCAL = 255;
export const RT_SCOPE_UNIVERSE = 0;
export const RT_SCOPE_LINK = 253;
export const RT_SCOPE_HOST = 254;

const RTM_F_FIB_MATCH = 0x2000;
const RTEXT_FILTER_SKIP_STATS = 8;
const CREATE = NLM_F_CREATE | NLM_F_EXCL;

/** AF_INET or AF_INET6. */
export function addressFamily(version: IpVersion): number {
  return version === 4 ? 2 : 10;
}

function request(action: string, type: number, flags: number, payload: Uint8Array): Request {
  return { action, type, flags, payload };
}

export function addLink(message: LinkMessage & { name: string }): Request {
  return request(`create link "${message.name}"`, 16, CREATE, link.encode(message));
}

export function deleteLink(name: string, index: number): Request {
  return request(`delete link "${name}"`, 17, 0, link.encode({ index }));
}

/** Changes what is given of a link: flags (with `change` as their mask), MTU, MAC. */
export function setLink(name: string, message: LinkMessage & { index: number }): Request {
  return request(`change link "${name}"`, 19, 0, link.encode(message));
}

/** Adds an address without duplicate address detection (IFA_F_NODAD): who calls this knows that it is unique. `bare`: without a route to its prefix, and never chosen as a source (deprecated, RFC 4862). */
export function addAddress(index: number, cidr: Cidr, device: string, bare = false): Request {
  const IFA_F_NODAD = 2;
  const IFA_F_NOPREFIXROUTE = 0x200;
  const { version, value } = cidr.ip;
  const broadcast = version === 4 && cidr.length < 31
    ? { broadcast: { version, value: value | (1n << BigInt(32 - cidr.length)) - 1n } }
    : {};
  const FOREVER = 0xffffffff;
  const lifetime = bare ? { lifetime: { preferred: 0, valid: FOREVER } } : {};
  const message = {
    ...addressOf(index, cidr),
    flags: IFA_F_NODAD | (bare ? IFA_F_NOPREFIXROUTE : 0),
    ...lifetime,
    ...broadcast,
  };
  return request(`add address ${formatCidr(cidr)} to "${device}"`, 20, CREATE, address.encode(message));
}

export function deleteAddress(index: number, cidr: Cidr, device: string): Request {
  return request(`delete address ${formatCidr(cidr)} of "${device}"`, 21, 0, address.encode(addressOf(index, cidr)));
}

function addressOf(index: number, cidr: Cidr): AddressMessage {
  return { family: addressFamily(cidr.ip.version), length: cidr.length, index, local: cidr.ip, address: cidr.ip };
}

/**
 * Makes the kernel announce an IPv4 address of its own by gratuitous ARP (RFC 5227, 2.3), three times, a second apart: it looks
 * for the address as if it were a neighbour's. A packet socket could do it too, but closing one takes the kernel 8 to 16 ms.
 */
export function announceAddress(index: number, ip: Ip): Request {
  const NTF_USE = 1;
  const message = { family: addressFamily(ip.version), index, flags: NTF_USE, to: ip };
  return request(`announce address ${formatIp(ip)}`, 28, NLM_F_CREATE, neighbour.encode(message));
}

/** A unicast route as we make them; metric 0 or none: the kernel's own default. */
export interface Route {
  to: Cidr;
  oif: number;
  gateway?: Ip;
  table?: number;
  /** RTPROT_*; 3 (boot) when not given, as `ip route` does. */
  protocol?: number;
  metric?: number;
  scope?: number;
  /** RTN_*; unicast when not given. */
  type?: number;
}

export function addRoute(wanted: Route): Request {
  return request(`add route ${formatCidr(wanted.to)}`, RTM_NEWROUTE, CREATE, route.encode(routeMessage(wanted)));
}

export function deleteRoute(wanted: Route): Request {
  return request(`delete route ${formatCidr(wanted.to)}`, RTM_DELROUTE, 0, route.encode(routeMessage(wanted)));
}

/** A route that makes the kernel take an IPv4 address for its own on one device, without an address there. */
export function localRoute(ip: Ip, oif: number): Route {
  const RTN_LOCAL = 2;
  return { to: { ip, length: bits(ip.version) }, oif, table: RT_TABLE_LOCAL, scope: RT_SCOPE_HOST, type: RTN_LOCAL };
}

function routeMessage(
  { to, oif, gateway, table = RT_TABLE_MAIN, protocol = 3, metric, scope, type = 1 }: Route,
): RouteMessage {
  const RT_TABLE_COMPAT = 252;
  return {
    family: addressFamily(to.ip.version),
    length: to.length,
    headerTable: table < 256 ? table : RT_TABLE_COMPAT,
    protocol,
    scope: scope ?? (gateway === undefined && to.ip.version === 4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE),
    type,
    ...(to.length === 0 ? {} : { to: to.ip }),
    oif,
    table,
    ...(gateway === undefined ? {} : { gateway }),
    ...(metric === undefined || metric === 0 ? {} : { priority: metric }),
  };
}

/** "from PREFIX to PREFIX lookup TABLE". */
export interface Rule {
  prefix: Cidr;
  table: number;
  priority: number;
}

export function addRule(wanted: Rule): Request {
  return request(`add rule for ${formatCidr(wanted.prefix)}`, 32, CREATE, rule.encode(ruleMessage(wanted)));
}

export function deleteRule(wanted: Rule): Request {
  return request(`delete rule for ${formatCidr(wanted.prefix)}`, 33, 0, rule.encode(ruleMessage(wanted)));
}

function ruleMessage({ prefix, table, priority }: Rule): RuleMessage {
  const FR_ACT_TO_TBL = 1;
  return {
    family: addressFamily(prefix.ip.version),
    toLength: prefix.length,
    fromLength: prefix.length,
    headerTable: table < 256 ? table : 0,
    action: FR_ACT_TO_TBL,
    to: prefix.ip,
    from: prefix.ip,
    priority,
    table,
  };
}

/** What the kernel of one namespace knows, and the way to change it. */
export interface Rtnetlink extends Conversation, Disposable {
  /** One link by name or index; undefined when there is none. */
  link(which: string | number): LinkMessage | undefined;
  links(): LinkMessage[];
  /** The addresses of one link, both families. */
  addresses(index: number): AddressMessage[];
  /** The routes of one table or of all, of those with this protocol and device where given. A walk over whole tables: not for the way of an ADD. */
  routes(version: IpVersion, filter: { table?: number; oif?: number; protocol?: number }): RouteMessage[];
  /** The route that the kernel would use for an address, as it stands in the table; undefined when there is none. `oif`: among those through that device. */
  lookup(to: Ip, oif?: number): RouteMessage | undefined;
  rules(version: IpVersion): RuleMessage[];
}

export function rtnetlink(socket: Socket): Rtnetlink {
  const talk = conversation(socket);
  const ask = (action: string, type: number, payload: Uint8Array) => talk.execute(request(action, type, 0, payload));
  const dump = (action: string, type: number, payload: Uint8Array) =>
    talk.execute(request(action, type, NLM_F_DUMP, payload));
  return {
    ...talk,
    link(which) {
      const wanted = typeof which === "string" ? { name: which } : { index: which };
      try {
        const [reply] = ask(`read link ${which}`, 18, link.encode({ ...wanted, extMask: RTEXT_FILTER_SKIP_STATS }));
        return reply === undefined ? undefined : link.decode(reply);
      } catch (error) {
        if (failedWith(error, ENODEV)) return undefined;
        throw error;
      }
    },
    links: () => dump("list links", 18, link.encode({ extMask: RTEXT_FILTER_SKIP_STATS })).map(link.decode),
    addresses: (index) => dump("list addresses", 22, address.encode({ index })).map(address.decode),
    routes(version, { table, oif, protocol }) {
      const message = {
        family: addressFamily(version),
        ...(table === undefined ? {} : { table }),
        ...(oif === undefined ? {} : { oif }),
        ...(protocol === undefined ? {} : { protocol }),
      };
      try {
        return dump("list routes", 26, route.encode(message)).map(route.decode);
      } catch (error) {
        // A table that nobody has used yet does not exist.
        if (failedWith(error, 2)) return [];
        throw error;
      }
    },
    lookup(to, oif) {
      const message = {
        family: addressFamily(to.version),
        length: bits(to.version),
        to,
        flags: RTM_F_FIB_MATCH,
        ...(oif === undefined ? {} : { oif }),
      };
      try {
        const [reply] = ask(`look up the route to ${formatIp(to)}`, 26, route.encode(message));
        return reply === undefined ? undefined : route.decode(reply);
      } catch (error) {
        const ENETUNREACH = 101;
        const EHOSTUNREACH = 113;
        if (failedWith(error, ENETUNREACH, EHOSTUNREACH, ESRCH)) return undefined;
        throw error;
      }
    },
    rules: (version) => dump("list rules", 34, rule.encode({ family: addressFamily(version) })).map(rule.decode),
    [Symbol.dispose]: () => socket[Symbol.dispose](),
  };
}

/** The route changes in a datagram of an event socket; `added` is false for a route that went. */
export function routeEvents(datagram: Uint8Array): { added: boolean; route: RouteMessage }[] {
  return decodeMessages(datagram)
    .filter(({ type }) => type === RTM_NEWROUTE || type === RTM_DELROUTE)
    .map(({ type, payload }) => ({ added: type === RTM_NEWROUTE, route: route.decode(payload) }));
}
