/**
 * Addresses claimed in advance: an ADD that finds one that has been spread for a whole window need not wait.
 *
 * The routes of such claims have a metric above every routing daemon's, so that one exact look-up finds a competitor first. A reserved
 * address is answered for on the broadcast domain by this node, so that whoever probes for it hears that it is in use.
 */
import { bits, type Cidr, contains, type Ip, type IpVersion, sameIp } from "../ip.ts";
import type { Kernel } from "../netlink/kernel.ts";
import { create, remove } from "../state/apply.ts";
import { failures } from "../state/failures.ts";
import { reason } from "../text.ts";
import { claimAny, type Claiming } from "./attempt.ts";
import { type Claim, type Claims, defence, isGateway, RESERVED, RESERVING } from "./claims.ts";
import type { ClaimSettings } from "./config.ts";
import type { ClaimDevice } from "./domain.ts";

/** The reservations of one device and family; those of an earlier device of the name are given up. */
function reservations(claims: Claims, device: Pick<ClaimDevice, "name" | "index">, version: IpVersion): Claim[] {
  return claims.of(RESERVED).filter((claim) => {
    if (claim.device !== device.name) return false;
    if (claim.index === device.index) return claim.ip.version === version;
    claims.release(claim);
    return false;
  });
}

/** A claim out of the reservations, without waiting. The one that was asked for is given up when it cannot be taken yet. */
export function takeReservation(claiming: Claiming, prefix: Cidr, asked: Ip | undefined): Claim | undefined {
  const { world, claims, config: { propagationTimeout, routeMetric }, device } = claiming;
  for (const one of reservations(claims, device, prefix.ip.version)) {
    if (!contains(prefix, one.ip) || (asked !== undefined && !sameIp(asked, one.ip))) continue;
    if (one.metric === routeMetric && world.uptime() - one.since >= propagationTimeout) {
      const taken = take(claiming, one);
      if (taken !== undefined) return taken;
    } else if (asked !== undefined) claims.release(one);
  }
  return undefined;
}

/** Undefined when somebody was quicker or the address is not ours alone. Its route stays as it is: FRR can lose a route whose metric changes. */
function take({ kernel, claims, owner }: Claiming, reservation: Claim): Claim | undefined {
  const claim = claims.handOver(reservation, owner);
  if (claim === undefined) return undefined;
  remove({ node: kernel }, [defence(claim)]);
  if (isOursAlone(kernel, claim)) return claim;
  claims.release(claim);
  return undefined;
}

/** One exact look-up: a competitor's route would be found before ours. */
function isOursAlone(kernel: Kernel, { ip, index, metric }: Claim): boolean {
  const found = kernel.lookup(ip);
  return found?.length === bits(ip.version) && found.oif === index && found.priority === metric;
}

/** Claims addresses in advance up to `reserve`; that it cannot is no failure of the ADD. */
export async function fillReservations(claiming: Claiming, prefix: Cidr): Promise<void> {
  const { world, store, claims, config: { reserve }, device } = claiming;
  const { version } = prefix.ip;
  if (reserve === 0) return;
  const tell = (error: unknown) => world.log?.(`reservation in advance: ${reason(error)}`);
  try {
    // One at a time fills up: ADDs that come together would each see the same gap.
    using lock = store.tryLock(lockOf(device.name, version), true);
    if (lock === undefined) return;
    releaseSpreading(claims, device.name, version);
    const missing = reserve - reservations(claims, device, version).length;
    const claimed = Array.from({ length: Math.max(0, missing) }, async () => {
      keepReserved(claiming, await claimAny({ ...claiming, owner: RESERVING }, prefix));
    });
    for (const one of await Promise.allSettled(claimed)) if (one.status === "rejected") tell(one.reason);
  } catch (error) {
    tell(error);
  }
}

/** With the lock in hand: what still spreads was left by a process that died. */
function releaseSpreading(claims: Claims, device: string, version: IpVersion): void {
  for (const claim of claims.of(RESERVING)) {
    if (claim.device === device && claim.ip.version === version) claims.release(claim);
  }
}

/** Makes a claim a reservation: this node answers for it from now on. */
function keepReserved({ kernel, claims }: Pick<Claiming, "kernel" | "claims">, claim: Claim): void {
  try {
    create({ node: kernel }, [defence(claim)], new AsyncDisposableStack());
    claims.handOver(claim, RESERVED);
  } catch (error) {
    claims.release(claim, true);
    throw error;
  }
}

/** Gives claims back: with `reserve` they fill up the reservations, whose routes have spread already. The last claim of a device but its own (the gateway's) takes the reservations with it. Goes on after an error and throws all of them at the end. */
export function giveBack(
  { kernel, store, claims }: Pick<Claiming, "kernel" | "store" | "claims">,
  given: readonly Claim[],
  { reserve, routeMetric }: ClaimSettings,
): void {
  const owners = new Set(given.map(({ owner }) => owner));
  const devices = new Map(given.map(({ device: name, index }) => [name, { name, index }]));
  const failed = failures();
  for (const device of devices.values()) {
    const isUsed = hasOthers(claims, device.name, owners);
    for (const claim of given.filter((one) => one.device === device.name)) {
      failed.attempt(() => {
        const keep = isUsed && claims.owns(claim) && claim.metric === routeMetric && !isGateway(claim.owner) &&
          reservations(claims, device, claim.ip.version).length < reserve && kernel.link(claim.index) !== undefined;
        if (keep) keepReserved({ kernel, claims }, claim);
        else claims.release(claim);
      });
    }
    if (isUsed) continue;
    for (const one of claims.of(RESERVED)) if (one.device === device.name) failed.attempt(() => claims.release(one));
    for (const version of [4, 6] as const) {
      using lock = store.tryLock(lockOf(device.name, version), false);
      if (lock === undefined) continue;
      failed.attempt(() => releaseSpreading(claims, device.name, version));
      store.remove(lockOf(device.name, version));
    }
  }
  failed.end();
}

/** Held by whoever fills up the reservations of a device. */
function lockOf(device: string, version: IpVersion): string {
  return `lock/reserve:${device}.${version}`;
}

/** Whether another attachment holds an address on the device. */
function hasOthers(claims: Claims, device: string, owners: ReadonlySet<string>): boolean {
  return claims.records.folders().some((owner) =>
    owner.includes("@") && !owners.has(owner) &&
    claims.records.list(owner).some((name) => name.startsWith(`${device}@`))
  );
}
