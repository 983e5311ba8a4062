/** Telling a broadcast domain who has an address now. */
import { announcement, ethertype } from "../frame.ts";
import { type Ip, ipToBytes } from "../ip.ts";
import { mac as macCodec } from "../netlink/codec.ts";
import type { Netns } from "../world.ts";

/** Tells the broadcast domain who has the addresses now, so that nobody keeps an old hardware address. */
export function announce(namespace: Netns, index: number, mac: string, ips: readonly Ip[]): void {
  for (const ip of ips) {
    const address = ipToBytes(ip);
    using socket = namespace.packet(ethertype(address), index);
    socket.send(announcement(address, macCodec.encode(mac)));
  }
}
