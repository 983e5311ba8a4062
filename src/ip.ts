/** IP addresses and prefixes, both families alike: a version and a number. */

export type IpVersion = 4 | 6;

/** An address as a number: 32 bits for version 4, 128 bits for version 6. */
export interface Ip {
  readonly version: IpVersion;
  readonly value: bigint;
}

/** An address with the length of its prefix in bits; the host part is kept. */
export interface Cidr {
  readonly ip: Ip;
  readonly length: number;
}

/** Address length in bits. */
export function bits(version: IpVersion): number {
  return version === 4 ? 32 : 128;
}

/** Parses `10.0.0.1` or `fd00::1`, strictly: no octal, no zone, no blanks. Returns undefined for anything else. */
export function parseIp(text: string): Ip | undefined {
  const value = text.includes(":") ? parse6(text) : parse4(text);
  return value === undefined ? undefined : { version: text.includes(":") ? 6 : 4, value };
}

/** Parses `10.0.0.0/24`; returns undefined for anything else, also for an address without a length. */
export function parseCidr(text: string): Cidr | undefined {
  const match = /^([^/]+)\/(0|[1-9]\d{0,2})$/.exec(text);
  const ip = match?.[1] === undefined ? undefined : parseIp(match[1]);
  if (ip === undefined || Number(match?.[2]) > bits(ip.version)) return undefined;
  return { ip, length: Number(match?.[2]) };
}

/** Canonical text: dotted for version 4, RFC 5952 for version 6. */
export function formatIp(ip: Ip): string {
  return ip.version === 4 ? ipToBytes(ip).join(".") : format6(ip.value);
}

export function formatCidr(cidr: Cidr): string {
  return `${formatIp(cidr.ip)}/${cidr.length}`;
}

/** 4 or 16 bytes in network order. */
export function ipToBytes(ip: Ip): Uint8Array {
  const out = new Uint8Array(bits(ip.version) / 8);
  let rest = ip.value;
  for (let i = out.length - 1; i >= 0; i--) {
    out[i] = Number(rest & 255n);
    rest >>= 8n;
  }
  return out;
}

/** The address in 4 or 16 bytes of network order; throws RangeError for any other length. */
export function ipFromBytes(bytes: Uint8Array): Ip {
  if (bytes.length !== 4 && bytes.length !== 16) {
    throw new RangeError(`Cannot read an address: wanted 4 or 16 bytes, got ${bytes.length}`);
  }
  let value = 0n;
  for (const byte of bytes) value = value << 8n | BigInt(byte);
  return { version: bytes.length === 4 ? 4 : 6, value };
}

export function sameIp(a: Ip, b: Ip): boolean {
  return a.version === b.version && a.value === b.value;
}

/** The prefix without its host part. */
export function prefixOf(cidr: Cidr): Cidr {
  const host = BigInt(bits(cidr.ip.version) - cidr.length);
  return { ip: { version: cidr.ip.version, value: cidr.ip.value >> host << host }, length: cidr.length };
}

export function contains(cidr: Cidr, ip: Ip): boolean {
  const host = BigInt(bits(cidr.ip.version) - cidr.length);
  return cidr.ip.version === ip.version && cidr.ip.value >> host === ip.value >> host;
}

/** The prefix that holds one address only: /32 or /128. */
export function hostPrefix(ip: Ip): Cidr {
  return { ip, length: bits(ip.version) };
}

/** The all-zero address of a version with length 0. */
export function defaultPrefix(version: IpVersion): Cidr {
  return { ip: { version, value: 0n }, length: 0 };
}

function parse4(text: string): bigint | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  let value = 0n;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    value = value << 8n | BigInt(part);
  }
  return value;
}

function parse6(text: string): bigint | undefined {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (dotted?.[1] !== undefined && dotted[2] !== undefined) {
    const low = parse4(dotted[2]);
    if (low === undefined) return undefined;
    return parse6(`${dotted[1]}${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`);
  }
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const groups = halves.map((half) => half === "" ? [] : half.split(":"));
  const [head = [], tail = []] = groups;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const all = [...head, ...Array<string>(halves.length === 1 ? 0 : missing).fill("0"), ...tail];
  let value = 0n;
  for (const group of all) {
    if (!/^[0-9a-f]{1,4}$/i.test(group)) return undefined;
    value = value << 16n | BigInt(`0x${group}`);
  }
  return value;
}

function format6(value: bigint): string {
  const groups = Array.from({ length: 8 }, (_, i) => (value >> BigInt(112 - 16 * i) & 0xffffn).toString(16));
  if (value >> 32n === 0xffffn) return `::ffff:${formatIp({ version: 4, value: value & 0xffffffffn })}`;
  let start = -1;
  let longest = 1;
  for (let i = 0; i < 8; i++) {
    let run = 0;
    while (groups[i + run] === "0") run++;
    if (run > longest) [start, longest] = [i, run];
  }
  if (start < 0) return groups.join(":");
  return `${groups.slice(0, start).join(":")}::${groups.slice(start + longest).join(":")}`;
}
