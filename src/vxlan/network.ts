/** One layer 2 network: an entry of `vxlans`. */
import * as z from "zod/mini";
import { checkPluginType } from "../cni/delegate.ts";
import type { Subnets } from "../cni/handoff.ts";
import { boolean, cidr, invalid, someOf, string, whole } from "../cni/schema.ts";
import { bits, type Cidr, prefixOf } from "../ip.ts";
import { type Options, optionsFault, optionsSchema } from "./options.ts";

/** What IPAM gives addresses from, and the section that it gets. */
export interface Addressing extends Subnets {
  readonly ipam: Readonly<Record<string, unknown>> & { readonly type: string };
}

export interface Network extends Addressing {
  readonly id: number;
  readonly name: string;
  /** Bytes; 0: what the underlay allows. */
  readonly mtu: number;
  readonly options: Options;
  readonly bypass: boolean;
  readonly bypassTable: number;
  /** Where it stands in the configuration, for messages. */
  readonly path: readonly PropertyKey[];
}

const NAME = "1 to 12 letters, digits, '_', '-' or '.' (the kernel allows 15 bytes, of which 'vx_' takes 3)";

export const ipamSchema = z.looseObject({}, "an object with the IPAM plugin's type");

export const networkSchema = z.strictObject({
  id: whole(0, 16777215),
  name: string(NAME, /^[a-zA-Z0-9_.\-]{1,12}$/),
  cidr: z.optional(cidr()),
  cidrs: z.optional(someOf(cidr(), "a list of prefixes", "at least one prefix")),
  excludeFirst: z._default(whole(0, 2 ** 31), 0),
  excludeLast: z._default(whole(0, 2 ** 31), 0),
  mtu: z._default(whole(0, 65535), 0),
  options: z._default(optionsSchema, {}),
  bypass: z._default(boolean(), true),
  bypassTable: z._default(whole(1, 4294967295), 192),
  ipam: z.optional(ipamSchema),
}, "an object that describes a vxlan");

/** Puts one entry together with the `ipam` section of the whole configuration; throws CniError (7). */
export function readNetwork(
  vxlan: z.output<typeof networkSchema>,
  top: Readonly<Record<string, unknown>>,
  path: readonly PropertyKey[],
): Network {
  const { cidr: single, cidrs = [], ipam: own = {}, ...rest } = vxlan;
  const options: Options = vxlan.options;
  const prefixes = [...(single === undefined ? [] : [single]), ...cidrs].map(prefixOf);
  if (prefixes.length === 0) throw invalid([...path, "cidr"], "a prefix like 10.1.0.0/24", undefined);
  if (new Set(prefixes.map(({ ip }) => ip.version)).size !== prefixes.length) {
    throw invalid([...path, "cidrs"], "at most one prefix of each family, cidr counted", prefixes.length);
  }
  const fault = optionsFault(options);
  if (fault !== undefined) throw invalid([...path, "options", fault.key], fault.wanted, fault.got);
  // Another type's keys would mean nothing to this one.
  const merged = own.type === undefined || own.type === top.type ? { ...top, ...own } : own;
  const type = checkPluginType(merged.type, own.type === undefined ? ["ipam", "type"] : [...path, "ipam", "type"]);
  for (const prefix of prefixes) checkRoom(prefix, vxlan, path);
  return { ...rest, prefixes, options, ipam: { ...merged, type }, path };
}

/** A network needs an address for its gateway and one for a container. */
function checkRoom(
  { ip, length }: Cidr,
  { excludeFirst, excludeLast }: { excludeFirst: number; excludeLast: number },
  path: readonly PropertyKey[],
): void {
  const size = 1n << BigInt(bits(ip.version) - length);
  if (BigInt(excludeFirst) >= size) {
    throw invalid([...path, "excludeFirst"], `less than the ${size} addresses of the prefix`, excludeFirst);
  }
  if (BigInt(excludeFirst + excludeLast) >= size) {
    throw invalid([...path, "excludeLast"], `an address to be left of the ${size} of the prefix`, excludeLast);
  }
}
