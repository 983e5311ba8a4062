/** Ethernet frames that ask who has an address, and that tell who has it: ARP (RFC 826, RFC 5227) and neighbour discovery (RFC 4861, RFC 4862). */
import { be16, block, concat, decode, encode, ip4, ip6, macFromBytes, macToBytes, struct, u8 } from "./bytes.ts";
import type { Fixed } from "./bytes.ts";
import { type Ip, ipToBytes } from "./ip.ts";

export const ETH_P_ARP = 0x0806;
export const ETH_P_IPV6 = 0x86dd;

/** What a frame says about an address. */
export interface Heard {
  /** `probe`: somebody asks before taking it; `use`: somebody has it. */
  kind: "probe" | "use";
  address: Ip;
  /** The hardware address that says so. */
  mac: string;
}

const hardware = block(6);
const address4: Fixed<Ip> = { ...ip4, bytes: 4 };
const address6: Fixed<Ip> = { ...ip6, bytes: 16 };

/** Destination, source, EtherType. */
const ethernet = struct({ to: hardware, from: hardware, type: be16 });
/** RFC 826: kinds and lengths of both addresses, operation, sender, target. */
const arp = struct({
  hardwareType: be16,
  protocol: be16,
  hardwareLength: u8,
  protocolLength: u8,
  operation: be16,
  mac: hardware,
  sender: address4,
  targetMac: hardware,
  target: address4,
});
/** RFC 8200, section 3; version, traffic class and flow label in `first`. */
const ipv6 = struct({
  first: be16,
  flow: be16,
  length: be16,
  next: u8,
  hops: u8,
  source: address6,
  destination: address6,
});
/** Neighbour solicitation and advertisement, RFC 4861, sections 4.3 and 4.4. */
const discovery = struct({ type: u8, code: u8, checksum: be16, flags: be16, reserved: be16, target: address6 });

const ARPHRD_ETHER = 1;
const ETH_P_IP = 0x0800;
const ARPOP_REQUEST = 1;
const ICMPV6 = 58;
const SOLICITATION = 135;
const ADVERTISEMENT = 136;
const OVERRIDE = 0x2000;
/** Ethernet's least length, without its check sum. */
const LEAST = 60;
const BROADCAST = new Uint8Array(6).fill(0xff);
const NOBODY4: Ip = { version: 4, value: 0n };
const NOBODY6: Ip = { version: 6, value: 0n };
/** ff02::1:ff00:0/104: the last three bytes are the address's own (RFC 4291, 2.7.1). */
const SOLICITED_NODE = 0xff02_0000_0000_0000_0000_0001_ff00_0000n;

/** The EtherType of the frames about an address. */
export function ethertype({ version }: Ip): number {
  return version === 4 ? ETH_P_ARP : ETH_P_IPV6;
}

/** "Does anybody have this address?": ARP probe (RFC 5227, 2.1.1) or neighbour solicitation from :: (RFC 4862, 5.4.2). `mac` is ours. */
export function probe(address: Ip, mac: string): Uint8Array {
  return address.version === 4 ? arpProbe(address, macToBytes(mac)) : solicitation(address, macToBytes(mac));
}

function arpProbe(target: Ip, mac: Uint8Array): Uint8Array {
  const kinds = { hardwareType: ARPHRD_ETHER, protocol: ETH_P_IP, hardwareLength: 6, protocolLength: 4 };
  const body = encode(arp, { ...kinds, operation: ARPOP_REQUEST, mac, target });
  return padded(encode(ethernet, { to: BROADCAST, from: mac, type: ETH_P_ARP }), body);
}

function solicitation(target: Ip, mac: Uint8Array): Uint8Array {
  const destination: Ip = { version: 6, value: SOLICITED_NODE | target.value & 0xffffffn };
  // RFC 2464, section 7: 33:33 and the last four bytes of the group.
  const to = Uint8Array.of(0x33, 0x33, ...ipToBytes(destination).subarray(12));
  const length = discovery.bytes;
  const addresses = concat([ipToBytes(NOBODY6), ipToBytes(destination)]);
  const unsigned = encode(discovery, { type: SOLICITATION, target });
  // RFC 8200, 8.1: the addresses, the length and the protocol are part of the sum.
  const checksum = sumOf(concat([addresses, Uint8Array.of(0, 0, 0, length, 0, 0, 0, ICMPV6), unsigned]));
  return padded(
    encode(ethernet, { to, from: mac, type: ETH_P_IPV6 }),
    encode(ipv6, { first: 0x6000, length, next: ICMPV6, hops: 255, source: NOBODY6, destination }),
    encode(discovery, { type: SOLICITATION, checksum, target }),
  );
}

/** "I have this address now", as an ICMPv6 message for the kernel to put its checksum in: unsolicited, override (RFC 4861, 7.2.6). */
export function neighbourAdvertisement(target: Ip, mac: string): Uint8Array {
  const TARGET_LINK_LAYER_ADDRESS = [2, 1];
  const message = encode(discovery, { type: ADVERTISEMENT, flags: OVERRIDE, target });
  return concat([message, Uint8Array.of(...TARGET_LINK_LAYER_ADDRESS, ...macToBytes(mac))]);
}

/** Reads a frame; undefined when it is not about an address. */
export function hear(frame: Uint8Array): Heard | undefined {
  if (frame.length < ethernet.bytes + arp.bytes) return undefined;
  const { type, from = BROADCAST } = decode(ethernet, frame);
  const body = frame.subarray(ethernet.bytes);
  if (type === ETH_P_ARP) return hearArp(body);
  if (type !== ETH_P_IPV6 || body.length < ipv6.bytes + discovery.bytes) return undefined;
  return hearDiscovery(body, macFromBytes(from));
}

function hearArp(body: Uint8Array): Heard | undefined {
  const { hardwareType, protocol, operation, mac: bytes = BROADCAST, sender = NOBODY4, target = NOBODY4 } = decode(
    arp,
    body,
  );
  if (hardwareType !== ARPHRD_ETHER || protocol !== ETH_P_IP) return undefined;
  const mac = macFromBytes(bytes);
  if (sender.value !== 0n) return { kind: "use", address: sender, mac };
  return operation === ARPOP_REQUEST ? { kind: "probe", address: target, mac } : undefined;
}

function hearDiscovery(body: Uint8Array, mac: string): Heard | undefined {
  const { next, hops, source = NOBODY6 } = decode(ipv6, body);
  if (next !== ICMPV6 || hops !== 255) return undefined;
  const { type, target = NOBODY6 } = decode(discovery, body.subarray(ipv6.bytes));
  if (type === ADVERTISEMENT) return { kind: "use", address: target, mac };
  if (type !== SOLICITATION) return undefined;
  return source.value === 0n ? { kind: "probe", address: target, mac } : { kind: "use", address: source, mac };
}

function padded(...parts: Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return concat([...parts, new Uint8Array(Math.max(0, LEAST - length))]);
}

/** The ones' complement sum of 16-bit words (RFC 1071). */
function sumOf(bytes: Uint8Array): number {
  let sum = 0;
  for (const [index, byte] of bytes.entries()) sum += index % 2 === 0 ? byte << 8 : byte;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}
