/** Schemas whose complaints an operator can act on: which key, what was wanted, what was found. */
import * as z from "zod/mini";
import { type Cidr, type Ip, parseCidr, parseIp } from "../ip.ts";
import { CniError, Code } from "./error.ts";
import { shown } from "./invocation.ts";

/** A whole number within bounds. */
export function whole(least: number, most: number) {
  const wanted = `a whole number from ${least} to ${most}`;
  return z.int(wanted).check(z.gte(least, wanted), z.lte(most, wanted));
}

export function boolean() {
  return z.boolean("true or false");
}

export function string(wanted = "a string") {
  return z.string(wanted);
}

/** Text that another function turns into a value; undefined means that it could not. */
export function parsed<T>(wanted: string, parse: (text: string) => T | undefined) {
  return z.pipe(
    z.string(wanted),
    z.transform((text, context) => {
      const value = parse(text);
      if (value !== undefined) return value;
      context.issues.push({ code: "custom", message: wanted, input: text });
      return z.NEVER;
    }),
  );
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

/** The value of `schema`, or CniError (7) that names the first key that is wrong, what it wanted and what it got. */
export function parse<T extends z.ZodMiniType>(schema: T, value: unknown, root = ""): z.output<T> {
  const result = z.safeParse(schema, value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const unknown = issue?.code === "unrecognized_keys" ? issue.keys[0] : undefined;
  const path = [...(issue?.path ?? []), ...(unknown === undefined ? [] : [unknown])];
  const wanted = unknown === undefined ? issue?.message ?? "something else" : "a key that exists";
  throw invalid(keyPath(root, path), wanted, unknown ?? at(value, path));
}

/** CniError (7): `key`: wanted ..., got .... */
export function invalid(key: string, wanted: string, got: unknown): CniError {
  return new CniError(Code.invalidConfig, `Cannot use config: ${key}: wanted ${wanted}, got ${shown(got)}`);
}

function keyPath(root: string, path: readonly PropertyKey[]): string {
  const text = path.map((part) => typeof part === "number" ? `[${part}]` : `.${String(part)}`).join("");
  return (root + text).replace(/^\./, "") || "network configuration";
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, key) => typeof inner === "object" && inner !== null ? Reflect.get(inner, key) : undefined,
    value,
  );
}
