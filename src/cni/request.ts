/** What a runtime may ask for beside the configuration: addresses and a hardware address, by any of the conventions (CNI CONVENTIONS.md). */
import * as z from "zod/mini";
import { type Cidr, contains, formatCidr, formatIp, type Ip, parseCidr, parseIp } from "../ip.ts";
import { CniError, Code } from "./error.ts";
import { HANDOFF_KEYS } from "./handoff.ts";
import type { Invocation } from "./invocation.ts";
import { invalid, parse, parseMac, string } from "./schema.ts";

const asked = z.looseObject({
  ips: z.optional(z.array(string("an IP address"), "a list of addresses")),
  mac: z.optional(string("a hardware address")),
}, "an object");

const requestSchema = z.looseObject({
  runtimeConfig: z._default(asked, {}),
  args: z._default(z.looseObject({ cni: z._default(asked, {}) }, "an object"), { cni: {} }),
});

/** Keys of CNI_ARGS that plugins of ours know; others are errors unless IgnoreUnknown says otherwise. */
const KNOWN = ["IP", "MAC", "IgnoreUnknown", ...HANDOFF_KEYS];

/** Throws CniError (4) for a key of CNI_ARGS that nobody here reads. */
export function checkArgs({ args }: Invocation): void {
  if (["1", "true", "t"].includes((args.IgnoreUnknown ?? "").toLowerCase())) return;
  const unknown = Object.keys(args).filter((key) => !KNOWN.includes(key) && !key.startsWith("K8S_"));
  if (unknown.length === 0) return;
  throw new CniError(
    Code.invalidEnvironment,
    `Cannot use CNI_ARGS: unknown key ${unknown.join(", ")}; pass IgnoreUnknown=1 to have it passed over`,
  );
}

/**
 * The addresses asked for: the capability `ips`, else `args.cni.ips`, else `IP` of CNI_ARGS, else what `last` says.
 * Throws CniError (7) for one that is none, or that lies in none of the prefixes.
 */
export function requestedIps(
  invocation: Invocation,
  prefixes: readonly Cidr[],
  last: { path: readonly string[]; ip?: string | undefined } = { path: [] },
): Ip[] {
  const { runtimeConfig, args } = parse(requestSchema, invocation.config.raw);
  const split = (text = "") => text.split(",").map((part) => part.trim()).filter((part) => part !== "");
  const sources: [path: readonly string[], texts: readonly string[]][] = [
    [["runtimeConfig", "ips"], runtimeConfig.ips ?? []],
    [["args", "cni", "ips"], args.cni.ips ?? []],
    [["CNI_ARGS IP"], split(invocation.args.IP)],
    [last.path, split(last.ip)],
  ];
  const [path, texts] = sources.find(([, found]) => found.length > 0) ?? [[], []];
  const ips = texts.map((text) => {
    const ip = parseIp(text) ?? parseCidr(text)?.ip;
    if (ip === undefined) throw invalid(path, "an IP address", text);
    if (prefixes.some((prefix) => contains(prefix, ip))) return ip;
    throw invalid(path, `an address in ${prefixes.map(formatCidr).join(" or ")}`, formatIp(ip));
  });
  if (new Set(ips.map(({ version }) => version)).size !== ips.length) {
    throw invalid(path, "at most one address of each family", texts.join(","));
  }
  return ips;
}

/** The hardware address asked for: the capability `mac`, else `args.cni.mac`, else `MAC` of CNI_ARGS. Throws CniError (7). */
export function requestedMac(invocation: Invocation): string | undefined {
  const { runtimeConfig, args } = parse(requestSchema, invocation.config.raw);
  const sources: [path: readonly string[], text: string | undefined][] = [
    [["runtimeConfig", "mac"], runtimeConfig.mac],
    [["args", "cni", "mac"], args.cni.mac],
    [["CNI_ARGS MAC"], invocation.args.MAC],
  ];
  const [path, text] = sources.find(([, found]) => found !== undefined && found !== "") ?? [[], undefined];
  if (text === undefined) return undefined;
  const mac = parseMac(text);
  if (mac === undefined) throw invalid(path, "a unicast hardware address like 02:00:5e:10:00:01", text);
  return mac;
}
