/** Which addresses of a prefix are free: asked of the kernel by exact look-ups, so that the cost does not grow with the cluster. */
import { bits, type Cidr, hostPrefix, type Ip } from "../ip.ts";
import { RT_TABLE_MAIN, type Rtnetlink } from "../netlink/rtnetlink.ts";
import type { World } from "../world.ts";
import { range } from "./config.ts";

export interface Pool {
  prefix: Cidr;
  excludeFirst: number;
  excludeLast: number;
}

/** Random picks before all addresses are looked at. */
const PICKS = 8;
/** Up to this many addresses are looked up one by one: quicker than to read a whole routing table. */
const SMALL = 4096n;

/** Whether a host route (or an address of this node) stands for exactly this address. */
export function isTaken(kernel: Rtnetlink, ip: Ip): boolean {
  return kernel.lookup(ip)?.length === bits(ip.version);
}

/** A free address by chance, or how many addresses there are when all are taken. `avoid` are not to be drawn again. */
export function pick(
  world: World,
  kernel: Rtnetlink,
  pool: Pool,
  avoid: ReadonlySet<bigint>,
): Ip | { exhausted: bigint } {
  const { version } = pool.prefix.ip;
  const { first, last } = range(pool.prefix, pool.excludeFirst, pool.excludeLast);
  const size = last - first + 1n;
  if (size < 1n) return { exhausted: 0n };
  for (let draw = 0; draw < PICKS; draw++) {
    const ip: Ip = { version, value: first + random(world, size) };
    if (!avoid.has(ip.value) && !isTaken(kernel, ip)) return ip;
  }
  const free = size <= SMALL ? freeSmall(kernel, version, first, last) : freeLarge(kernel, pool.prefix, first, last);
  const left = free.filter((value) => !avoid.has(value));
  const value = left[Number(random(world, BigInt(Math.max(1, left.length))))];
  return value === undefined ? { exhausted: size } : { version, value };
}

/** A number from 0 to `size` - 1, each as likely as the others but for one part in 2^64 (cryptographic randomness). */
export function random(world: World, size: bigint): bigint {
  const bytes = world.random(24);
  let value = 0n;
  for (const byte of bytes) value = value << 8n | BigInt(byte);
  return value % size;
}

function freeSmall(kernel: Rtnetlink, version: 4 | 6, first: bigint, last: bigint): bigint[] {
  const out: bigint[] = [];
  for (let value = first; value <= last; value++) if (!isTaken(kernel, { version, value })) out.push(value);
  return out;
}

/** Reads the main table once. Of a pool too large to be listed, neighbours of taken addresses are looked at. */
function freeLarge(kernel: Rtnetlink, prefix: Cidr, first: bigint, last: bigint): bigint[] {
  const { version } = prefix.ip;
  const taken = new Set<bigint>();
  for (const { to, length } of kernel.routes(version, { table: RT_TABLE_MAIN })) {
    if (to !== undefined && length === bits(version) && to.value >= first && to.value <= last) taken.add(to.value);
  }
  const out: bigint[] = [];
  for (let value = first; value <= last && out.length < Number(SMALL); value++) if (!taken.has(value)) out.push(value);
  return out;
}

/** How many addresses of a pool are taken, and how many there are; large pools are counted by the routing table. */
export function usage(kernel: Rtnetlink, { prefix, excludeFirst, excludeLast }: Pool): { taken: bigint; size: bigint } {
  const { first, last } = range(prefix, excludeFirst, excludeLast);
  const size = last < first ? 0n : last - first + 1n;
  const { version } = prefix.ip;
  if (size <= SMALL) return { size, taken: size - BigInt(freeSmall(kernel, version, first, last).length) };
  const hosts = kernel.routes(version, { table: RT_TABLE_MAIN }).filter(({ to, length }) =>
    to !== undefined && length === hostPrefix(to).length && to.value >= first && to.value <= last
  );
  return { size, taken: BigInt(new Set(hosts.map(({ to }) => to?.value)).size) };
}
