/** What the stories ask `ip` to do, done to a fake namespace. */
import { type Cidr, hostPrefix, type Ip, parseCidr, parseIp, sameIp } from "../../src/ip.ts";
import type { Link } from "../../src/netlink/link.ts";
import type { FakeKernel } from "./kernel.ts";
import { PROTOCOLS, TABLES } from "./lines.ts";
import { newAddress, removeAddress } from "./addresses.ts";
import { newLink, removeLink } from "./links.ts";
import { lookup, newRoute, removeRoute } from "./routes.ts";
import type { Space } from "./space.ts";

/** The words after noun and verb: the first one, and pairs. */
interface Words {
  first: string;
  of(key: string): string | undefined;
  has(word: string): boolean;
}

type Verb = (kernel: FakeKernel, space: Space, words: Words) => void;

const VERBS: Readonly<Record<string, Verb>> = {
  "netns add": (kernel, _, { first }) => void kernel.space(pathOf(first)),
  "netns del": (kernel, _, { first }) => kernel.removeSpace(pathOf(first)),
  "link add": (_, space, words) => addLink(space, words),
  "link del": (kernel, space, { first }) => removeLink(kernel.spaces(), space, byName(space, first)),
  "link set": (_, space, words) => setLink(space, words),
  "addr add": (_, space, { first, of }) => {
    const { ip, length } = prefix(first);
    newAddress(space, { index: byName(space, of("dev")).index, family: family(ip), length, local: ip, address: ip });
  },
  "addr flush": (_, space, { of }) => {
    const { index } = byName(space, of("dev"));
    for (const { cidr: { ip, length } } of space.addresses.filter((one) => one.index === index)) {
      removeAddress(space, { index, family: family(ip), length, local: ip });
    }
  },
  "route add": (_, space, words) => addRoute(space, words),
  "route del": (_, space, { first }) => {
    const { ip, length } = prefix(first);
    // `ip` says neither scope nor type.
    const any = { scope: 255, type: 0, table: TABLES.main };
    removeRoute(space, { family: family(ip), length, ...(length === 0 ? {} : { to: ip }), ...any });
  },
  "route flush": (_, space, { of }) => {
    const [protocol, table] = [number(of("proto"), PROTOCOLS), number(of("table"), TABLES)];
    for (const route of [...space.routes]) {
      if (route.protocol === protocol || route.table === table) removeRoute(space, route);
    }
  },
  "rule del": (_, space, { of }) => {
    const priority = Number(of("priority"));
    space.rules = space.rules.filter((rule) => rule.priority !== priority);
  },
};

/** Runs one line of words; throws for what nobody has needed yet. */
export function runIp(kernel: FakeKernel, space: Space, line: string): void {
  const [noun = "", verb = "", first = "", ...rest] = line.split(" ").filter((word) => word !== "-6" && word !== "-4");
  const all = [first, ...rest];
  const of = (key: string) => all.includes(key) ? all[all.indexOf(key) + 1] : undefined;
  const run = VERBS[`${noun} ${verb}`];
  if (run === undefined) throw new Error(`Cannot run "ip ${line}": the fake does not know it`);
  run(kernel, space, { first, of, has: (word) => all.includes(word) });
}

/** Where a container's namespace is. */
export function pathOf(container: string): string {
  return `/run/netns/${container}`;
}

function byName({ links }: Space, name: string | undefined) {
  const found = links.find((link) => link.name === name);
  if (found === undefined) throw new Error(`Cannot find device "${name}"`);
  return found;
}

function addLink(space: Space, { first: name, of }: Words): void {
  const kind = of("type");
  const parent = of("link");
  const mac = `02:fe:00:00:00:${space.links.length.toString(16).padStart(2, "0")}`;
  const mtu = of("mtu") === undefined ? {} : { mtu: Number(of("mtu")) };
  const message: Link = { name, ...mtu, ...(parent === undefined ? {} : { link: byName(space, parent).index }) };
  const [id, port, group] = [Number(of("id")), Number(of("dstport")), parseIp(of("group") ?? "")];
  const vxlan = { id, port, link: space.links.find((link) => link.name === of("dev"))?.index, group };
  const info = kind === "vxlan"
    ? { kind, vxlan }
    : kind === "macvlan"
    ? { kind, macvlan: { mode: 4 } }
    : { kind: kind ?? "" };
  newLink(space, space, { ...message, info }, mac);
}

function setLink(space: Space, { first, of, has }: Words): void {
  const link = byName(space, first);
  if (of("mtu") !== undefined) link.mtu = Number(of("mtu"));
  link.mac = of("address") ?? link.mac;
  if (has("up")) link.up = true;
  if (!has("down")) return;
  link.up = false;
  // Linux forgets the IPv4 routes of a link that goes down, and its IPv6 addresses.
  for (const route of space.routes.filter(({ oif, table }) => oif === link.index && table !== TABLES.local)) {
    removeRoute(space, route);
  }
  space.addresses = space.addresses.filter(({ index, cidr }) => index !== link.index || cidr.ip.version === 4);
}

function addRoute(space: Space, { first, of }: Words): void {
  const { ip, length } = prefix(first, of("via"));
  const gateway = parseIp(of("via") ?? "");
  const metric = of("metric") === undefined ? {} : { priority: Number(of("metric")) };
  const device = of("dev");
  const oif = device === undefined ? deviceTo(space, gateway) : byName(space, device).index;
  const table = number(of("table"), TABLES) ?? TABLES.main;
  newRoute(space, {
    ...{ family: family(ip), length, ...(length === 0 ? {} : { to: ip }), gateway, oif, ...metric },
    ...{ table, headerTable: table, type: 1, protocol: number(of("proto"), PROTOCOLS) ?? PROTOCOLS.boot },
    scope: gateway === undefined && ip.version === 4 ? 253 : 0,
  });
}

/** The device of the link route that a gateway lies in. */
function deviceTo(space: Space, gateway: Ip | undefined): number | undefined {
  return space.addresses.find(({ cidr }) => gateway !== undefined && cidr.ip.version === gateway.version)?.index;
}

function prefix(text: string, via = ""): Cidr {
  if (text === "default") return { ip: { version: via.includes(":") ? 6 : 4, value: 0n }, length: 0 };
  const ip = parseIp(text);
  const found = ip === undefined ? parseCidr(text) : hostPrefix(ip);
  if (found === undefined) throw new Error(`Cannot parse "${text}"`);
  return found;
}

function number(text: string | undefined, names: Readonly<Record<string, number>>): number | undefined {
  return text === undefined ? undefined : names[text] ?? Number(text);
}

const family = ({ version }: Ip) => version === 4 ? 2 : 10;

/** Throws unless somebody has the address, and the way there is known. */
export function ping(kernel: FakeKernel, space: Space, address: string): void {
  const ip = parseIp(address);
  if (ip !== undefined && kernel.spaces().some(({ addresses }) => addresses.some(({ cidr }) => sameIp(cidr.ip, ip)))) {
    return void lookup(space, ip);
  }
  throw new Error(`Nobody answers for ${address}`);
}
