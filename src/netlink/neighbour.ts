/** Neighbours: `struct ndmsg`, NDA_* (linux/neighbour.h). */
import { attributes, family, ip, s32, struct, u16, u8 } from "../bytes.ts";
import { formatIp, type Ip } from "../ip.ts";
import { addressFamily, NLM_F_CREATE, type Request, request } from "./message.ts";

const RTM_NEIGH = { new: 28 };
const NTF_USE = 1;

export const neighbour = family(
  struct({ family: u8, pad1: u8, pad2: u16, index: s32, state: u16, flags: u8, type: u8 }),
  attributes({ to: [1, ip] }),
);

/**
 * Makes the kernel announce an IPv4 address of its own by gratuitous ARP (RFC 5227, 2.3), three times, a second apart: it looks
 * for the address as if it were a neighbour's. A packet socket could do it too, but closing one takes the kernel 8 to 16 ms.
 */
export function announceAddress(index: number, to: Ip): Request {
  return request(`announce address ${formatIp(to)}`, neighbour, {
    type: RTM_NEIGH.new,
    flags: NLM_F_CREATE,
    value: { family: addressFamily(to.version), index, flags: NTF_USE, to },
  });
}
