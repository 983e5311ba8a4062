/** Telling a broadcast domain who has an address now, so that nobody keeps an old hardware address. */
import { neighbourAdvertisement } from "../frame.ts";
import type { Ip } from "../ip.ts";
import type { Kernel } from "../netlink/kernel.ts";
import { announceAddress } from "../netlink/neighbour.ts";

/** Announces addresses of a link: by gratuitous ARP (IPv4) or unsolicited neighbour advertisement (IPv6). */
export function announce(kernel: Kernel, { index, mac }: { index: number; mac: string }, ips: readonly Ip[]): void {
  for (const ip of ips) {
    if (ip.version === 4) kernel.execute(announceAddress(index, ip));
    else advertise(kernel, { index, mac }, ip);
  }
}

function advertise({ netns }: Kernel, { index, mac }: { index: number; mac: string }, ip: Ip): void {
  using socket = netns.icmp6(ip, index);
  socket.send(neighbourAdvertisement(ip, mac));
}
