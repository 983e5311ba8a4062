/** Frames of other nodes, laid out by hand. */
import { type Ip, ipToBytes } from "../../src/ip.ts";

/** "I have this address now": gratuitous ARP, or an unsolicited neighbour advertisement (its checksum is left out). */
export function announcement(address: Ip, mac: string): Uint8Array {
  const [ip, hardware] = [ipToBytes(address), mac.split(":").map((byte) => Number.parseInt(byte, 16))];
  // deno-fmt-ignore
  return address.version === 4
    ? Uint8Array.from([
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, ...hardware, 0x08, 0x06,
      0, 1, 8, 0, 6, 4, 0, 1, ...hardware, ...ip, 0, 0, 0, 0, 0, 0, ...ip,
      ...new Uint8Array(18),
    ])
    : Uint8Array.from([
      0x33, 0x33, 0, 0, 0, 1, ...hardware, 0x86, 0xdd,
      0x60, 0, 0, 0, 0, 32, 58, 255, ...ip, 0xff, 2, ...new Uint8Array(13), 1,
      136, 0, 0, 0, 0x20, 0, 0, 0, ...ip, 2, 1, ...hardware,
    ]);
}
