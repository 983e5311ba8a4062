/** What is to be claimed, and where: from CNI_ARGS (the hand-off of `vxlan`, also of the original one) or from the `ipam` section. */
import * as z from "zod/mini";
import { CniError, Code } from "../cni/error.ts";
import type { Invocation } from "../cni/invocation.ts";
import { requestedIps } from "../cni/request.ts";
import { boolean, cidr, invalid, ip, parse, string, whole } from "../cni/schema.ts";
import type { ResultRoute } from "../cni/result.ts";
import { bits, type Cidr, formatCidr, formatIp, type Ip, network, parseCidr, sameIp } from "../ip.ts";

export interface ClaimConfig {
  /** At most one of each family, host bits zero. */
  prefixes: Cidr[];
  excludeFirst: number;
  excludeLast: number;
  /** The device that host routes point to: a name or an index. */
  device: string | number | undefined;
  requested: Ip[];
  /** Milliseconds that a claim needs to spread; 0: nobody to spread to. */
  propagationTimeout: number;
  routeProtocol: number;
  /** 0: the kernel's default. */
  routeMetric: number;
  probe: boolean;
  /** Addresses to keep claimed in advance. */
  reserve: number;
  routes: ResultRoute[];
  /** To be named in the result; the plugin claims none of its own accord. */
  gateway: Ip | undefined;
}

/** The highest metric that a recipe for a routing daemon gives the routes that it installs (src/cli/routing_bird.ts). */
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
  const ipam = parse(schema, raw.ipam ?? {}, "ipam");
  const prefixes = args.CIDR === undefined ? ipamPrefixes(ipam) : args.CIDR.split(",").map((text) => {
    const prefix = parseCidr(text);
    if (prefix === undefined) throw invalid("CNI_ARGS CIDR", "a prefix like 10.1.0.0/24 or fd00:1::/64", text);
    return network(prefix);
  });
  if (prefixes.length === 0) throw invalid("ipam.subnet", "a prefix like 10.1.0.0/24", undefined);
  if (new Set(prefixes.map(({ ip }) => ip.version)).size !== prefixes.length) {
    throw invalid("ipam.cidrs", "at most one prefix of each family", prefixes.map(formatCidr));
  }
  const config = {
    prefixes,
    excludeFirst: number(args, "EXCLUDE_FIRST") ?? ipam.excludeFirst,
    excludeLast: number(args, "EXCLUDE_LAST") ?? ipam.excludeLast,
    device: number(args, "LINK_INDEX") ?? ipam.device ?? (typeof raw.master === "string" ? raw.master : undefined),
    requested: requestedIps(invocation, prefixes),
    propagationTimeout: ipam.propagationTimeout,
    routeProtocol: ipam.routeProtocol,
    routeMetric: effectiveMetric(ipam),
    probe: ipam.probe,
    reserve: ipam.reserve,
    routes: ipam.routes,
    gateway: ipam.gateway,
  };
  for (const asked of config.requested) checkUsable(config, asked);
  return config;
}

/** What of an `ipam` section concerns the routing daemon; throws CniError (7). */
export function readClaimSettings(ipam: unknown): { routeProtocol: number; routeMetric: number; reserve: number } {
  const parsed = parse(schema, ipam, "ipam");
  return { routeProtocol: parsed.routeProtocol, routeMetric: effectiveMetric(parsed), reserve: parsed.reserve };
}

/** Claims that can be reserved need a metric above the routing daemon's, so that a competitor's route is found before ours. */
function effectiveMetric({ routeMetric, reserve }: z.output<typeof schema>): number {
  if (routeMetric === 0) return reserve === 0 ? 0 : RESERVE_METRIC;
  if (reserve === 0 || routeMetric > DAEMON_METRIC) return routeMetric;
  throw invalid("ipam.routeMetric", `more than ${DAEMON_METRIC}, because reserve is given`, routeMetric);
}

function ipamPrefixes({ cidr, subnet, cidrs = [] }: z.output<typeof schema>): Cidr[] {
  return [cidr, subnet, ...cidrs].filter((prefix) => prefix !== undefined).map(network);
}

function number(args: Readonly<Record<string, string>>, key: string): number | undefined {
  const text = args[key];
  if (text === undefined) return undefined;
  if (/^\d{1,10}$/.test(text)) return Number(text);
  throw new CniError(
    Code.invalidEnvironment,
    `Cannot use CNI_ARGS: ${key}: wanted a whole number, got ${JSON.stringify(text)}`,
  );
}

/**
 * The addresses of a prefix that may be given out, first and last: not the network id, not the broadcast (IPv4), not the excluded ones.
 * Point-to-point prefixes (/31, /127) and single addresses have neither network id nor broadcast (RFC 3021, RFC 6164).
 */
export function range(
  { ip, length }: Cidr,
  excludeFirst: number,
  excludeLast: number,
): { first: bigint; last: bigint } {
  const host = bits(ip.version) - length;
  const top = ip.value + (1n << BigInt(host)) - 1n;
  const first = ip.value + (host > 1 ? 1n : 0n) + BigInt(excludeFirst);
  const last = top - (host > 1 && ip.version === 4 ? 1n : 0n) - BigInt(excludeLast);
  return { first, last };
}

/** A requested address may be an excluded one (that is what they are kept for), but never the network id or the broadcast. */
function checkUsable({ prefixes }: { prefixes: Cidr[] }, asked: Ip): void {
  for (const prefix of prefixes) {
    const { first, last } = range(prefix, 0, 0);
    if (prefix.ip.version !== asked.version || (asked.value >= first && asked.value <= last)) continue;
    const what = sameIp(asked, prefix.ip) ? "network id" : "broadcast address";
    throw invalid(
      "requested address",
      `an address that a host of ${formatCidr(prefix)} can have`,
      `${formatIp(asked)}, its ${what}`,
    );
  }
}
