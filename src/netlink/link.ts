/** Links: `struct ifinfomsg`, IFLA_*, and the attributes of the kinds that we make (linux/if_link.h). */
import {
  attributes,
  be16,
  bool,
  byKind,
  family,
  flag,
  ip4,
  ip6,
  mac,
  s32,
  struct,
  text,
  u16,
  u32,
  u8,
  type ValueOf,
} from "../bytes.ts";
import { NLM_F_CREATE, NLM_F_EXCL, type Request, request } from "./message.ts";

export const RTM_LINK = { new: 16, del: 17, get: 18 };
export const IFF_UP = 1;
export const IFF_LOOPBACK = 8;
export const IFF_NOARP = 0x80;
export const MACVLAN_MODE_BRIDGE = 4;
/** RTEXT_FILTER_SKIP_STATS: statistics are read by nobody here. */
export const WITHOUT_STATISTICS = 8;

/** IFLA_VXLAN_*: addresses of version 4 in `group` and `local`, of version 6 in `group6` and `local6`. */
const vxlan = attributes({
  id: [1, u32],
  group: [2, ip4],
  link: [3, u32],
  local: [4, ip4],
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
  group6: [16, ip6],
  local6: [17, ip6],
  gbp: [23, flag],
});

/** IFLA_MACVLAN_*. */
const macvlan = attributes({ mode: [1, u32], flags: [2, u16] });

/** `netnsFd` is the namespace to create the link in; `link` the parent's index on the sender's side. */
export const link = family(
  struct({ family: u8, pad: u8, type: u16, index: s32, flags: u32, change: u32 }),
  attributes({
    mac: [1, mac],
    name: [3, text],
    mtu: [4, u32],
    link: [5, u32],
    txqlen: [13, u32],
    info: [18, byKind({ vxlan, macvlan })],
    netnsFd: [28, u32],
    extMask: [29, u32],
  }),
);

export type Link = ValueOf<typeof link>;
export type VxlanData = ValueOf<typeof vxlan>;

export function newLink(value: Link & { name: string }): Request {
  return request(`create link "${value.name}"`, link, { type: RTM_LINK.new, flags: NLM_F_CREATE | NLM_F_EXCL, value });
}

/** `name` is for the message only. */
export function delLink(name: string, index: number): Request {
  return request(`delete link "${name}"`, link, { type: RTM_LINK.del, value: { index } });
}
