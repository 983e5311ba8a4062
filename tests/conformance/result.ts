/** A result of any version, read leniently into one shape, so that rules can compare it with the kernel. */
import { isObject, type Json, type JsonObject } from "./answer.ts";

/** An entry of `interfaces`. */
interface ResultInterface {
  readonly name: string;
  readonly mac: string | undefined;
  readonly sandbox: string;
  readonly mtu: number | undefined;
}

/** An address of the result, with its prefix length. */
interface ResultAddress {
  readonly address: string;
  readonly gateway: string | undefined;
  readonly interface: number | undefined;
}

/** A route of the result. */
interface ResultRoute {
  readonly dst: string;
  readonly gw: string | undefined;
}

/** What any version's result says. */
export interface ResultView {
  readonly interfaces: readonly ResultInterface[];
  readonly ips: readonly ResultAddress[];
  readonly routes: readonly ResultRoute[];
  readonly dns: JsonObject;
}

/** Reads a result of any version; what is missing or of a wrong type is left out (the shape has a rule of its own). */
export function viewOf(result: Json | undefined): ResultView {
  const root = isObject(result) ? result : {};
  const old = [root["ip4"], root["ip6"]].filter(isObject);
  const ips = old.length > 0
    ? old.map((ip) => ({ address: text(ip["ip"]) ?? "", gateway: text(ip["gateway"]), interface: undefined }))
    : objects(root["ips"]).map((ip) => ({
      address: text(ip["address"]) ?? "",
      gateway: text(ip["gateway"]),
      interface: typeof ip["interface"] === "number" ? ip["interface"] : undefined,
    }));
  const routes = old.length > 0 ? old.flatMap((ip) => objects(ip["routes"])) : objects(root["routes"]);
  return {
    interfaces: objects(root["interfaces"]).map((link) => ({
      name: text(link["name"]) ?? "",
      mac: text(link["mac"]),
      sandbox: text(link["sandbox"]) ?? "",
      mtu: typeof link["mtu"] === "number" ? link["mtu"] : undefined,
    })),
    ips,
    routes: routes.map((route) => ({ dst: text(route["dst"]) ?? "", gw: text(route["gw"]) })),
    dns: isObject(root["dns"]) ? root["dns"] : {},
  };
}

/** An address without its prefix length. */
export function bare(address: string): string {
  return address.replace(/\/.*$/, "");
}

function text(value: Json | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function objects(value: Json | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}
