/** Which addresses of a prefix are free: asked of the kernel by exact look-ups, so that the cost does not grow with the cluster. */
import { bits, type Cidr, type Ip } from "../ip.ts";
import type { Kernel } from "../netlink/kernel.ts";
import { RT_TABLE_MAIN } from "../netlink/route.ts";
import type { Node } from "../state/node.ts";
import type { World } from "../world.ts";
import { openClaims } from "./claims.ts";

export interface Pool {
  prefix: Cidr;
  excludeFirst: number;
  excludeLast: number;
}

/** Random picks before all addresses are looked at. */
const PICKS = 8;
/** Up to this many addresses are looked up one by one: quicker than to read a whole routing table. */
const SMALL = 4096n;

/**
 * The addresses of a prefix that may be given out, first and last: not the network id, not the broadcast (IPv4), not the excluded ones.
 * Point-to-point prefixes (/31, /127) and single addresses have neither network id nor broadcast (RFC 3021, RFC 6164).
 */
export function range({ prefix: { ip, length }, excludeFirst, excludeLast }: Pool): { first: bigint; last: bigint } {
  const host = bits(ip.version) - length;
  const top = ip.value + (1n << BigInt(host)) - 1n;
  const first = ip.value + (host > 1 ? 1n : 0n) + BigInt(excludeFirst);
  const last = top - (host > 1 && ip.version === 4 ? 1n : 0n) - BigInt(excludeLast);
  return { first, last };
}

/** Whether a host route (or an address of this node) stands for exactly this address, or somebody on this node holds it. */
export function isTaken(node: Node, ip: Ip): boolean {
  return hasHostRoute(node.kernel, ip) || openClaims(node).isHeld(ip);
}

function hasHostRoute(kernel: Kernel, ip: Ip): boolean {
  return kernel.lookup(ip)?.length === bits(ip.version);
}

/** A free address by chance, or how many addresses there are when all are taken. `avoid` are not to be drawn. */
export function pick(node: Node, pool: Pool, avoid: ReadonlySet<bigint>): Ip | { exhausted: bigint } {
  const { version } = pool.prefix.ip;
  const { first, last } = range(pool);
  const size = last - first + 1n;
  if (size < 1n) return { exhausted: 0n };
  for (let draw = 0; draw < PICKS; draw++) {
    const ip: Ip = { version, value: first + random(node.world, size) };
    if (!avoid.has(ip.value) && !isTaken(node, ip)) return ip;
  }
  const free = size <= SMALL ? freeSmall(node, pool) : freeLarge(node, pool);
  const left = free.filter((value) => !avoid.has(value));
  const value = left[Number(random(node.world, BigInt(Math.max(1, left.length))))];
  return value === undefined ? { exhausted: size } : { version, value };
}

/** A number from 0 to `size` - 1, each as likely as the others but for one part in 2^64 (cryptographic randomness). */
function random(world: World, size: bigint): bigint {
  const bytes = world.random(24);
  let value = 0n;
  for (const byte of bytes) value = value << 8n | BigInt(byte);
  return value % size;
}

function freeSmall(node: Node, pool: Pool): bigint[] {
  const { version } = pool.prefix.ip;
  const { first, last } = range(pool);
  const out: bigint[] = [];
  for (let value = first; value <= last; value++) if (!isTaken(node, { version, value })) out.push(value);
  return out;
}

/** Reads the main table once. Of a pool too large to be listed, the first free ones. */
function freeLarge(node: Node, pool: Pool): bigint[] {
  const { version } = pool.prefix.ip;
  const { first, last } = range(pool);
  const taken = hostRoutes(node.kernel, pool);
  const claims = openClaims(node);
  const out: bigint[] = [];
  for (let value = first; value <= last && out.length < Number(SMALL); value++) {
    if (!taken.has(value) && !claims.isHeld({ version, value })) out.push(value);
  }
  return out;
}

function hostRoutes(kernel: Kernel, pool: Pool): Set<bigint> {
  const { version } = pool.prefix.ip;
  const { first, last } = range(pool);
  const hosts = kernel.routes(version, { table: RT_TABLE_MAIN }).flatMap(({ to, length }) =>
    to !== undefined && length === bits(version) && to.value >= first && to.value <= last ? [to.value] : []
  );
  return new Set(hosts);
}

/** How many addresses of a pool are taken, and how many there are; large pools are counted by the routing table. */
export function usage(node: Node, pool: Pool): { taken: bigint; size: bigint } {
  const { first, last } = range(pool);
  const size = last < first ? 0n : last - first + 1n;
  if (size <= SMALL) return { size, taken: size - BigInt(freeSmall(node, pool).length) };
  return { size, taken: BigInt(hostRoutes(node.kernel, pool).size) };
}
