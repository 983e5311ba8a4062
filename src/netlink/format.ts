/** What rtnetlink messages hold: one mention for each header field and attribute (linux/rtnetlink.h, if_link.h, if_addr.h, fib_rules.h, neighbour.h). */
import {
  attributes,
  be16,
  bool,
  type Codec,
  family,
  flag,
  ip,
  mac,
  raw,
  s32,
  struct,
  text,
  u16,
  u32,
  u8,
  type ValueOf,
} from "./codec.ts";

/** `struct ifinfomsg` + IFLA_*. `netnsFd` is the namespace to create the link in; `link` the parent's index on the sender's side. */
export const link = family(
  struct({ family: u8, pad: u8, type: u16, index: s32, flags: u32, change: u32 }),
  attributes({
    mac: [1, mac],
    name: [3, text],
    mtu: [4, u32],
    link: [5, u32],
    txqlen: [13, u32],
    operstate: [16, u8],
    info: [18, linkInfo()],
    netnsFd: [28, u32],
    extMask: [29, u32],
    netnsId: [37, s32],
  }),
);

/** IFLA_VXLAN_*: addresses are version 4 in `group` and `local`, version 6 in `group6` and `local6`; ports in network order on the wire. */
export const vxlan = attributes({
  id: [1, u32],
  group: [2, ip],
  link: [3, u32],
  local: [4, ip],
  ttl: [5, u8],
  tos: [6, u8],
  learning: [7, bool],
  ageing: [8, u32],
  limit: [9, u32],
  portRange: [10, struct({ low: be16, high: be16 })],
  proxy: [11, bool],
  rsc: [12, bool],
  l2miss: [13, bool],
  l3miss: [14, bool],
  port: [15, be16],
  group6: [16, ip],
  local6: [17, ip],
  gbp: [23, flag],
});

/** IFLA_MACVLAN_*; mode 4 is `MACVLAN_MODE_BRIDGE`. */
export const macvlan = attributes({ mode: [1, u32], flags: [2, u16] });

/** `struct ifaddrmsg` + IFA_*; `scope` 0 is universe, `lifetime` is `struct ifa_cacheinfo` in seconds. */
export const address = family(
  struct({ family: u8, length: u8, headerFlags: u8, scope: u8, index: u32 }),
  attributes({
    address: [1, ip],
    local: [2, ip],
    broadcast: [4, ip],
    lifetime: [6, struct({ preferred: u32, valid: u32, created: u32, updated: u32 })],
    flags: [8, u32],
  }),
);

/** `struct rtmsg` + RTA_*; `length` belongs to `to`, `table` is the full number, `headerTable` what of it fits in a byte. */
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
    multipath: [9, raw],
    table: [15, u32],
  }),
);

/** `struct fib_rule_hdr` + FRA_*; action 1 is `FR_ACT_TO_TBL`. */
export const rule = family(
  struct({
    family: u8,
    toLength: u8,
    fromLength: u8,
    tos: u8,
    headerTable: u8,
    reserved1: u8,
    reserved2: u8,
    action: u8,
    flags: u32,
  }),
  attributes({ to: [1, ip], from: [2, ip], priority: [6, u32], table: [15, u32] }),
);

/** `struct ndmsg` + NDA_*. */
export const neighbour = family(
  struct({ family: u8, pad1: u8, pad2: u16, index: s32, state: u16, flags: u8, type: u8 }),
  attributes({ to: [1, ip] }),
);

export type LinkMessage = ValueOf<typeof link>;
export type VxlanData = ValueOf<typeof vxlan>;
export type AddressMessage = ValueOf<typeof address>;
export type RouteMessage = ValueOf<typeof route>;
export type RuleMessage = ValueOf<typeof rule>;

/** IFLA_LINKINFO: the kind and, for the kinds that we make, its own attributes. */
export interface LinkInfo {
  kind: string;
  vxlan?: VxlanData;
  macvlan?: ValueOf<typeof macvlan>;
}

function linkInfo(): Codec<LinkInfo> {
  const table = attributes({ kind: [1, text], data: [2, raw] });
  return {
    encode(info) {
      const data = info.vxlan !== undefined
        ? vxlan.encode(info.vxlan)
        : info.macvlan !== undefined
        ? macvlan.encode(info.macvlan)
        : undefined;
      return table.encode({ kind: info.kind, ...(data === undefined ? {} : { data }) });
    },
    decode(bytes) {
      const { kind = "", data = new Uint8Array(0) } = table.decode(bytes);
      if (kind === "vxlan") return { kind, vxlan: vxlan.decode(data) };
      if (kind === "macvlan") return { kind, macvlan: macvlan.decode(data) };
      return { kind };
    },
  };
}
