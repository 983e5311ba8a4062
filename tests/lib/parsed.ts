/** Addresses and prefixes of a test, as text. */
import { type Cidr, type Ip, parseCidr, parseIp } from "../../src/ip.ts";

export function ip(text: string): Ip {
  return must(parseIp(text), text);
}

export function cidr(text: string): Cidr {
  return must(parseCidr(text), text);
}

function must<T>(value: T | undefined, text: string): T {
  if (value === undefined) throw new TypeError(`Cannot parse "${text}"`);
  return value;
}
