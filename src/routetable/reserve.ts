/**
 * Addresses claimed in advance: an ADD that finds one that has been spread for a whole window need not wait.
 *
 * The routes of such claims have a metric above every routing daemon's, so that one exact look-up finds a competitor first. A reserved
 * address is answered for on the broadcast domain by this node, so that whoever probes for it hears that it is in use.
 */
import { EADDRNOTAVAIL, EEXIST, ENODEV, ESRCH, failedWith } from "../errno.ts";
import { bits, formatIp, hostPrefix, type Ip, type IpVersion, parseIp, sameIp } from "../ip.ts";
import type { Request } from "../netlink/message.ts";
import { addAddress, addRoute, deleteAddress, deleteRoute, localRoute, type Rtnetlink } from "../netlink/rtnetlink.ts";
import type { Store, World } from "../world.ts";
import { claimRoute } from "./route.ts";
import type { Device } from "./ask.ts";

/** Milliseconds after which a reservation that is still not ready was left by a process that died. */
const STALE = 120_000;

export interface Reservation {
  ip: string;
  device: string;
  /** Another device of the same name is another device. */
  index: number;
  protocol: number;
  metric: number;
  /** Milliseconds since boot at which its route was installed. */
  since: number;
  /** The window is over, and it is ours. */
  ready: boolean;
}

const FOLDER = "reserved";

export interface Place {
  world: World;
  kernel: Rtnetlink;
  device: Device;
  protocol: number;
  /** Of the claims' routes: above every routing daemon's. */
  metric: number;
}

/** All reservations of this machine, also those that are not ready. */
export function listReservations(store: Store): Reservation[] {
  return store.list(FOLDER).flatMap((name) => {
    const content = store.read(`${FOLDER}/${name}`);
    return content === undefined ? [] : [JSON.parse(content) as Reservation];
  });
}

/** The reservations of one device and family; what a dead process or an earlier device of the name left is cleared away. */
export function reservations(place: Place, version: IpVersion): Reservation[] {
  const { world, device } = place;
  return listReservations(world.store).filter((one) => {
    if (one.device !== device.name) return false;
    const gone = one.index !== device.index || (!one.ready && world.uptime() - one.since > STALE);
    if (gone) drop(place, one);
    return !gone && one.metric === place.metric && parseIp(one.ip)?.version === version;
  });
}

/** Remembers a reservation whose route is about to be installed; `ready` once its window is over. */
export function writeReservation({ world, device, protocol, metric }: Place, ip: Ip, ready: boolean): void {
  const name = `${FOLDER}/${fileName(device.name, ip)}`;
  const earlier = world.store.read(name);
  const since = earlier === undefined ? world.uptime() : (JSON.parse(earlier) as Reservation).since;
  const record: Reservation = {
    ip: formatIp(ip),
    device: device.name,
    index: device.index,
    protocol,
    metric,
    since,
    ready,
  };
  world.store.write(name, JSON.stringify(record));
}

export function forgetReservation({ world, device }: Place, ip: Ip): boolean {
  return world.store.remove(`${FOLDER}/${fileName(device.name, ip)}`);
}

function fileName(device: string, ip: Ip): string {
  return `${device}@${formatIp(ip)}`;
}

/** Makes this node answer for a reserved address: as a local route (IPv4) or an address without a prefix route (IPv6). */
export function defend({ kernel, device }: Place, ip: Ip): void {
  attempt(
    kernel,
    ip.version === 4
      ? addRoute(localRoute(ip, device.index))
      : addAddress(device.index, hostPrefix(ip), device.name, true),
    EEXIST,
  );
}

function undefend({ kernel, device }: Place, ip: Ip): void {
  const request = ip.version === 4
    ? deleteRoute(localRoute(ip, device.index))
    : deleteAddress(device.index, hostPrefix(ip), device.name);
  attempt(kernel, request, ESRCH, ENODEV, EADDRNOTAVAIL);
}

function attempt(kernel: Rtnetlink, request: Request, ...expected: number[]): void {
  try {
    kernel.execute(request);
  } catch (error) {
    if (!failedWith(error, ...expected)) throw error;
  }
}

/**
 * Takes a reservation for a claim, without waiting; undefined when somebody was quicker or the address is not ours alone. Its route
 * stays as it is: FRR can lose a route whose metric changes. `remember` is called first, `forget` when nothing came of it.
 */
export function takeReservation(
  place: Place,
  reservation: Reservation,
  { remember, forget }: { remember(ip: Ip): void; forget(ip: Ip): void },
): Ip | undefined {
  const ip = parseIp(reservation.ip);
  if (ip === undefined) return undefined;
  remember(ip);
  // Removing the file is the take: of two processes one succeeds.
  if (forgetReservation(place, ip)) {
    undefend(place, ip);
    if (isOursAlone(place, ip)) return ip;
    withdrawReserved(place, ip);
  }
  forget(ip);
  return undefined;
}

/** One exact look-up: a competitor's route would be found before ours. */
function isOursAlone({ kernel, device, metric }: Place, ip: Ip): boolean {
  const found = kernel.lookup(ip);
  return found?.length === bits(ip.version) && found.oif === device.index && found.priority === metric;
}

function withdrawReserved({ kernel, device, protocol, metric }: Place, ip: Ip): void {
  attempt(kernel, deleteRoute(claimRoute(ip, device.index, protocol, metric)), ESRCH, ENODEV);
}

/** Gives a reservation up. */
export function drop(place: Place, { ip: text, metric }: Reservation): void {
  const ip = parseIp(text);
  if (ip === undefined || !forgetReservation(place, ip)) return;
  undefend(place, ip);
  withdrawReserved({ ...place, metric }, ip);
}

/** Clears what a process left that died while it turned a reservation into a claim. */
export function clearReserved(place: Place, ip: Ip): void {
  if (reservations(place, ip.version).some((one) => sameIp(parseIp(one.ip) ?? ip, ip))) return;
  undefend(place, ip);
  withdrawReserved(place, ip);
}

/** Turns a claim that is released into a reservation: its route has spread already. */
export function keepAsReservation(place: Place, ip: Ip): void {
  writeReservation(place, ip, false);
  defend(place, ip);
  writeReservation(place, ip, true);
}
