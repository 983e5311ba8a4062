/** Telling a broadcast domain who has an address now, so that nobody keeps an old hardware address. */
import { neighbourAdvertisement } from "../frame.ts";
import { type Ip, ipToBytes } from "../ip.ts";
import { mac as macCodec } from "../netlink/codec.ts";
import { announceAddress, type Rtnetlink } from "../netlink/rtnetlink.ts";
import type { Netns } from "../world.ts";

/** Announces addresses of a link: by gratuitous ARP (IPv4) or unsolicited neighbour advertisement (IPv6). */
export function announce(
  namespace: Netns,
  kernel: Rtnetlink,
  { index, mac }: { index: number; mac: string },
  ips: readonly Ip[],
): void {
  for (const ip of ips) {
    if (ip.version === 4) kernel.execute(announceAddress(index, ip));
    else advertise(namespace, index, mac, ipToBytes(ip));
  }
}

function advertise(namespace: Netns, index: number, mac: string, address: Uint8Array): void {
  using socket = namespace.icmp6(address, index);
  socket.send(neighbourAdvertisement(address, macCodec.encode(mac)));
}
