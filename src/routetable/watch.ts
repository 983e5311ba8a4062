/** Listens to route changes and to the broadcast domain while a claim spreads, and lets the judge decide. */
import { ENOBUFS, failedWith } from "../errno.ts";
import { bits, type Ip, sameIp } from "../ip.ts";
import { routeEvents, RTNLGRP_ROUTE } from "../netlink/route.ts";
import type { Node } from "../state/node.ts";
import type { Socket } from "../world.ts";
import { type ClaimDevice, drain, openDomain } from "./domain.ts";
import { beginContest, decide, judge, type Seen } from "./judge.ts";

/** Milliseconds between two looks at the signals that came: waiting for datagrams does not end by them. */
const GLANCE = 200;

interface Watch extends Disposable {
  /** Waits the window out; returns why the address cannot be kept, or undefined when it is ours. The route must have been installed after the watch began. */
  verdict(timeout: number): Promise<string | undefined>;
}

/** Begins to listen for everything that concerns one address; before its route is installed. */
export function watch(node: Node, device: ClaimDevice, ip: Ip): Watch {
  const { world, kernel } = node;
  const events = kernel.netns.events([RTNLGRP_ROUTE[ip.version]]);
  const domain = device.probes ? openDomain(node, device, ip) : undefined;
  return {
    async verdict(timeout) {
      let contest = beginContest({ mac: device.mac, probes: domain !== undefined, start: world.now(), timeout });
      for (;;) {
        const said = domain?.hear().map(({ kind, mac }): Seen => ({ what: kind, mac })) ?? [];
        for (const seen of [...routesSeen(events, device, ip), ...said]) contest = judge(contest, seen, world.now());
        const decision = decide(contest, world.now());
        contest = decision.contest;
        if (decision.probe) domain?.probe();
        if (decision.verdict === "ours") return undefined;
        if (decision.verdict !== undefined) return decision.verdict.lost;
        world.interrupted.throwIfAborted();
        await world.readable(
          domain === undefined ? [events] : [events, domain.socket],
          Math.min(decision.wait, GLANCE),
        );
      }
    },
    [Symbol.dispose]() {
      events[Symbol.dispose]();
      domain?.[Symbol.dispose]();
    },
  };
}

/** Changes of others' routes to the address. */
function routesSeen(events: Socket, device: ClaimDevice, ip: Ip): Seen[] {
  try {
    return drain(events).flatMap((datagram) => routeEvents(datagram)).flatMap(({ added, route }): Seen[] => {
      const isExact = route.to !== undefined && route.length === bits(ip.version) && sameIp(route.to, ip);
      const key = `${route.table}/${route.priority ?? 0}/${route.protocol}`;
      return isExact && route.oif !== device.index ? [{ what: "route", added, key }] : [];
    });
  } catch (error) {
    if (failedWith(error, ENOBUFS)) return [{ what: "missed" }];
    throw error;
  }
}
