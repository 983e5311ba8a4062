/** Schemas whose complaints an operator can act on: which key, what was wanted, what was found. */
import * as z from "zod/mini";
import { type Cidr, type Ip, parseCidr, parseIp } from "../ip.ts";
import { shown } from "../text.ts";
import { CniError, Code, type Fault } from "./error.ts";

/** A leaf of a configuration: what `read` makes of a value; undefined means that it is not what is wanted. One kind of leaf for all: each kind of zod's costs bytes in every call. */
function leaf<T>(wanted: string, read: (value: unknown) => T | undefined) {
  return z.pipe(
    z.unknown(),
    z.transform((given, context) => {
      const value = read(given);
      if (value !== undefined) return value;
      context.issues.push({ code: "custom", message: wanted, input: given });
      return z.NEVER;
    }),
  );
}

/** A whole number within bounds. */
export function whole(least: number, most: number) {
  return leaf(`a whole number from ${least} to ${most}`, (value) => {
    return typeof value === "number" && Number.isInteger(value) && value >= least && value <= most ? value : undefined;
  });
}

export function boolean() {
  return leaf("true or false", (value) => typeof value === "boolean" ? value : undefined);
}

/** Text; with a pattern only such as fits it. */
export function string(wanted = "a string", pattern = /^/) {
  return leaf(wanted, (value) => typeof value === "string" && pattern.test(value) ? value : undefined);
}

/** A list that is not empty. */
export function someOf<T extends z.ZodMiniType>(item: T, wanted: string, least: string) {
  return z.pipe(
    z.array(item, wanted),
    z.transform((list, context) => {
      if (list.length === 0) context.issues.push({ code: "custom", message: least, input: list });
      return list;
    }),
  );
}

/** What `read` makes of each key and value of an object: a value, what was wanted instead, or undefined for a key that does not exist. */
export function record<T>(
  wanted: string,
  read: (key: string, value: unknown) => { value: T } | { wanted: string } | undefined,
) {
  return z.pipe(
    z.unknown(),
    z.transform((given, context): Record<string, T> => {
      const out: Record<string, T> = {};
      if (typeof given !== "object" || given === null || Array.isArray(given)) {
        context.issues.push({ code: "custom", message: wanted, input: given });
        return out;
      }
      for (const [key, value] of Object.entries(given)) {
        const found = read(key, value);
        if (found === undefined) context.issues.push({ code: "unrecognized_keys", keys: [key], input: { ...given } });
        else if ("value" in found) out[key] = found.value;
        else context.issues.push({ code: "custom", message: found.wanted, input: value, path: [key] });
      }
      return out;
    }),
  );
}

/** Text that another function turns into a value; undefined means that it could not. */
function parsed<T>(wanted: string, parse: (text: string) => T | undefined) {
  return leaf(wanted, (value) => typeof value === "string" ? parse(value) : undefined);
}

export function cidr() {
  return parsed<Cidr>("a prefix like 10.1.0.0/24 or fd00:1::/64", parseCidr);
}

export function ip() {
  return parsed<Ip>("an IP address", parseIp);
}

/** A hardware address that a device can have, in lower case: six bytes, not multicast, not zero; undefined for any other text. */
export function parseMac(text: string): string | undefined {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) return undefined;
  const multicast = (Number.parseInt(text.slice(0, 2), 16) & 1) === 1;
  return multicast || text === "00:00:00:00:00:00" ? undefined : text.toLowerCase();
}

/** The value of `schema`, or CniError (7) with all faults; its message names the first key that is wrong, what it wanted and what it got. */
export function parse<T extends z.ZodMiniType>(schema: T, value: unknown, root: readonly string[] = []): z.output<T> {
  const result = z.safeParse(schema, value);
  if (result.success) return result.data;
  throw faulty(result.error.issues.map((issue): Fault => {
    const unknown = issue.code === "unrecognized_keys" ? issue.keys[0] : undefined;
    const path = [...issue.path, ...(unknown === undefined ? [] : [unknown])];
    return {
      path: [...root, ...path],
      wanted: unknown === undefined ? issue.message : "a key that exists",
      got: unknown ?? at(value, path),
    };
  }));
}

/** CniError (7): `key`: wanted ..., got .... */
export function invalid(path: readonly PropertyKey[] | string, wanted: string, got: unknown): CniError {
  return faulty([{ path: typeof path === "string" ? [path] : path, wanted, got }]);
}

function faulty(faults: readonly Fault[]): CniError {
  const [{ path, wanted, got } = { path: [], wanted: "something else", got: undefined }] = faults;
  const text = `Cannot use config: ${pathText(path)}: wanted ${wanted}, got ${shown(got)}`;
  return new CniError(Code.invalidConfig, text, { faults });
}

/** `vxlans[0].options.group`; a key that is no word of its own in quotes, unless it comes first. */
function pathText(path: readonly PropertyKey[]): string {
  const text = path.map((part, index) => {
    if (typeof part === "number") return `[${part}]`;
    if (index === 0) return String(part);
    return /^[\w -]+$/.test(String(part)) ? `.${String(part)}` : `[${JSON.stringify(part)}]`;
  }).join("");
  return text === "" ? "network configuration" : text;
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, key) => typeof inner === "object" && inner !== null ? Reflect.get(inner, key) : undefined,
    value,
  );
}
