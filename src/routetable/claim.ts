/** Claiming an address: a host route in the kernel's table is the claim, the routing daemon spreads it. */
import { CniError, Code } from "../cni/error.ts";
import { EEXIST, failedWith } from "../errno.ts";
import { type Cidr, contains, formatCidr, formatIp, hostPrefix, type Ip, parseIp, sameIp } from "../ip.ts";
import { addRoute, RT_TABLE_LOCAL, type Rtnetlink } from "../netlink/rtnetlink.ts";
import type { Netns, World } from "../world.ts";
import type { Device } from "./ask.ts";
import type { ClaimConfig } from "./config.ts";
import { isTaken, pick, type Pool } from "./pool.ts";
import { removeClaim } from "./release.ts";
import {
  defend,
  drop,
  forgetReservation,
  type Place,
  reservations,
  takeReservation,
  writeReservation,
} from "./reserve.ts";
import { claimRoute } from "./route.ts";
import { type Verdict, watch } from "./window.ts";

export interface Claimant {
  world: World;
  kernel: Rtnetlink;
  host: Netns;
  device: Device;
  config: ClaimConfig;
  /** Called before a route is installed, so that a crash leaves nothing that nobody knows of. */
  remember(ip: Ip): void;
  forget(ip: Ip): void;
}

/** Claims an address of each prefix, all in the same window, and what is missing of the reservations with them. On failure nothing stays claimed. */
export async function claimAll(claimant: Claimant): Promise<Cidr[]> {
  const { config: { prefixes, requested } } = claimant;
  const ready = prefixes.map((prefix) => {
    const asked = requested.find(({ version }) => version === prefix.ip.version);
    return { prefix, asked, ip: takeReady(claimant, prefix, asked) };
  });
  const claiming = Promise.allSettled(ready.map(async ({ prefix, asked, ip }): Promise<Cidr> => ({
    ip: ip ?? await (asked === undefined ? claimAny(claimant, prefix) : claimThis(claimant, asked)),
    length: prefix.length,
  })));
  // What is needed now comes first: the last addresses of a prefix are for the container, and for the gateway that is claimed beside it.
  await Promise.resolve();
  // Only who waits anyway fills up the reservations.
  await Promise.all(ready.filter(({ ip }) => ip === undefined).map(({ prefix }) => reserveMissing(claimant, prefix)));
  const settled = await claiming;
  const failed = settled.find((one) => one.status === "rejected");
  const held = settled.flatMap((one) => one.status === "fulfilled" ? [one.value] : []);
  if (failed === undefined) return held;
  for (const { ip } of held) withdraw(claimant, ip);
  throw failed.reason;
}

function placeOf({ world, kernel, device, config }: Claimant): Place {
  return { world, kernel, device, protocol: config.routeProtocol, metric: config.routeMetric };
}

/** An address that was claimed in advance, at least a window ago. The one that was asked for is given up when it cannot be taken yet. */
function takeReady(claimant: Claimant, prefix: Cidr, asked: Ip | undefined): Ip | undefined {
  const place = placeOf(claimant);
  const { world, config: { propagationTimeout } } = claimant;
  for (const one of reservations(place, prefix.ip.version)) {
    const ip = parseIp(one.ip);
    if (ip === undefined || !contains(prefix, ip) || (asked !== undefined && !sameIp(asked, ip))) continue;
    if (one.ready && world.uptime() - one.since >= propagationTimeout) {
      const taken = takeReservation(place, one, claimant);
      if (taken !== undefined) return taken;
    } else if (asked !== undefined) drop(place, one);
  }
  return undefined;
}

/** Claims addresses in advance up to `reserve`; that none is left is no failure of the ADD. */
async function reserveMissing(claimant: Claimant, prefix: Cidr): Promise<void> {
  const place = placeOf(claimant);
  if (claimant.config.reserve === 0) return;
  // One at a time fills up: ADDs that come together would each see the same gap.
  const { device, world } = claimant;
  using lock = world.store.tryLock(`lock/reserve/${device.name}.${prefix.ip.version}`, true);
  if (lock === undefined) return;
  const missing = claimant.config.reserve - reservations(place, prefix.ip.version).length;
  const reserving: Claimant = {
    ...claimant,
    remember: (ip) => writeReservation(place, ip, false),
    forget: (ip) => void forgetReservation(place, ip),
  };
  await Promise.all(Array.from({ length: Math.max(0, missing) }, async () => {
    try {
      const ip = await claimAny(reserving, prefix);
      defend(place, ip);
      writeReservation(place, ip, true);
    } catch (error) {
      world.log(`reserve: ${error instanceof Error ? error.message : error}`);
    }
  }));
}

/** Claims the very address that was asked for; throws CniError (101) when somebody has it. */
async function claimThis(claimant: Claimant, ip: Ip): Promise<Ip> {
  const reason = await attempt(claimant, ip);
  if (reason === undefined) return ip;
  throw new CniError(
    Code.addressTaken,
    `Cannot claim address ${formatIp(ip)}: ${reason}; ask for another one or for none`,
  );
}

/** Claims any free address; throws CniError (102) when there is none. */
async function claimAny(claimant: Claimant, prefix: Cidr): Promise<Ip> {
  const { world, kernel, config: { excludeFirst, excludeLast } } = claimant;
  const pool: Pool = { prefix, excludeFirst, excludeLast };
  const lost = new Set<bigint>();
  for (;;) {
    const ip = pick(world, kernel, pool, lost);
    if ("exhausted" in ip) throw exhausted(pool, ip.exhausted);
    if (await attempt(claimant, ip) === undefined) return ip;
    lost.add(ip.value);
  }
}

function exhausted({ prefix, excludeFirst, excludeLast }: Pool, size: bigint): CniError {
  const text = formatCidr(prefix);
  const excluded = excludeFirst + excludeLast === 0
    ? ""
    : ` (${excludeFirst} excluded at its start, ${excludeLast} at its end)`;
  return new CniError(
    Code.exhausted,
    `Cannot claim an address in ${text}: all ${size} are taken${excluded}; release some or use a larger prefix`,
  );
}

/** Installs the route and waits the window out; undefined: the address is ours. */
async function attempt(claimant: Claimant, ip: Ip): Promise<Verdict> {
  const { world, host, kernel, device, config } = claimant;
  const { propagationTimeout, routeProtocol, routeMetric } = config;
  using listening = propagationTimeout === 0 ? undefined : watch(world, host, device, ip);
  // Looked at again now that nothing can come unheard.
  if (isTaken(kernel, ip)) return "a host route leads to it";
  claimant.remember(ip);
  try {
    kernel.execute(addRoute(claimRoute(ip, device.index, routeProtocol, routeMetric)));
  } catch (error) {
    claimant.forget(ip);
    if (failedWith(error, EEXIST)) return "another container of this node has claimed it";
    throw error;
  }
  try {
    const reason = await listening?.verdict(propagationTimeout) ?? stillOurs(kernel, device, ip);
    if (reason !== undefined) withdraw(claimant, ip);
    return reason;
  } catch (error) {
    withdraw(claimant, ip);
    throw error;
  }
}

/** One last look: the route that the kernel would use is the one that we installed. */
function stillOurs(kernel: Rtnetlink, device: Device, ip: Ip): Verdict {
  const found = kernel.lookup(ip);
  if (found?.length !== hostPrefix(ip).length) return `its route was removed by somebody else`;
  return found.oif === device.index || found.table === RT_TABLE_LOCAL
    ? undefined
    : "a route of another node leads to it";
}

function withdraw({ kernel, device, config, forget }: Claimant, ip: Ip): void {
  removeClaim(kernel, ip, device.index, config.routeProtocol, config.routeMetric);
  forget(ip);
}
