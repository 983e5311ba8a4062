/** One side of the contract between the fake kernel and Linux: two fresh namespaces, what is asked of them, and what they say. */
import { errnoText, KernelError } from "../../../src/errno.ts";
import { formatCidr, formatIp, type Ip } from "../../../src/ip.ts";
import type { Address } from "../../../src/netlink/address.ts";
import { ownAddress } from "../../../src/netlink/address.ts";
import { type Kernel, openKernel } from "../../../src/netlink/kernel.ts";
import { IFF_UP, type Link } from "../../../src/netlink/link.ts";
import type { Request } from "../../../src/netlink/message.ts";
import { routeEvents, type RouteMessage } from "../../../src/netlink/route.ts";
import type { RuleMessage } from "../../../src/netlink/rule.ts";
import type { Netns, Socket } from "../../../src/world.ts";
import { eventually } from "../../lib/eventually.ts";

/** A line of what was said; the kernel's own words where it had some. */
interface Said {
  line: string;
  words: string;
}

export interface Side {
  readonly node: Kernel;
  readonly container: Kernel;
  readonly said: Said[];
  /** Sends requests to the node in one datagram, and notes what became of each. */
  tell(...requests: Request[]): void;
  /** Notes what is read. */
  show(what: string, read: () => unknown): void;
  /** Notes what is read of a namespace: links, addresses, routes and rules. */
  showAll(kernel?: Kernel): void;
  /** The index of a link of the node; that of no link when there is none. */
  at(name: string): number;
  /** Waits until an address of the node's is in use: Linux puts those of IPv6 to use in its own time. */
  used(ip: Ip): Promise<void>;
}

export function sideOf(netns: { node: Netns; container: Netns }): Side & Disposable {
  const [node, container] = [openKernel(netns.node), openKernel(netns.container)];
  const said: Said[] = [];
  const note = (line: string, words = "") => void said.push({ line, words });
  const side: Side = {
    node,
    container,
    said,
    tell(...requests) {
      for (const [index, outcome] of node.batch(requests).entries()) {
        const { action } = requests[index] ?? { action: "" };
        if ("error" in outcome) note(`${action}: ${refusalOf(outcome.error)}`, wordsOf(outcome.error));
        else note(`${action}: done`);
      }
    },
    show(what, read) {
      try {
        note(`${what}: ${JSON.stringify(read(), (_, value) => typeof value === "bigint" ? `${value}` : value)}`);
      } catch (error) {
        note(`${what}: ${refusalOf(error)}`, wordsOf(error));
      }
    },
    showAll(kernel = node) {
      const links = kernel.links();
      const addresses = links.flatMap(({ index = 0 }) => kernel.addresses(index));
      const routes = ([4, 6] as const).flatMap((version) => kernel.routes(version, {}));
      const rules = ([4, 6] as const).flatMap((version) => kernel.rules(version));
      const lines = [
        ...links.map((one) => linkText(kernel, one)),
        ...addresses.map((one) => addressText(kernel, one)).sort(),
        ...routes.map((one) => routeText(kernel, one)).sort(),
        ...rules.map(ruleText),
      ];
      for (const line of lines) note(`  ${line}`);
    },
    at: (name) => node.link(name)?.index ?? 99,
    used: (ip) =>
      eventually(`${formatIp(ip)} in use`, () => Promise.resolve(node.lookup(ip)?.type === 2)).then(() => {}),
  };
  return {
    ...side,
    [Symbol.dispose]() {
      node[Symbol.dispose]();
      container[Symbol.dispose]();
    },
  };
}

function refusalOf(error: unknown): string {
  if (error instanceof KernelError) return errnoText(error.errno);
  throw error;
}

function wordsOf(error: unknown): string {
  return error instanceof KernelError ? error.refusal.words ?? "" : "";
}

const nameOf = (kernel: Kernel, index: number | undefined) =>
  index === undefined ? "none" : kernel.link(index)?.name ?? `another namespace's`;

/** Hardware addresses that a kernel chooses are its own. */
const macText = (mac = "") => mac.startsWith("02:00:5e:") || mac === "00:00:00:00:00:00" ? mac : "its own";

export function linkText(kernel: Kernel, { name, mac, mtu, txqlen, flags = 0, link, info, netnsFd: _ }: Link): string {
  const up = (flags & IFF_UP) === 0 ? "down" : "up";
  const { kind, vxlan, macvlan } = info ?? {};
  const about = vxlan === undefined ? { mode: macvlan?.mode } : {
    ...vxlan,
    link: vxlan.link === undefined ? undefined : nameOf(kernel, vxlan.link),
    ...Object.fromEntries(
      (["group", "group6", "local", "local6"] as const).flatMap((key) => {
        const ip = vxlan[key];
        return ip === undefined ? [] : [[key, formatIp(ip)]];
      }),
    ),
  };
  const data = Object.entries(about).filter(([, value]) => value !== undefined).sort()
    .map(([key, value]) => `${key} ${JSON.stringify(value)}`);
  return [
    "link",
    name,
    kind ?? "",
    macText(mac),
    `mtu ${mtu} txqlen ${txqlen} ${up} on ${nameOf(kernel, link)}`,
    ...data,
  ]
    .join(" ");
}

function addressText(kernel: Kernel, address: Address): string {
  const ip = ownAddress(address);
  const text = ip === undefined ? "nothing" : formatCidr({ ip, length: address.length ?? 0 });
  return `address ${text} on ${nameOf(kernel, address.index)}`;
}

export function routeText(kernel: Kernel, route: RouteMessage): string {
  const { family, to, length = 0, gateway, oif, table, protocol, scope, type, priority, metrics } = route;
  const destination = to === undefined ? `default${family}/${length}` : formatCidr({ ip: to, length });
  return [
    `route ${destination} dev ${nameOf(kernel, oif)}`,
    ...(gateway === undefined ? [] : [`via ${formatIp(gateway)}`]),
    `table ${table} proto ${protocol} scope ${scope} type ${type} metric ${priority ?? 0}`,
    ...(metrics?.mtu === undefined ? [] : [`mtu ${metrics.mtu}`]),
    ...(metrics?.advmss === undefined ? [] : [`advmss ${metrics.advmss}`]),
  ].join(" ");
}

function ruleText({ family, priority = 0, table, from, fromLength = 0, to, toLength = 0 }: RuleMessage): string {
  const prefix = (ip: Ip | undefined, length: number) => ip === undefined ? "all" : formatCidr({ ip, length });
  return `rule${family} ${priority} from ${prefix(from, fromLength)} to ${prefix(to, toLength)} lookup ${table}`;
}

/** The route changes that a socket has heard of, a line each. */
export function eventTexts(kernel: Kernel, socket: Socket): string[] {
  const out: string[] = [];
  for (let next = socket.receive(false); next !== undefined; next = socket.receive(false)) {
    for (const { added, route } of routeEvents(next)) out.push(`${added ? "+" : "-"} ${routeText(kernel, route)}`);
  }
  return out;
}
