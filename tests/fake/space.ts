/** One network namespace of the fake kernel: what is in it. */
import { KernelError } from "../../src/errno.ts";
import type { Cidr, Ip } from "../../src/ip.ts";
import type { VxlanData } from "../../src/netlink/link.ts";
import type { RouteMessage } from "../../src/netlink/route.ts";
import type { RuleMessage } from "../../src/netlink/rule.ts";

export interface FakeLink {
  index: number;
  name: string;
  kind: string;
  mac: string;
  mtu: number;
  txqlen: number;
  up: boolean;
  /** The link that a macvlan stands on, perhaps in another namespace. */
  parent?: FakeLink;
  vxlan?: VxlanData;
}

export interface FakeAddress {
  index: number;
  cidr: Cidr;
  /** Without a route to its prefix. */
  bare?: boolean;
}

export interface Space {
  readonly name: string;
  readonly fd: number;
  links: FakeLink[];
  /** Indices are not given twice. */
  lastIndex: number;
  addresses: FakeAddress[];
  routes: RouteMessage[];
  rules: RuleMessage[];
  /** Whether IPv4 has a local table of its own: from the first rule on. Before, what is in it is found in the main one. */
  split: boolean;
  /** What was written below /proc/sys/net; what was not is 1 where there is such a device. */
  sysctls: Map<string, string>;
  /** Frames that were sent, by link. */
  frames: { index: number; frame: Uint8Array }[];
  /** Told of each route that comes or goes. */
  changed(added: boolean, route: RouteMessage): void;
}

/** AF_INET. */
export const IPV4 = 2;

/** The kernel's no. */
export function no(errno: number, words = ""): KernelError {
  return new KernelError("do this", errno, { words });
}

export const cidrOf = (ip: Ip | undefined, length: number, family: number): Cidr => ({
  ip: ip ?? { version: family === 2 ? 4 : 6, value: 0n },
  length,
});

export const familyOf = (ip: Ip) => ip.version === 4 ? 2 : 10;

export function linkByIndex(space: Space, index: number | undefined): FakeLink {
  const found = space.links.find((link) => link.index === index);
  if (found === undefined) throw no(19);
  return found;
}
