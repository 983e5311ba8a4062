/** What is to be claimed, and where: from the hand-off of `vxlan`, also of the original one, or from the `ipam` section. */
import * as z from "zod/mini";
import { decodeHandoff } from "../cni/handoff.ts";
import type { Invocation } from "../cni/invocation.ts";
import { requestedIps } from "../cni/request.ts";
import type { ResultRoute } from "../cni/result.ts";
import { boolean, cidr, invalid, ip, parse, string, whole } from "../cni/schema.ts";
import { type Cidr, formatCidr, formatIp, type Ip, prefixOf, sameIp } from "../ip.ts";
import { range } from "./pool.ts";

export interface ClaimConfig extends ClaimSettings {
  /** At most one of each family, host bits zero. */
  prefixes: readonly Cidr[];
  excludeFirst: number;
  excludeLast: number;
  /** The device that host routes point to: a name or an index. */
  device: string | number | undefined;
  requested: readonly Ip[];
  /** Not to be drawn: another request asks for them at the same time. */
  avoid: readonly Ip[];
  /** The claim is for the node's own address. */
  isGateway: boolean;
  /** Milliseconds that a claim needs to spread; 0: nobody to spread to. */
  propagationTimeout: number;
  probe: boolean;
  routes: ResultRoute[];
  /** To be named in the result; the plugin claims none of its own accord. */
  gateway: Ip | undefined;
}

/** What of an `ipam` section concerns the routing daemon. */
export interface ClaimSettings {
  routeProtocol: number;
  /** 0: the kernel's default. */
  routeMetric: number;
  /** Addresses to keep claimed in advance. */
  reserve: number;
}

/** The highest metric that a recipe for a routing daemon gives the routes that it installs (src/recipes/bird.ts). */
const DAEMON_METRIC = 4096;
/** The metric of claims where some are reserved: below 2^24, because FRR takes the top byte for a distance. */
const RESERVE_METRIC = 0xfffffe;

const U32 = 4294967295;

const schema = z.looseObject({
  cidr: z.optional(cidr()),
  subnet: z.optional(cidr()),
  cidrs: z.optional(z.array(cidr(), "a list of prefixes")),
  device: z.optional(string("the name of a network device")),
  excludeFirst: z._default(whole(0, 2 ** 31), 0),
  excludeLast: z._default(whole(0, 2 ** 31), 0),
  gateway: z.optional(ip()),
  propagationTimeout: z._default(whole(0, 60000), 250),
  // 1 to 3 are redirect, kernel and boot: the kernel's own.
  routeProtocol: z._default(whole(4, 255), 192),
  routeMetric: z._default(whole(0, U32), 0),
  probe: z._default(boolean(), true),
  reserve: z._default(whole(0, 1000), 0),
  routes: z._default(
    z.array(z.looseObject({ dst: string("a prefix"), gw: z.optional(string("an IP address")) }), "a list of routes"),
    [],
  ),
});

/** Reads the claim's configuration; throws CniError (4, 7). */
export function readClaimConfig(invocation: Invocation): ClaimConfig {
  const { args, config: { raw } } = invocation;
  const ipam = parse(schema, raw.ipam ?? {}, ["ipam"]);
  const handoff = decodeHandoff(args);
  const prefixes = handoff.prefixes ?? ipamPrefixes(ipam);
  if (prefixes.length === 0) throw invalid(["ipam", "subnet"], "a prefix like 10.1.0.0/24", undefined);
  if (new Set(prefixes.map(({ ip }) => ip.version)).size !== prefixes.length) {
    throw invalid(["ipam", "cidrs"], "at most one prefix of each family", prefixes.map(formatCidr));
  }
  const requested = requestedIps(invocation, prefixes);
  for (const asked of requested) checkUsable(prefixes, asked);
  const { propagationTimeout, probe, routes, gateway } = ipam;
  return {
    ...settingsOf(ipam),
    ...{ prefixes, requested, propagationTimeout, probe, routes, gateway },
    excludeFirst: handoff.excludeFirst ?? ipam.excludeFirst,
    excludeLast: handoff.excludeLast ?? ipam.excludeLast,
    device: handoff.linkIndex ?? ipam.device ?? (typeof raw.master === "string" ? raw.master : undefined),
    avoid: handoff.avoid ?? [],
    isGateway: handoff.gateway === true,
  };
}

/** Throws CniError (7). */
export function readClaimSettings(ipam: unknown): ClaimSettings {
  return settingsOf(parse(schema, ipam, ["ipam"]));
}

function settingsOf(ipam: z.output<typeof schema>): ClaimSettings {
  return { routeProtocol: ipam.routeProtocol, routeMetric: effectiveMetric(ipam), reserve: ipam.reserve };
}

/** Claims that can be reserved need a metric above the routing daemon's, so that a competitor's route is found before ours. */
function effectiveMetric({ routeMetric, reserve }: z.output<typeof schema>): number {
  if (routeMetric === 0) return reserve === 0 ? 0 : RESERVE_METRIC;
  if (reserve === 0 || routeMetric > DAEMON_METRIC) return routeMetric;
  throw invalid(["ipam", "routeMetric"], `more than ${DAEMON_METRIC}, because reserve is given`, routeMetric);
}

function ipamPrefixes({ cidr, subnet, cidrs = [] }: z.output<typeof schema>): Cidr[] {
  return [cidr, subnet, ...cidrs].filter((prefix) => prefix !== undefined).map(prefixOf);
}

/** A requested address may be an excluded one (that is what they are kept for), but never the network id or the broadcast. */
function checkUsable(prefixes: readonly Cidr[], asked: Ip): void {
  for (const prefix of prefixes) {
    const { first, last } = range({ prefix, excludeFirst: 0, excludeLast: 0 });
    if (prefix.ip.version !== asked.version || (asked.value >= first && asked.value <= last)) continue;
    const what = sameIp(asked, prefix.ip) ? "network id" : "broadcast address";
    throw invalid(
      "requested address",
      `an address that a host of ${formatCidr(prefix)} can have`,
      `${formatIp(asked)}, its ${what}`,
    );
  }
}
