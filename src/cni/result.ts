/** The result of ADD: one shape inside (that of CNI 1.1.0), seven at the edge. */
import { CniError, Code } from "./error.ts";
import { atLeast, type Version } from "./versions.ts";

interface Interface {
  name: string;
  mac?: string;
  /** Bytes. */
  mtu?: number;
  /** Path of the network namespace; none for a link on the host. */
  sandbox?: string;
  [key: string]: unknown;
}

interface IpConfig {
  /** With prefix length, e.g. `10.97.1.5/24`. */
  address: string;
  gateway?: string;
  /** Position in `interfaces`. */
  interface?: number;
}

export interface ResultRoute {
  dst: string;
  gw?: string;
  [key: string]: unknown;
}

export interface Dns {
  nameservers?: string[];
  domain?: string;
  search?: string[];
  options?: string[];
}

/** Without `interfaces` it is the result of an IPAM plugin. */
export interface Result {
  interfaces?: Interface[];
  ips: IpConfig[];
  routes: ResultRoute[];
  dns: Dns;
}

type Json = Record<string, unknown>;

/** The result in the exact shape of one version, with its `cniVersion`. */
export function encodeResult(result: Result, version: Version): Json {
  if (!atLeast(version, "0.3.0")) return encode02(result, version);
  const { interfaces, ips, routes, dns } = result;
  const modern = atLeast(version, "1.0.0");
  return {
    cniVersion: version,
    ...(interfaces === undefined ? {} : { interfaces: interfaces.map((link) => encodeInterface(link, version)) }),
    ips: ips.map((ip) => ({ ...(modern ? {} : { version: ip.address.includes(":") ? "6" : "4" }), ...ip })),
    routes: atLeast(version, "1.1.0") ? routes : routes.map(bareRoute),
    dns,
  };
}

function encodeInterface(link: Interface, version: Version): Json {
  const { name, mac, sandbox } = link;
  if (atLeast(version, "1.1.0")) return link;
  return { name, ...(mac === undefined ? {} : { mac }), ...(sandbox === undefined ? {} : { sandbox }) };
}

function bareRoute({ dst, gw }: ResultRoute): ResultRoute {
  return { dst, ...(gw === undefined ? {} : { gw }) };
}

/** `ip4` and `ip6` with an address each: the first one of the family. */
function encode02({ ips, routes, dns }: Result, version: Version): Json {
  const family = (colon: boolean) => {
    const first = ips.find(({ address }) => address.includes(":") === colon);
    if (first === undefined) return undefined;
    const { address, gateway } = first;
    const own = routes.filter(({ dst }) => dst.includes(":") === colon).map(bareRoute);
    return { ip: address, ...(gateway === undefined ? {} : { gateway }), ...(own.length === 0 ? {} : { routes: own }) };
  };
  const ip4 = family(false);
  const ip6 = family(true);
  return { cniVersion: version, ...(ip4 && { ip4 }), ...(ip6 && { ip6 }), dns };
}

/** Reads a result of any version: a `prevResult` or what an IPAM plugin printed. Throws CniError (6) that names `what`. */
export function decodeResult(value: unknown, what: string): Result {
  const json = object(value, what);
  const dns = json.dns === undefined || json.dns === null ? {} : object(json.dns, `${what}.dns`);
  if ("ip4" in json || "ip6" in json) {
    const families = [json.ip4, json.ip6].filter((family) => family !== undefined && family !== null)
      .map((family) => object(family, `${what}.ip4 or ip6`));
    return {
      ips: families.map((family) => ipConfig({ ...family, address: family.ip }, what)),
      routes: families.flatMap((family) => list(family.routes, what).map((route) => resultRoute(route, what))),
      dns,
    };
  }
  return {
    ...(json.interfaces === undefined
      ? {}
      : { interfaces: list(json.interfaces, what).map((link) => resultInterface(link, what)) }),
    ips: list(json.ips, what).map((ip) => ipConfig(ip, what)),
    routes: list(json.routes, what).map((route) => resultRoute(route, what)),
    dns,
  };
}

function resultInterface(value: unknown, what: string): Interface {
  const json = object(value, `${what}.interfaces[]`);
  return { ...json, name: string(json.name, `${what}.interfaces[].name`) };
}

function resultRoute(value: unknown, what: string): ResultRoute {
  const json = object(value, `${what}.routes[]`);
  return { ...json, dst: string(json.dst, `${what}.routes[].dst`) };
}

function ipConfig(value: unknown, what: string): IpConfig {
  const { address, gateway, interface: index } = object(value, `${what}.ips[]`);
  return {
    ...(typeof index === "number" ? { interface: index } : {}),
    address: string(address, `${what}.ips[].address`),
    ...(typeof gateway === "string" && gateway !== "" ? { gateway } : {}),
  };
}

function object(value: unknown, what: string): Json {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  throw new CniError(Code.decoding, `Cannot read ${what}: wanted an object, got ${JSON.stringify(value)}`);
}

function list(value: unknown, what: string): unknown[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value;
  throw new CniError(Code.decoding, `Cannot read ${what}: wanted a list, got ${JSON.stringify(value)}`);
}

function string(value: unknown, what: string): string {
  if (typeof value === "string") return value;
  throw new CniError(Code.decoding, `Cannot read ${what}: wanted a string, got ${JSON.stringify(value)}`);
}
