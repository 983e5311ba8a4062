/** The route that the kernel would use, as it stands in the table. */
import { decode } from "../../../src/bytes.ts";
import { formatIp } from "../../../src/ip.ts";
import { request } from "../../../src/netlink/message.ts";
import { newLink } from "../../../src/netlink/link.ts";
import {
  newRoute,
  route,
  RT_SCOPE_HOST,
  RT_SCOPE_UNIVERSE,
  RT_TABLE_LOCAL,
  RTM_ROUTE,
  RTN_LOCAL,
} from "../../../src/netlink/route.ts";
import { delRule, newRule } from "../../../src/netlink/rule.ts";
import { cidr, ip } from "../../lib/parsed.ts";
import { twoLinks } from "./routes.ts";
import type { Scenarios } from "./scenarios.ts";
import { routeText, type Side } from "./side.ts";

/** Of a look-up: the route as it stands in the table, and which table that is. */
const RTM_F_FIB_MATCH = 0x2000;
const RTM_F_LOOKUP_TABLE = 0x1000;

/** Looks up addresses, each among all routes and among those of each link. */
function look(side: Side, ...texts: string[]): void {
  for (const to of texts.map(ip)) {
    for (const device of [undefined, "a", "b"]) {
      side.show(`${formatIp(to)} through ${device ?? "any link"}`, () => {
        const found = side.node.lookup(to, device === undefined ? undefined : side.at(device));
        return found === undefined ? "none" : routeText(side.node, found);
      });
    }
  }
}

export const LOOKUPS: Scenarios = {
  "in a namespace without routes": (side) => {
    for (const text of ["10.97.1.5", "127.0.0.1", "fd00:97::5", "::1", "239.1.1.1", "ff05::1"]) {
      side.show(text, () => side.node.lookup(ip(text)));
    }
  },
  "own addresses, their prefixes and what is beyond": async (side) => {
    await twoLinks(side);
    look(side, "192.0.2.1", "192.0.2.7", "192.0.2.255", "198.51.100.1", "203.0.113.1");
    look(side, "fd00:a::1", "fd00:a::7", "fd00:b::1", "2001:db8::1", "fd00:a::");
  },
  "multicast": async (side) => {
    const { a } = await twoLinks(side);
    look(side, "239.1.1.1", "ff05::101", "ff02::1");
    side.tell(newRoute({ to: cidr("239.1.0.0/16"), oif: side.at("b") }), newRoute({ to: cidr("::/0"), oif: a }));
    look(side, "239.1.1.1", "ff05::101");
  },
  "the longest prefix, then the lowest metric": async (side) => {
    const { a, b } = await twoLinks(side);
    for (
      const [host, wide, any] of [["10.97.1.5/32", "10.97.0.0/16", "0.0.0.0/0"], [
        "fd00:97::5/128",
        "fd00:97::/48",
        "::/0",
      ]]
    ) {
      side.tell(
        newRoute({ to: cidr(any ?? ""), oif: a }),
        newRoute({ to: cidr(wide ?? ""), oif: b }),
        newRoute({ to: cidr(host ?? ""), oif: a, metric: 16777214, protocol: 192, scope: RT_SCOPE_UNIVERSE }),
      );
    }
    look(side, "10.97.1.5", "10.97.1.6", "10.98.1.1", "fd00:97::5", "fd00:97::6", "fd00:98::1");
    side.tell(
      ...["10.97.1.5/32", "fd00:97::5/128"].map((to) => newRoute({ to: cidr(to), oif: b, metric: 32, protocol: 12 })),
    );
    look(side, "10.97.1.5", "fd00:97::5");
  },
  "the local table goes before the main one": async (side) => {
    const { a, b } = await twoLinks(side);
    const to = cidr("10.97.1.5/32");
    side.tell(newRoute({ to, oif: b, protocol: 192, scope: RT_SCOPE_UNIVERSE }));
    side.tell(newRoute({ to, oif: a, table: RT_TABLE_LOCAL, scope: RT_SCOPE_HOST, type: RTN_LOCAL }));
    look(side, "10.97.1.5");
  },
  "which table IPv4 says a route is in": async (side) => {
    await twoLinks(side);
    const ask = (flags: number) => {
      for (const text of ["192.0.2.1", "192.0.2.7"]) {
        const value = { family: 2, length: 32, to: ip(text), flags };
        side.show(`${text} asked with ${flags}`, () => {
          const [reply] = side.node.execute(request("look up", route, { type: RTM_ROUTE.get, value }));
          return reply === undefined ? "none" : routeText(side.node, decode(route, reply));
        });
      }
    };
    for (const flags of [RTM_F_FIB_MATCH, RTM_F_FIB_MATCH | RTM_F_LOOKUP_TABLE]) ask(flags);
    // From the first rule on the local table is one of its own.
    const rule = { from: cidr("10.97.1.0/24"), to: cidr("10.97.1.0/24"), table: 192, priority: 32765 };
    side.tell(newRule(rule), delRule(rule));
    for (const flags of [RTM_F_FIB_MATCH, RTM_F_FIB_MATCH | RTM_F_LOOKUP_TABLE]) ask(flags);
  },
  "a rule for a source does not count, a table of one's own is not asked": async (side) => {
    const { b } = await twoLinks(side);
    const prefix = cidr("10.97.1.0/24");
    side.tell(newRoute({ to: prefix, oif: b, table: 192 }));
    side.tell(newRule({ from: prefix, to: prefix, table: 192, priority: 32765 }));
    look(side, "10.97.1.5");
  },
  "through a link that is down or gone": async (side) => {
    const { a } = await twoLinks(side);
    side.tell(newLink({ name: "down", info: { kind: "vxlan", vxlan: { id: 3 } } }));
    side.tell(newRoute({ to: cidr("0.0.0.0/0"), oif: a }), newRoute({ to: cidr("::/0"), oif: a }));
    for (const text of ["10.97.1.5", "fd00:97::5"]) {
      side.show(`${text} down`, () => side.node.lookup(ip(text), side.at("down")));
      side.show(`${text} gone`, () => side.node.lookup(ip(text), 99));
    }
  },
};
