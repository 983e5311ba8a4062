/** Routes: `struct rtmsg`, RTA_*, RTAX_* (linux/rtnetlink.h). */
import { attributes, decode, family, ip, struct, u32, u8, type ValueOf } from "../bytes.ts";
import { type Cidr, formatCidr, formatIp, hostPrefix, type Ip } from "../ip.ts";
import { addressFamily, decodeMessages, NLM_F_CREATE, NLM_F_EXCL, type Request, request } from "./message.ts";

export const RTM_ROUTE = { new: 24, del: 25, get: 26 };
/** Multicast groups that tell of changes. */
export const RTNLGRP_ROUTE = { 4: 7, 6: 11 };
export const RT_TABLE_MAIN = 254;
export const RT_TABLE_LOCAL = 255;
/** What stands in the header for a table beyond one byte. */
const RT_TABLE_COMPAT = 252;
export const RT_SCOPE_UNIVERSE = 0;
const RT_SCOPE_LINK = 253;
export const RT_SCOPE_HOST = 254;
const RTN_UNICAST = 1;
export const RTN_LOCAL = 2;
const RTPROT_BOOT = 3;
/** Of a look-up: the route as it stands in the table, not what comes of it for one packet. */
const RTM_F_FIB_MATCH = 0x2000;

/** `length` belongs to `to`; `table` is the full number, `headerTable` what of it fits in a byte. */
export const route = family(
  struct({
    family: u8,
    length: u8,
    fromLength: u8,
    tos: u8,
    headerTable: u8,
    protocol: u8,
    scope: u8,
    type: u8,
    flags: u32,
  }),
  attributes({
    to: [1, ip],
    oif: [4, u32],
    gateway: [5, ip],
    priority: [6, u32],
    prefsrc: [7, ip],
    metrics: [8, attributes({ mtu: [2, u32], advmss: [8, u32] })],
    table: [15, u32],
  }),
);

export type RouteMessage = ValueOf<typeof route>;

/** A route through one device, in the words of ip-route(8). What is not given is chosen as `ip route` does. */
export interface Route {
  to: Cidr;
  oif: number;
  gateway?: Ip;
  table?: number;
  /** RTPROT_*. */
  protocol?: number;
  /** 0: the kernel's own default. */
  metric?: number;
  /** RT_SCOPE_*. */
  scope?: number;
  /** RTN_*. */
  type?: number;
  /** Bytes. */
  mtu?: number;
  /** Bytes: the TCP segment size that is announced. */
  advmss?: number;
}

export function newRoute(wanted: Route): Request {
  return request(`add ${described(wanted)}`, route, {
    type: RTM_ROUTE.new,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    value: messageOf(wanted),
  });
}

export function delRoute(wanted: Route): Request {
  return request(`delete ${described(wanted)}`, route, { type: RTM_ROUTE.del, value: messageOf(wanted) });
}

function described({ to, table }: Route): string {
  return `route ${formatCidr(to)}${table === undefined || table === RT_TABLE_MAIN ? "" : ` in table ${table}`}`;
}

/** Asks for the route that the kernel would use for an address; `oif`: among those through that device. */
export function getRoute(to: Ip, oif?: number): Request {
  return request(`look up the route to ${formatIp(to)}`, route, {
    type: RTM_ROUTE.get,
    value: { family: addressFamily(to.version), length: hostPrefix(to).length, to, flags: RTM_F_FIB_MATCH, oif },
  });
}

function messageOf(wanted: Route): RouteMessage {
  const { to, oif, gateway, table = RT_TABLE_MAIN, protocol = RTPROT_BOOT, type = RTN_UNICAST, mtu, advmss } = wanted;
  const direct = gateway === undefined && to.ip.version === 4;
  return {
    family: addressFamily(to.ip.version),
    length: to.length,
    headerTable: table < 256 ? table : RT_TABLE_COMPAT,
    protocol,
    scope: wanted.scope ?? (direct ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE),
    type,
    to: to.length === 0 ? undefined : to.ip,
    oif,
    table,
    gateway,
    priority: wanted.metric === 0 ? undefined : wanted.metric,
    metrics: mtu === undefined && advmss === undefined ? undefined : { mtu, advmss },
  };
}

interface RouteEvent {
  /** False for a route that went. */
  added: boolean;
  route: RouteMessage;
}

/** The route changes in a datagram of an event socket. */
export function routeEvents(datagram: Uint8Array): RouteEvent[] {
  return decodeMessages(datagram)
    .filter(({ type }) => type === RTM_ROUTE.new || type === RTM_ROUTE.del)
    .map(({ type, payload }) => ({ added: type === RTM_ROUTE.new, route: decode(route, payload) }));
}
