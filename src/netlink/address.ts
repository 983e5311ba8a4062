/** Addresses: `struct ifaddrmsg`, IFA_* (linux/if_addr.h). */
import { attributes, family, ip, struct, u32, u8, type ValueOf } from "../bytes.ts";
import { type Cidr, formatCidr, type Ip } from "../ip.ts";
import { addressFamily, NLM_F_CREATE, NLM_F_EXCL, type Request, request } from "./message.ts";

export const RTM_ADDR = { new: 20, del: 21, get: 22 };
const IFA_F_NODAD = 2;
const IFA_F_NOPREFIXROUTE = 0x200;
const FOREVER = 0xffffffff;

/** `scope` 0 is universe; `lifetime` is `struct ifa_cacheinfo` in seconds. */
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

export type Address = ValueOf<typeof address>;

/** The address itself: of a point-to-point link `address` is the other end's. */
export function ownAddress({ local, address }: Address): Ip | undefined {
  return local ?? address;
}

/** Where an address is or is to be. */
interface Placed {
  cidr: Cidr;
  index: number;
  /** For the message only. */
  device: string;
}

/** Adds an address without duplicate address detection: who calls this knows that it is unique. `bare`: without a route to its prefix, and never chosen as a source (deprecated, RFC 4862). */
export function newAddress({ cidr, index, device }: Placed, bare = false): Request {
  const { version, value } = cidr.ip;
  const isBroadcast = version === 4 && cidr.length < 31;
  const hosts = (1n << BigInt(Math.max(0, 32 - cidr.length))) - 1n;
  return request(`add address ${formatCidr(cidr)} to "${device}"`, address, {
    type: RTM_ADDR.new,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    value: {
      ...messageOf(cidr, index),
      flags: IFA_F_NODAD | (bare ? IFA_F_NOPREFIXROUTE : 0),
      lifetime: bare ? { preferred: 0, valid: FOREVER } : undefined,
      broadcast: isBroadcast ? { version, value: value | hosts } : undefined,
    },
  });
}

export function delAddress({ cidr, index, device }: Placed): Request {
  return request(`delete address ${formatCidr(cidr)} of "${device}"`, address, {
    type: RTM_ADDR.del,
    value: messageOf(cidr, index),
  });
}

function messageOf({ ip, length }: Cidr, index: number): Address {
  return { family: addressFamily(ip.version), length, index, local: ip, address: ip };
}
