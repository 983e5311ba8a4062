/** A fake namespace as `ip` shows it: the lines of tests/lib/state.ts. */
import { bits, formatCidr, formatIp, type Ip } from "../../src/ip.ts";
import type { RouteMessage } from "../../src/netlink/route.ts";
import type { RuleMessage } from "../../src/netlink/rule.ts";
import type { LinkSeen } from "../lib/stage.ts";
import type { FakeLink, Space } from "./space.ts";

/** As iproute2 names them. */
export const PROTOCOLS: Readonly<Record<string, number>> = { kernel: 2, boot: 3, static: 4, bird: 12, eigrp: 192 };
export const TABLES: Readonly<Record<string, number>> = { default: 253, main: 254, local: 255 };
const SCOPES: Readonly<Record<number, string>> = { 253: "link", 254: "host" };
const BOOT = 3;
const IPV6 = 10;

const nameOf = (names: Readonly<Record<string, number>>, value = 0) =>
  Object.entries(names).find(([, number]) => number === value)?.[0] ?? String(value);

export function linesOf(space: Space): string[] {
  return [
    ...space.links.map(({ name }) => `link ${name}`),
    ...space.addresses.map(({ index, cidr }) =>
      `address ${deviceOf(space, index)} ${cidr.ip.version === 4 ? "inet" : "inet6"} ${formatCidr(cidr)}`
    ),
    ...space.routes.map((route) => routeLine(space, route)),
    ...space.rules.map(ruleLine),
  ].sort();
}

function deviceOf({ links }: Space, index: number | undefined): string {
  return links.find((link) => link.index === index)?.name ?? "none";
}

function routeLine(space: Space, route: RouteMessage): string {
  const { family, type, gateway, oif, table, protocol, scope = 0, priority } = route;
  const inMain = table === undefined || table === TABLES.main;
  const words = [
    type === 2 ? "local" : undefined,
    destination(route.to, route.length),
    ...(gateway === undefined ? [] : ["via", formatIp(gateway)]),
    ...["dev", deviceOf(space, oif)],
    ...(inMain ? [] : ["table", nameOf(TABLES, table)]),
    ...(protocol === BOOT ? [] : ["proto", nameOf(PROTOCOLS, protocol)]),
    ...(family === IPV6 || scope === 0 ? [] : ["scope", SCOPES[scope] ?? scope]),
    ...(priority === undefined ? [] : ["metric", priority]),
    ...(family === IPV6 ? ["pref", "medium"] : []),
  ];
  return ["route", ...words.filter((word) => word !== undefined)].join(" ");
}

function destination(to: Ip | undefined, length = 0): string {
  if (to === undefined || length === 0) return "default";
  return length === bits(to.version) ? formatIp(to) : formatCidr({ ip: to, length });
}

function ruleLine({ family, priority = 0, from, to, fromLength = 0, toLength = 0, table }: RuleMessage): string {
  const source = from === undefined ? "all" : formatCidr({ ip: from, length: fromLength });
  const target = to === undefined ? "" : ` to ${formatCidr({ ip: to, length: toLength })}`;
  const noun = family === IPV6 ? "rule6" : "rule";
  return `${noun} ${priority}:\tfrom ${source}${target} lookup ${nameOf(TABLES, table)}`;
}

/** A link as `ip -d link show` describes it. */
export function seen({ index, kind, mac, mtu, txqlen, up, parent, vxlan }: FakeLink, { links }: Space): LinkSeen {
  const { id, group, link, port, learning, ageing } = vxlan ?? {};
  const underlay = links.find((one) => one.index === link)?.name;
  const data = vxlan === undefined ? {} : {
    ...(group === undefined ? {} : { group: formatIp(group) }),
    ...(underlay === undefined ? {} : { link: underlay }),
    ...{ id, port, learning, ageing },
  };
  return { index, kind, mac, mtu, txqlen, up, parent: parent?.name, tentative: false, data };
}
