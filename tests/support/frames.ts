/** Frames of other nodes, laid out by hand. */

/** "I have this address now": gratuitous ARP, or an unsolicited neighbour advertisement (its checksum is left out). */
export function announcement(address: Uint8Array, mac: Uint8Array): Uint8Array {
  // deno-fmt-ignore
  return address.length === 4
    ? Uint8Array.from([
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, ...mac, 0x08, 0x06,
      0, 1, 8, 0, 6, 4, 0, 1, ...mac, ...address, 0, 0, 0, 0, 0, 0, ...address,
      ...new Uint8Array(18),
    ])
    : Uint8Array.from([
      0x33, 0x33, 0, 0, 0, 1, ...mac, 0x86, 0xdd,
      0x60, 0, 0, 0, 0, 32, 58, 255, ...address, 0xff, 2, ...new Uint8Array(13), 1,
      136, 0, 0, 0, 0x20, 0, 0, 0, ...address, 2, 1, ...mac,
    ]);
}
