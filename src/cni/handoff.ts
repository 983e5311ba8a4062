/** What IPAM is told by the main plugin beside the configuration: keys of CNI_ARGS, as the original programs have them. */
import { formatCidr, formatIp, type Ip, parseCidr, parseIp, prefixOf } from "../ip.ts";
import type { Cidr } from "../ip.ts";
import { CniError, Code } from "./error.ts";
import { invalid } from "./schema.ts";

/** What of a network IPAM gives addresses from. */
export interface Subnets {
  /** At most one of each family, host bits zero. */
  readonly prefixes: readonly Cidr[];
  readonly excludeFirst: number;
  readonly excludeLast: number;
}

export interface Handoff extends Partial<Subnets> {
  /** Index of the node's device where claims are installed. */
  linkIndex?: number | undefined;
  /** Addresses that are asked for, or that are to be released. */
  ips?: readonly Ip[];
  /** Addresses that are asked for by another request at the same time. */
  avoid?: readonly Ip[];
  /** The request is for the node's own address in the network: no name that a runtime can choose means it. */
  gateway?: boolean;
}

type Args = Readonly<Record<string, string>>;

/** Keys of the hand-off that a runtime does not send. */
export const HANDOFF_KEYS = ["CIDR", "EXCLUDE_FIRST", "EXCLUDE_LAST", "LINK_INDEX", "AVOID", "GATEWAY"];

export function encodeHandoff(handoff: Handoff): Record<string, string> {
  const { prefixes, excludeFirst, excludeLast, linkIndex, ips, avoid = [], gateway } = handoff;
  const values: Record<string, string | undefined> = {
    CIDR: prefixes?.map(formatCidr).join(","),
    EXCLUDE_FIRST: excludeFirst?.toString(),
    EXCLUDE_LAST: excludeLast?.toString(),
    LINK_INDEX: linkIndex?.toString(),
    IP: ips?.map(formatIp).join(","),
    AVOID: avoid.length === 0 ? undefined : avoid.map(formatIp).join(","),
    GATEWAY: gateway === true ? "1" : undefined,
  };
  return Object.fromEntries(
    Object.entries(values).flatMap(([key, value]) => value === undefined ? [] : [[key, value]]),
  );
}

/** Throws CniError (4, 7). `IP` is read as what was asked for, elsewhere: it also comes from runtimes. */
export function decodeHandoff(args: Args): Handoff {
  return {
    prefixes: args.CIDR === undefined ? undefined : args.CIDR.split(",").map((text) => {
      const prefix = parseCidr(text);
      if (prefix === undefined) throw invalid("CNI_ARGS CIDR", "a prefix like 10.1.0.0/24 or fd00:1::/64", text);
      return prefixOf(prefix);
    }),
    excludeFirst: number(args, "EXCLUDE_FIRST"),
    excludeLast: number(args, "EXCLUDE_LAST"),
    linkIndex: number(args, "LINK_INDEX"),
    avoid: addresses(args.AVOID),
    gateway: args.GATEWAY === "1",
  };
}

/** The addresses in a list with commas; what is none is passed over. */
export function addresses(text = ""): Ip[] {
  return text.split(",").flatMap((part) => parseIp(part) ?? []);
}

/** Whether only the main plugin's hand-off can have brought these. */
export function isHandoff(args: Args): boolean {
  return args.LINK_INDEX !== undefined;
}

/** The original `vxlan` says everything in CNI_ARGS and writes nothing: a configuration for its IPAM, in its version. */
export function configOfOriginal(args: Args): string {
  return args.CIDR === undefined ? "" : JSON.stringify({ cniVersion: "0.4.0", name: "vxlan" });
}

function number(args: Args, key: string): number | undefined {
  const text = args[key];
  if (text === undefined) return undefined;
  if (/^\d{1,10}$/.test(text)) return Number(text);
  throw new CniError(
    Code.invalidEnvironment,
    `Cannot use CNI_ARGS: ${key}: wanted a whole number, got ${JSON.stringify(text)}`,
  );
}
