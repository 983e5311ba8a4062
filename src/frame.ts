/** Ethernet frames that ask who has an address, and that tell who has it: ARP (RFC 826, RFC 5227) and neighbour discovery (RFC 4861, RFC 4862). */

export const ETH_P_ARP = 0x0806;
export const ETH_P_IPV6 = 0x86dd;

/** What a frame says about an address (4 or 16 bytes). */
export interface Heard {
  /** `probe`: somebody asks before taking it; `use`: somebody has it. */
  kind: "probe" | "use";
  address: Uint8Array;
  /** 6 bytes: who says so. */
  mac: Uint8Array;
}

/** The EtherType of the frames for an address of this many bytes. */
export function ethertype(address: Uint8Array): number {
  return address.length === 4 ? ETH_P_ARP : ETH_P_IPV6;
}

/** "Does anybody have this address?": ARP probe (RFC 5227, 2.1.1) or neighbour solicitation from :: (RFC 4862, 5.4.2). `mac` is ours. */
export function probe(address: Uint8Array, mac: Uint8Array): Uint8Array {
  if (address.length === 4) return arp(1, mac, new Uint8Array(4), address);
  const group = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, ...address.slice(13)];
  return ndp(mac, [0x33, 0x33, 0xff, ...address.slice(13)], new Uint8Array(16), group, [
    135,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    ...address,
  ]);
}

/** "I have this address now", as an ICMPv6 message for the kernel to put its checksum in: unsolicited, override (RFC 4861, 7.2.6). */
export function neighbourAdvertisement(address: Uint8Array, mac: Uint8Array): Uint8Array {
  const OVERRIDE = 0x20;
  return Uint8Array.from([136, 0, 0, 0, OVERRIDE, 0, 0, 0, ...address, 2, 1, ...mac]);
}

/** Reads a frame; undefined when it is not about an address. */
export function hear(frame: Uint8Array): Heard | undefined {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  if (frame.length < 42) return undefined;
  const type = view.getUint16(12);
  if (type === ETH_P_ARP) return hearArp(frame, view);
  return type === ETH_P_IPV6 && frame.length >= 78 ? hearNdp(frame) : undefined;
}

function hearArp(frame: Uint8Array, view: DataView): Heard | undefined {
  if (view.getUint16(14) !== 1 || view.getUint16(16) !== 0x0800) return undefined;
  const mac = frame.subarray(22, 28);
  const sender = frame.subarray(28, 32);
  if (sender.some((byte) => byte !== 0)) return { kind: "use", address: sender, mac };
  return view.getUint16(20) === 1 ? { kind: "probe", address: frame.subarray(38, 42), mac } : undefined;
}

function hearNdp(frame: Uint8Array): Heard | undefined {
  const ICMPV6 = 58;
  if (frame[20] !== ICMPV6 || frame[21] !== 255) return undefined;
  const source = frame.subarray(22, 38);
  const mac = frame.subarray(6, 12);
  const target = frame.subarray(62, 78);
  if (frame[54] === 136) return { kind: "use", address: target, mac };
  if (frame[54] !== 135) return undefined;
  return source.every((byte) => byte === 0)
    ? { kind: "probe", address: target, mac }
    : { kind: "use", address: source, mac };
}

function arp(operation: number, mac: Uint8Array, sender: Uint8Array, target: Uint8Array): Uint8Array {
  // Hardware Ethernet, protocol IPv4, lengths 6 and 4, operation, sender, target.
  const body = [0, 1, 8, 0, 6, 4, 0, operation, ...mac, ...sender, 0, 0, 0, 0, 0, 0, ...target];
  return ethernet(Array(6).fill(0xff), mac, ETH_P_ARP, body);
}

function ndp(mac: Uint8Array, to: number[], source: Uint8Array, destination: number[], message: number[]): Uint8Array {
  const ICMPV6 = 58;
  const pseudo = [...source, ...destination, 0, 0, 0, message.length, 0, 0, 0, ICMPV6];
  const sum = checksum([...pseudo, ...message]);
  const body = [message[0] ?? 0, 0, sum >> 8, sum & 255, ...message.slice(4)];
  return ethernet(to, mac, ETH_P_IPV6, [
    0x60,
    0,
    0,
    0,
    0,
    message.length,
    ICMPV6,
    255,
    ...source,
    ...destination,
    ...body,
  ]);
}

function ethernet(to: number[], from: Uint8Array, type: number, body: number[]): Uint8Array {
  const frame = [...to, ...from, type >> 8, type & 255, ...body];
  return Uint8Array.from([...frame, ...Array<number>(Math.max(0, 60 - frame.length)).fill(0)]);
}

/** The ones' complement sum of 16-bit words (RFC 1071). */
function checksum(bytes: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i] ?? 0) << 8 | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}
