/** The exact shape of a result in each version: every key that may be there, of which type, and none besides. */
import { isIPv4, isIPv6 } from "node:net";
import { isObject, type Json } from "./answer.ts";
import { bare } from "./result.ts";
import type { Kind } from "./subject.ts";
import { reaches, type Version } from "./version.ts";

type Test = (value: Json, at: string) => string[];
type Keys = { readonly [key: string]: Test };

/** Everything in which a result differs from the shape its version prescribes; empty when nothing does. */
export function shapeProblems(result: Json | undefined, version: Version, kind: Kind): string[] {
  const [required, optional] = reaches(version, "0.3.0") ? listShape(version, kind) : familyShape();
  const problems = object({ cniVersion: same(version), ...required }, optional)(result ?? null, "result");
  if (!reaches(version, "0.3.0") && isObject(result) && !("ip4" in result) && !("ip6" in result)) {
    problems.push("result: neither ip4 nor ip6");
  }
  return problems;
}

/** 0.1.0 and 0.2.0: one address of each family, routes below it. */
function familyShape(): [Keys, Keys] {
  const family = (version: 4 | 6) => {
    const route = object({ dst: cidr(version) }, { gw: address(version) });
    return object({ ip: cidr(version) }, { gateway: address(version), routes: list(route) });
  };
  return [{}, { ip4: family(4), ip6: family(6), dns }];
}

/** 0.3.0 and later: lists; `version` beside each address up to 0.4.0; the richer keys from 1.1.0 on. */
function listShape(version: Version, kind: Kind): [Keys, Keys] {
  const rich = version === "1.1.0";
  const link = object({ name: text }, {
    mac,
    sandbox: text,
    ...(rich ? { mtu: count, socketPath: text, pciID: text } : {}),
  });
  const family: Keys = reaches(version, "1.0.0") ? {} : { version: oneOf("4", "6") };
  const ip: Test = (value, at) => [
    ...object({ address: cidr(), ...family }, {
      gateway: address(),
      ...(kind === "interface" ? { interface: count } : {}),
    })(value, at),
    ...sameFamily(value, at),
  ];
  const route = object({ dst: cidr() }, {
    gw: address(),
    ...(rich ? { mtu: count, advmss: count, priority: count, table: count, scope: count } : {}),
  });
  const ips: Keys = { ips: list(ip) };
  const rest: Keys = { routes: list(route), dns };
  // An interface plugin may have made a link without any address; an IPAM plugin always has one.
  return kind === "interface" ? [{ interfaces: list(link) }, { ...ips, ...rest }] : [ips, rest];
}

function dns(value: Json, at: string): string[] {
  return object({}, { nameservers: list(address()), domain: text, search: list(text), options: list(text) })(value, at);
}

function sameFamily(value: Json, at: string): string[] {
  if (!isObject(value)) return [];
  const { address: own, version, gateway } = value;
  const family = typeof own === "string" && own.includes(":") ? "6" : "4";
  const problems: string[] = [];
  if (version !== undefined && version !== family) problems.push(`${at}.version: ${version}, but address is ${own}`);
  if (typeof gateway === "string" && gateway.includes(":") !== (family === "6")) {
    problems.push(`${at}.gateway: ${gateway}, but address is ${own}`);
  }
  return problems;
}

function object(required: Keys, optional: Keys): Test {
  return (value, at) => {
    if (!isObject(value)) return [`${at}: ${JSON.stringify(value)} is no object`];
    const problems = Object.keys(required).filter((key) => !(key in value)).map((key) => `${at}.${key}: missing`);
    for (const [key, inner] of Object.entries(value)) {
      const test = required[key] ?? optional[key];
      problems.push(
        ...(test === undefined ? [`${at}.${key}: not a key of this version`] : test(inner, `${at}.${key}`)),
      );
    }
    return problems;
  };
}

function list(test: Test): Test {
  return (value, at) =>
    Array.isArray(value) ? value.flatMap((inner, index) => test(inner, `${at}[${index}]`)) : [`${at}: no list`];
}

function that(description: string, holds: (value: Json) => boolean): Test {
  return (value, at) => holds(value) ? [] : [`${at}: ${JSON.stringify(value)} is no ${description}`];
}

function text(value: Json, at: string): string[] {
  return that("text", (inner) => typeof inner === "string")(value, at);
}

function count(value: Json, at: string): string[] {
  return that("unsigned number", (inner) => typeof inner === "number" && Number.isInteger(inner) && inner >= 0)(
    value,
    at,
  );
}

function mac(value: Json, at: string): string[] {
  return that("MAC address", (inner) => typeof inner === "string" && /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(inner))(
    value,
    at,
  );
}

function same(wanted: string): Test {
  return that(`"${wanted}"`, (value) => value === wanted);
}

function oneOf(...wanted: string[]): Test {
  return that(wanted.join(" or "), (value) => typeof value === "string" && wanted.includes(value));
}

function isAddress(value: Json, family?: 4 | 6): value is string {
  return typeof value === "string" && ((family !== 6 && isIPv4(value)) || (family !== 4 && isIPv6(value)));
}

function address(family?: 4 | 6): Test {
  return that(`IPv${family ?? "4 or 6"} address`, (value) => isAddress(value, family));
}

function cidr(family?: 4 | 6): Test {
  return that(`IPv${family ?? "4 or 6"} address with prefix length`, (value) => {
    if (typeof value !== "string" || !isAddress(bare(value), family)) return false;
    const length = value.slice(bare(value).length + 1);
    return /^\d{1,3}$/.test(length) && Number(length) <= (value.includes(":") ? 128 : 32);
  });
}
