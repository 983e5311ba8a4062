/** Routes: added, refused, listed, deleted, and what is heard of them. */
import { type Cidr } from "../../../src/ip.ts";
import { delAddress } from "../../../src/netlink/address.ts";
import { delLink, newLink } from "../../../src/netlink/link.ts";
import {
  delRoute,
  newRoute,
  type Route,
  RT_SCOPE_HOST,
  RT_SCOPE_UNIVERSE,
  RT_TABLE_LOCAL,
  RTN_LOCAL,
  RTNLGRP_ROUTE,
} from "../../../src/netlink/route.ts";
import { cidr, ip } from "../../lib/parsed.ts";
import { addresses, on } from "./addresses.ts";
import { vxlan } from "./links.ts";
import type { Scenarios } from "./scenarios.ts";
import { eventTexts, routeText, type Side } from "./side.ts";

/** Two links with addresses. */
export async function twoLinks(side: Side): Promise<{ a: number; b: number }> {
  side.tell(vxlan("a", { id: 1 }), vxlan("b", { id: 2 }));
  await addresses(side, "a", "192.0.2.1/24", "fd00:a::1/64");
  await addresses(side, "b", "198.51.100.1/24", "fd00:b::1/64");
  return { a: side.at("a"), b: side.at("b") };
}

const HOST4 = cidr("10.97.1.5/32");
const HOST6 = cidr("fd00:97::5/128");
const BOTH: readonly Cidr[] = [HOST4, HOST6];

function list(side: Side, filter: Parameters<Side["node"]["routes"]>[1]): void {
  for (const version of [4, 6] as const) {
    const read = () => side.node.routes(version, filter).map((one) => routeText(side.node, one)).sort();
    side.show(`IPv${version} routes with ${JSON.stringify(filter)}`, read);
  }
}

export const ROUTES: Scenarios = {
  "routes with all that they can have": async (side) => {
    const { a, b } = await twoLinks(side);
    const claim = { protocol: 192, scope: RT_SCOPE_UNIVERSE };
    const routes: Route[] = [
      ...BOTH.map((to) => ({ to, oif: a, ...claim })),
      { to: cidr("10.97.1.6/32"), oif: a, ...claim, metric: 16777214 },
      { to: cidr("10.97.1.0/24"), oif: a, table: 192 },
      { to: cidr("fd00:97::/64"), oif: a, table: 70000 },
      { to: cidr("0.0.0.0/0"), oif: a, gateway: ip("192.0.2.254") },
      { to: cidr("::/0"), oif: b, gateway: ip("fd00:b::fe") },
      { to: cidr("10.98.0.0/16"), oif: b, gateway: ip("198.51.100.9"), metric: 5, mtu: 1300, advmss: 1260 },
      { to: cidr("fd00:98::/48"), oif: b, gateway: ip("fd00:b::9"), metric: 5, mtu: 1300, advmss: 1260 },
    ];
    side.tell(...routes.map(newRoute));
    side.showAll();
    side.tell(...routes.map(newRoute));
    side.tell(...routes.map(delRoute));
    side.showAll();
    side.tell(...routes.map(delRoute));
  },
  "a destination is taken once for each table and metric": async (side) => {
    const { a, b } = await twoLinks(side);
    for (const to of BOTH) {
      side.tell(
        newRoute({ to, oif: a }),
        newRoute({ to, oif: b }),
        newRoute({ to, oif: a, protocol: 192 }),
        newRoute({ to, oif: a, metric: 1024 }),
        newRoute({ to, oif: a, metric: 7 }),
        newRoute({ to, oif: b, metric: 7, protocol: 12 }),
        newRoute({ to, oif: b, table: 192 }),
        newRoute({ to, oif: b, table: 70000 }),
        newRoute({ to, oif: a, scope: RT_SCOPE_UNIVERSE }),
      );
    }
    side.showAll();
  },
  "a route is deleted by what is said of it": async (side) => {
    const { a, b } = await twoLinks(side);
    const gateways = [ip("192.0.2.254"), ip("fd00:a::fe")];
    for (const [index, to] of BOTH.entries()) {
      side.tell(
        newRoute({ to, oif: a, protocol: 192, metric: 7 }),
        newRoute({ to, oif: a, protocol: 192, metric: 9 }),
        newRoute({ to, oif: a, gateway: gateways[index], metric: 11 }),
      );
      side.tell(
        delRoute({ to, oif: b, protocol: 192, metric: 7 }),
        delRoute({ to, oif: a, protocol: 12, metric: 7 }),
        delRoute({ to, oif: a, protocol: 192, metric: 8 }),
        delRoute({ to, oif: a, protocol: 192, metric: 7, table: 192 }),
        delRoute({ to, oif: a, protocol: 192, metric: 7, scope: RT_SCOPE_HOST }),
        delRoute({ to, oif: a, metric: 11 }),
        delRoute({ to, oif: a, gateway: ip(index === 0 ? "192.0.2.253" : "fd00:a::fd"), metric: 11 }),
        delRoute({ to, oif: a, gateway: gateways[index] }),
      );
    }
    side.showAll();
  },
  "of several routes that fit the preferred one is deleted": async (side) => {
    const { a } = await twoLinks(side);
    for (const to of BOTH) {
      side.tell(...[9, 7, 8].map((metric) => newRoute({ to, oif: a, metric })));
      side.tell(delRoute({ to, oif: a }));
    }
    side.showAll();
  },
  "a gateway must be reached by its link": async (side) => {
    const { a, b } = await twoLinks(side);
    const [to4, to6] = [cidr("10.98.0.0/16"), cidr("fd00:98::/48")];
    side.tell(
      newRoute({ to: to4, oif: a, gateway: ip("203.0.113.9") }),
      newRoute({ to: to4, oif: b, gateway: ip("192.0.2.254") }),
      newRoute({ to: to4, oif: a, gateway: ip("192.0.2.1") }),
      newRoute({ to: to6, oif: a, gateway: ip("fd00:c::9") }),
      newRoute({ to: to6, oif: b, gateway: ip("fd00:a::fe") }),
      newRoute({ to: to6, oif: a, gateway: ip("fd00:a::1") }),
    );
    side.tell(newRoute({ to: cidr("203.0.113.9/32"), oif: a }), newRoute({ to: cidr("fd00:c::9/128"), oif: a }));
    side.tell(
      newRoute({ to: to4, oif: a, gateway: ip("203.0.113.9") }),
      newRoute({ to: to6, oif: a, gateway: ip("fd00:c::9") }),
    );
    side.showAll();
  },
  "a link that is down or gone has no routes": async (side) => {
    side.tell(newLink({ name: "down", info: { kind: "vxlan", vxlan: { id: 3 } } }));
    await twoLinks(side);
    for (const to of BOTH) side.tell(newRoute({ to, oif: side.at("down") }), newRoute({ to, oif: 99 }));
    for (const to of BOTH) side.tell(delRoute({ to, oif: side.at("down") }), delRoute({ to, oif: 99 }));
    side.showAll();
  },
  "routes are listed by table, device and protocol; a table that nobody has used is empty": async (side) => {
    const { a, b } = await twoLinks(side);
    for (const to of BOTH) {
      side.tell(newRoute({ to, oif: a, protocol: 192 }), newRoute({ to, oif: b, metric: 5, table: 192 }));
    }
    for (const filter of [{ table: 254 }, { table: 255 }, { table: 192 }, { table: 4711 }, { table: 253 }]) {
      list(side, filter);
    }
    for (const filter of [{ oif: a }, { oif: 99 }, { protocol: 192 }, { table: 254, oif: b, protocol: 2 }]) {
      list(side, filter);
    }
    for (const to of BOTH) side.tell(delRoute({ to, oif: b, metric: 5, table: 192 }));
    list(side, { table: 192 });
  },
  "a node answers for an address by a local route": async (side) => {
    const { a } = await twoLinks(side);
    const local = { to: HOST4, oif: a, table: RT_TABLE_LOCAL, scope: RT_SCOPE_HOST, type: RTN_LOCAL };
    const claim = { to: HOST4, oif: a, protocol: 192, scope: RT_SCOPE_UNIVERSE };
    side.tell(newRoute(claim), newRoute(local), newRoute(local));
    side.showAll();
    side.tell(delRoute(claim), delRoute(local), delRoute(local));
    side.showAll();
  },
  "changes are heard of, by those who listen to their family": async (side) => {
    const { a } = await twoLinks(side);
    using both = side.node.netns.events([RTNLGRP_ROUTE[4], RTNLGRP_ROUTE[6]]);
    using six = side.node.netns.events([RTNLGRP_ROUTE[6]]);
    const heard = (what: string) => {
      side.show(`${what}: both`, () => eventTexts(side.node, both));
      side.show(`${what}: IPv6`, () => eventTexts(side.node, six));
    };
    for (const to of BOTH) side.tell(newRoute({ to, oif: a, protocol: 192, metric: 9 }));
    heard("added");
    for (const to of BOTH) side.tell(newRoute({ to, oif: a, protocol: 192, metric: 9 }));
    heard("refused");
    for (const to of BOTH) side.tell(delRoute({ to, oif: a, protocol: 192, metric: 9 }));
    heard("deleted");
    await addresses(side, "a", "10.97.9.1/24");
    heard("an address");
    side.tell(delAddress(on(side, "a", "10.97.9.1/24")));
    heard("an address that goes");
    for (const to of BOTH) side.tell(newRoute({ to, oif: a, protocol: 192, metric: 9 }));
    heard("added again");
    side.tell(delAddress(on(side, "a", "192.0.2.1/24")));
    side.show(
      "the last address that goes",
      () => eventTexts(side.node, both).filter((line) => line.includes("metric 9")),
    );
    side.tell(delLink("a", a));
    side.show("a link that goes", () => eventTexts(side.node, both).filter((line) => line.includes("metric 9")));
  },
};
