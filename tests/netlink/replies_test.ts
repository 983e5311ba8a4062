/** What the kernel answered `ip`, decoded: `fixtures/netlink/*_reply.hex`. */
import { deepEqual, equal } from "node:assert/strict";
import { formatIp } from "../../src/ip.ts";
import { decode } from "../../src/bytes.ts";
import { address } from "../../src/netlink/address.ts";
import { type Link, link } from "../../src/netlink/link.ts";
import { route, type RouteMessage } from "../../src/netlink/route.ts";
import { rule } from "../../src/netlink/rule.ts";
import { messages } from "../lib/golden.ts";

const RTM_NEWLINK = 16;

function links(): Map<string | undefined, Link> {
  const found = messages("link_dump_reply").filter(({ type }) => type === RTM_NEWLINK);
  return new Map(found.map(({ payload }) => decode(link, payload)).map((one) => [one.name, one]));
}

/** Values with addresses as text. */
function readable(value: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      typeof inner === "object" && inner !== null && "version" in inner ? formatIp(inner) : inner,
    ]),
  );
}

Deno.test("link: names, states, sizes and parents of all links", () => {
  const all = links();
  deepEqual([...all.keys()].sort(), ["lo", "mv_red", "ul0", "ul1", "vx_opt", "vx_red", "vx_six"]);
  const macvlan = all.get("mv_red");
  const vxlan = all.get("vx_red");
  deepEqual([macvlan?.mtu, macvlan?.mac, (macvlan?.flags ?? 0) & 1], [1400, "02:00:5e:10:00:03", 1]);
  equal(macvlan?.link, vxlan?.index);
  deepEqual(macvlan?.info, { kind: "macvlan", macvlan: { mode: 4, flags: 0 } });
  deepEqual([all.get("lo")?.info, all.get("ul0")?.info], [undefined, { kind: "veth" }]);
  deepEqual([all.get("vx_opt")?.txqlen, all.get("vx_opt")?.mac], [500, "02:00:5e:10:00:63"]);
  deepEqual([vxlan?.mtu, all.get("vx_six")?.mtu], [1450, 1430]);
});

Deno.test("link: a vxlan that was given little has the kernel's defaults", () => {
  const device = links().get("ul0")?.index;
  deepEqual(readable(links().get("vx_red")?.info?.vxlan ?? {}), {
    ...{ id: 101, group: "239.1.1.101", link: device, ttl: 4, tos: 0, learning: true, proxy: false, rsc: false },
    ...{ l2miss: false, l3miss: false, ageing: 300, limit: 0, port: 4789, portRange: { low: 0, high: 0 } },
  });
});

Deno.test("link: a vxlan with every option", () => {
  const device = links().get("ul0")?.index;
  deepEqual(readable(links().get("vx_opt")?.info?.vxlan ?? {}), {
    // `ip` reads tos 16 as hexadecimal.
    ...{ id: 99, link: device, local: "192.0.2.1", ttl: 4, tos: 0x16, learning: false, proxy: true, rsc: true },
    ...{ l2miss: true, l3miss: true, ageing: 120, limit: 100, port: 4790, portRange: { low: 5000, high: 6000 } },
    gbp: true,
  });
});

Deno.test("link: a vxlan over IPv6", () => {
  const { group, local, group6, local6, port } = readable(links().get("vx_six")?.info?.vxlan ?? {});
  deepEqual({ group, local, group6, local6, port }, {
    ...{ group: undefined, local: undefined },
    ...{ group6: "ff05::101", local6: "fd00:ff::1", port: 8472 },
  });
});

Deno.test("address: both families, the link-local one too", () => {
  const all = messages("address_dump_reply").map(({ payload }) => decode(address, payload));
  const found = all.map(({ family, length, local, address }) => {
    const ip = local ?? address;
    return [family, length, ip === undefined ? "" : formatIp(ip)];
  });
  deepEqual(found.slice(0, 2), [[2, 24, "10.97.1.105"], [10, 64, "fd00:97:1::105"]]);
  equal(formatIp(all[0]?.broadcast ?? { version: 4, value: 0n }), "10.97.1.255");
  // IFA_F_PERMANENT, and IFA_F_NODAD where `nodad` was said
  deepEqual(all.slice(0, 2).map(({ flags }) => flags), [0x80, 0x82]);
});

function routes(name: string): string[] {
  const text = ({ to, length, gateway, table, protocol, scope, priority }: RouteMessage) =>
    [
      `${to === undefined ? "default" : formatIp(to)}/${length}`,
      ...(gateway === undefined ? [] : [`via ${formatIp(gateway)}`]),
      `table ${table} proto ${protocol} scope ${scope}`,
      ...(priority === undefined ? [] : [`metric ${priority}`]),
    ].join(" ");
  return messages(name).map(({ payload }) => text(decode(route, payload)));
}

Deno.test("route: what a whole table holds", () => {
  const all = routes("route_dump_reply");
  equal(all.length, 12);
  deepEqual(all.filter((line) => !line.includes("table 255")), [
    "10.97.1.0/24 table 192 proto 3 scope 253",
    "default/0 via 192.0.2.254 table 254 proto 3 scope 0",
    "10.97.1.0/24 table 254 proto 2 scope 253",
    "10.97.1.202/32 table 254 proto 192 scope 0",
    "192.0.2.0/24 table 254 proto 2 scope 253",
  ]);
});

Deno.test("route: a table beyond 255, where IPv6 has the metric 1024 that nobody gave", () => {
  deepEqual(routes("route_dump_v6_reply"), ["fd00:97:1::/64 table 70000 proto 3 scope 0 metric 1024"]);
});

Deno.test("route: the answer to a look-up is the route as it stands in the table", () => {
  deepEqual(routes("route_get_fibmatch_reply"), ["10.97.1.202/32 table 254 proto 192 scope 0"]);
});

Deno.test("rule: the kernel's own three, and the bypass", () => {
  const all = messages("rule_dump_reply").filter(({ type }) => type === 32).map(({ payload }) => decode(rule, payload));
  deepEqual(all.map(({ priority, table }) => [priority, table]), [
    [undefined, 255],
    [32765, 192],
    [32766, 254],
    [32767, 253],
  ]);
  const { from, fromLength, to, toLength, action } = readable(all[1] ?? {});
  deepEqual([from, fromLength, to, toLength, action], ["10.97.1.0", 24, "10.97.1.0", 24, 1]);
});
