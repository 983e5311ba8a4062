/**
 * The window in which a claim spreads: listens to route changes and to the broadcast domain, and says who keeps the address.
 *
 * A route of another node's may belong to somebody who has the address, or to somebody who claims it at this very moment. Claimants
 * hear each other's probes; of two, the one with the lower hardware address of its device keeps the claim, and both sides compare the same two values.
 */
import { ENOBUFS, failedWith } from "../errno.ts";
import { bits, type Ip, sameIp } from "../ip.ts";
import { mac as macCodec } from "../netlink/codec.ts";
import type { RouteMessage } from "../netlink/format.ts";
import { routeEvents, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE } from "../netlink/rtnetlink.ts";
import type { Netns, World } from "../world.ts";
import { converse, type Device, drain } from "./ask.ts";

/** Why an address cannot be kept; undefined: it is ours. */
export type Verdict = string | undefined;

/** Probes in one window. */
const PROBES = 3;
/** Milliseconds in which the owner of a foreign route may show itself as a claimant. */
const GRACE = 40;
/** Milliseconds beyond the window in which the route of a claimant that gave up may still be there: BIRD's OSPF was seen to need 3 s (docs/routing.md). */
const LINGER = 5000;
/** Milliseconds between two looks at the signals that came: waiting for datagrams does not end by them. */
const GLANCE = 200;

export interface Watch extends Disposable {
  /** Waits the window out; the route must have been installed after the watch began. */
  verdict(timeout: number): Promise<Verdict>;
}

/** Begins to listen for everything that concerns one address; before its route is installed. */
export function watch(world: World, host: Netns, device: Device, ip: Ip): Watch {
  const events = host.netlink([ip.version === 4 ? RTNLGRP_IPV4_ROUTE : RTNLGRP_IPV6_ROUTE]);
  const domain = device.probes ? converse(host, device, ip) : undefined;
  const foreign = new Map<string, RouteMessage>();
  let beaten = 0;
  let lost: Verdict;
  let graceEnd: number | undefined;

  function hearRoutes(): void {
    for (const { added, route } of readEvents().flatMap(routeEvents)) {
      if (route.to === undefined || route.length !== bits(ip.version) || !sameIp(route.to, ip)) continue;
      if (route.oif === device.index) continue;
      const key = `${route.table}/${route.priority ?? 0}/${route.protocol}`;
      if (!added) foreign.delete(key);
      else foreign.set(key, route);
      // Gone or not: somebody else had it a moment ago.
      if (beaten === 0 && graceEnd === undefined) {
        graceEnd = world.now() + (domain === undefined ? 0 : GRACE);
        domain?.probe();
      }
    }
  }

  /** Changes that the kernel had to drop may have been about our address. */
  function readEvents(): Uint8Array[] {
    try {
      return drain(events);
    } catch (error) {
      if (!failedWith(error, ENOBUFS)) throw error;
      lost = "routes changed faster than they could be watched";
      return [];
    }
  }

  function hearDomain(): void {
    for (const { kind, mac } of domain?.hear() ?? []) {
      const other = macCodec.decode(mac);
      if (kind === "use") lost = `it is in use by ${other}`;
      else if (device.mac < other) beaten++;
      else lost ??= `${other} claims it at the same time`;
      // The other side must hear of us, whoever wins.
      if (kind === "probe") domain?.probe();
    }
  }

  return {
    async verdict(timeout) {
      const start = world.now();
      const sockets = [events, ...(domain === undefined ? [] : [domain.socket])];
      let sent = 0;
      for (;;) {
        const elapsed = world.now() - start;
        if (sent < PROBES && elapsed >= sent * timeout / PROBES) {
          domain?.probe();
          sent++;
        }
        hearRoutes();
        hearDomain();
        if (lost !== undefined) return lost;
        world.interrupted.throwIfAborted();
        const graced = graceEnd === undefined || beaten > 0 ? Infinity : graceEnd;
        if (world.now() >= graced) return "a route of another node leads to it";
        const left = timeout - elapsed;
        if (left <= 0 && graced === Infinity) {
          if (foreign.size === 0) return undefined;
          if (left < -LINGER) return "a route of another node leads to it, and stays";
        }
        const next = sent < PROBES ? sent * timeout / PROBES - elapsed : Infinity;
        const wait = Math.min(left > 0 ? left : LINGER + left, next, graced - world.now(), GLANCE);
        await world.readable(sockets, Math.max(1, wait));
      }
    },
    [Symbol.dispose]() {
      events[Symbol.dispose]();
      domain?.[Symbol.dispose]();
    },
  };
}
