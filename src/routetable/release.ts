/** Giving claims back. */
import { ENODEV, ESRCH, failedWith } from "../errno.ts";
import { type Ip, parseIp } from "../ip.ts";
import { deleteRoute, type Rtnetlink } from "../netlink/rtnetlink.ts";
import type { World } from "../world.ts";
import { type ClaimRecord, listClaims } from "./records.ts";
import { clearReserved, drop, keepAsReservation, listReservations, type Place, reservations } from "./reserve.ts";
import { claimRoute } from "./route.ts";
import type { Device } from "./ask.ts";

/** Removes a claim's route; one that is gone already is fine. */
export function removeClaim(kernel: Rtnetlink, ip: Ip, oif: number, protocol: number, metric: number): void {
  try {
    kernel.execute(deleteRoute(claimRoute(ip, oif, protocol, metric)));
  } catch (error) {
    if (!failedWith(error, ESRCH, ENODEV)) throw error;
  }
}

/** Removes the routes of a record; with its device they went by themselves. */
export function release(kernel: Rtnetlink, record: ClaimRecord): void {
  const index = kernel.link(record.device)?.index;
  if (index === undefined) return;
  for (const text of record.ips) {
    const ip = parseIp(text);
    if (ip !== undefined) removeClaim(kernel, ip, index, record.protocol, record.metric);
  }
}

/** As release(), for a claim that was never settled: what somebody else's record names is not touched. */
export function releaseCrashed(world: World, kernel: Rtnetlink, record: ClaimRecord): void {
  const others = new Set(
    listClaims(world.store)
      .filter(({ containerId, ifname }) => containerId !== record.containerId || ifname !== record.ifname)
      .flatMap(({ ips }) => ips),
  );
  const ips = record.ips.filter((ip) => !others.has(ip));
  release(kernel, { ...record, ips });
  const device = placeOf(kernel, record.device);
  if (device === undefined) return;
  for (const ip of ips.flatMap((text) => parseIp(text) ?? [])) {
    clearReserved({ world, kernel, device, protocol: record.protocol, metric: record.metric }, ip);
  }
}

/**
 * Releases a settled claim; with `reserve` its addresses fill up the reservations of the device instead.
 * The last claim of a device but its own (the gateway's) takes the reservations with it.
 */
export function releaseOrKeep(
  world: World,
  kernel: Rtnetlink,
  record: ClaimRecord,
  { reserve, routeMetric }: { reserve: number; routeMetric: number },
): void {
  const device = placeOf(kernel, record.device);
  if (device === undefined) return;
  const place: Place = { world, kernel, device, protocol: record.protocol, metric: record.metric };
  const used = listClaims(world.store).some(({ device: on, containerId, ifname }) =>
    on === record.device && ifname !== on && (containerId !== record.containerId || ifname !== record.ifname)
  );
  for (const ip of record.ips.flatMap((text) => parseIp(text) ?? [])) {
    const keep = used && record.metric === routeMetric && record.ifname !== record.device &&
      reservations(place, ip.version).length < reserve;
    if (keep) keepAsReservation(place, ip);
    else removeClaim(kernel, ip, device.index, record.protocol, record.metric);
  }
  if (used) return;
  for (const one of listReservations(world.store)) if (one.device === device.name) drop(place, one);
}

function placeOf(kernel: Rtnetlink, name: string): Device | undefined {
  const link = kernel.link(name);
  return link?.index === undefined ? undefined : { index: link.index, name, mac: link.mac ?? "", probes: false };
}
