import assert from "node:assert/strict";
import { formatCidr, formatIp, hostPrefix } from "../../src/ip.ts";
import {
  delRoute,
  newRoute,
  type Route,
  routeEvents,
  RT_SCOPE_HOST,
  RT_SCOPE_UNIVERSE,
  RT_TABLE_LOCAL,
  RTN_LOCAL,
  RTNLGRP_ROUTE,
} from "../../src/netlink/route.ts";
import { create, remove } from "../../src/state/apply.ts";
import type { RouteObject } from "../../src/state/route.ts";
import { cidr, ip } from "../lib/parsed.ts";
import { Room } from "./room.ts";

async function routed(): Promise<Room> {
  const room = await Room.make();
  await room.ip("addr add 192.0.2.1/24 dev ul0");
  await room.ip("addr add fd00:ff::1/64 dev ul0 nodad");
  return room;
}

function onUl0(route: Omit<RouteObject, "kind" | "in" | "device">): RouteObject {
  return { kind: "route", in: "node", device: { name: "ul0" }, ...route };
}

/** What `ip route` shows of a route, as one line. */
async function shown(room: Room, family: string, filter: string): Promise<string[]> {
  return (await room.host.must(["ip", "-d", family, "route", "show", ...filter.split(" ")])).split("\n")
    .map((line) => line.trim()).filter((line) => line !== "");
}

Deno.test("routes are for ip what they are for us, in every table, with protocol, metric and gateway", async () => {
  await using room = await routed();
  const oif = room.index("ul0");
  const cases: [route: Route, family: string, filter: string, wanted: RegExp][] = [
    [
      { to: hostPrefix(ip("10.97.1.5")), oif, protocol: 192, scope: 0 },
      "-4",
      "proto 192",
      /^unicast 10\.97\.1\.5 dev ul0 scope global$/,
    ],
    [
      { to: hostPrefix(ip("10.97.1.6")), oif, protocol: 99, metric: 77, scope: 0 },
      "-4",
      "proto 99",
      /^unicast 10\.97\.1\.6 dev ul0 scope global metric 77$/,
    ],
    [
      { to: cidr("10.97.1.0/24"), oif, table: 192 },
      "-4",
      "table 192",
      /^unicast 10\.97\.1\.0\/24 dev ul0 (proto boot )?scope link$/,
    ],
    [
      { to: cidr("10.97.2.0/24"), oif, table: 70000 },
      "-4",
      "table 70000",
      /^unicast 10\.97\.2\.0\/24 dev ul0 (proto boot )?scope link$/,
    ],
    [
      { to: cidr("0.0.0.0/0"), oif, gateway: ip("192.0.2.254") },
      "-4",
      "default",
      /^unicast default via 192\.0\.2\.254 dev ul0/,
    ],
    [
      { to: hostPrefix(ip("fd00:97::5")), oif, protocol: 192 },
      "-6",
      "proto 192",
      /^unicast fd00:97::5 dev ul0 .*metric 1024/,
    ],
    [{ to: cidr("fd00:97::/64"), oif, table: 192 }, "-6", "table 192", /^unicast fd00:97::\/64 dev ul0/],
    [
      { to: cidr("::/0"), oif, gateway: ip("fd00:ff::fe") },
      "-6",
      "default",
      /^unicast default via fd00:ff::fe dev ul0/,
    ],
  ];
  for (const [route, family, filter, wanted] of cases) {
    room.kernel.execute(newRoute(route));
    const lines = await shown(room, family, filter);
    assert.equal(lines.length, 1, lines.join("\n"));
    assert.match(lines[0] ?? "", wanted);
    assert.throws(() => room.kernel.execute(newRoute(route)), /EEXIST/);
    room.kernel.execute(delRoute(route));
    assert.deepEqual(await shown(room, family, filter), []);
    assert.throws(() => room.kernel.execute(delRoute(route)), /ESRCH/);
  }
});

Deno.test("routes that ip made are read, by table, device and protocol", async () => {
  await using room = await routed();
  await room.ip("route add 10.97.1.5 dev ul0 proto 192");
  await room.ip("route add 10.97.1.6 dev wire proto 192 metric 5");
  await room.ip("route add 10.97.1.0/24 dev ul0 table 70000");
  await room.ip("-6 route add fd00:97::5 dev ul0 proto 192");
  const read = (version: 4 | 6, filter: Parameters<typeof room.kernel.routes>[1]) =>
    room.kernel.routes(version, filter).map(({ to, length = 0 }) =>
      to === undefined ? "default" : formatCidr({ ip: to, length })
    );
  assert.deepEqual(read(4, { table: 254, protocol: 192 }), ["10.97.1.5/32", "10.97.1.6/32"]);
  assert.deepEqual(read(4, { table: 254, protocol: 192, oif: room.index("wire") }), ["10.97.1.6/32"]);
  assert.deepEqual(read(4, { table: 70000 }), ["10.97.1.0/24"]);
  assert.deepEqual(read(4, { table: 4711 }), []);
  assert.deepEqual(read(6, { table: 254, protocol: 192 }), ["fd00:97::5/128"]);
  const object = onUl0({ to: cidr("10.97.1.0/24"), table: 70000 });
  assert.equal(room.inspect(object).state, "present");
  assert.equal(room.inspect({ ...object, device: { name: "wire" } }).state, "missing");
  assert.equal(room.inspect({ ...object, device: { name: "none" } }).state, "missing");
  assert.equal(room.inspect({ ...object, table: 254 }).state, "missing");
});

Deno.test("the route that the kernel would take is found as it stands in the table", async () => {
  await using room = await routed();
  await room.ip("route add default via 192.0.2.254");
  await room.ip("route add 10.97.0.0/16 dev wire");
  await room.ip("route add 10.97.1.5 dev ul0 proto 192");
  await room.ip("-6 route add fd00:97::5 dev ul0 proto 192");
  await room.ip("-6 route add fd00:97::/64 dev wire");
  const lengths = ["10.97.1.5", "10.97.1.6", "198.51.100.1", "192.0.2.1", "fd00:97::5", "fd00:97::6", "fd00:ff::1"].map(
    (text) => {
      const found = room.kernel.lookup(ip(text));
      return [text, found?.length, found?.oif === room.index("wire") ? "wire" : "other"];
    },
  );
  assert.deepEqual(lengths, [
    ["10.97.1.5", 32, "other"],
    ["10.97.1.6", 16, "wire"],
    ["198.51.100.1", 0, "other"],
    ["192.0.2.1", 32, "other"],
    ["fd00:97::5", 128, "other"],
    ["fd00:97::6", 64, "wire"],
    ["fd00:ff::1", 128, "other"],
  ]);
  assert.equal(room.kernel.lookup(ip("2001:db8::1")), undefined);
  await room.ip("route add unreachable 203.0.113.0/24");
  assert.equal(room.kernel.lookup(ip("203.0.113.1")), undefined);
});

Deno.test("route changes of ip's arrive as events", async () => {
  await using room = await routed();
  using events = room.netns.events([RTNLGRP_ROUTE[4], RTNLGRP_ROUTE[6]]);
  await room.ip("route add 10.97.1.5 dev ul0 proto 192 metric 9");
  await room.ip("-6 route add fd00:97::5 dev ul0 proto 192");
  await room.ip("route del 10.97.1.5 dev ul0 proto 192 metric 9");
  const seen: string[] = [];
  while (seen.length < 3) {
    for (const { added, route } of routeEvents(events.receive(true) ?? new Uint8Array())) {
      if (route.protocol === 192) {
        seen.push(`${added} ${formatIp(route.to ?? ip("::"))} ${route.oif === room.index("ul0")} ${route.priority}`);
      }
    }
  }
  assert.deepEqual(seen, ["true 10.97.1.5 true 9", "true fd00:97::5 true 1024", "false 10.97.1.5 true 9"]);
});

/** What a route can have beside its destination, and how `ip -d route` shows it behind the device. */
const KINDS: [route: Omit<RouteObject, "kind" | "in" | "device">, family: string, filter: string, shown: RegExp][] = [
  [{ to: cidr("10.97.1.5/32") }, "-4", "10.97.1.5", /^unicast 10\.97\.1\.5 dev ul0 (proto boot )?scope link$/],
  [{ to: cidr("10.97.1.5/32"), metric: 77 }, "-4", "10.97.1.5", / metric 77$/],
  [{ to: cidr("10.97.1.5/32"), protocol: 192 }, "-4", "10.97.1.5", / proto (192|eigrp) /],
  [{ to: cidr("10.97.1.5/32"), scope: RT_SCOPE_UNIVERSE }, "-4", "10.97.1.5", / scope global$/],
  [{ to: cidr("10.97.1.5/32"), table: 70000 }, "-4", "10.97.1.5 table 70000", / scope link$/],
  [
    { to: cidr("10.97.1.5/32"), table: RT_TABLE_LOCAL, scope: RT_SCOPE_HOST, type: RTN_LOCAL },
    "-4",
    "10.97.1.5 table local",
    /^local 10\.97\.1\.5 dev ul0 (proto boot )?scope host$/,
  ],
  [{ to: cidr("10.98.0.0/16"), gateway: ip("192.0.2.254"), mtu: 1300 }, "-4", "10.98.0.0/16", / mtu 1300$/],
  [{ to: cidr("10.98.0.0/16"), gateway: ip("192.0.2.254"), advmss: 1260 }, "-4", "10.98.0.0/16", / advmss 1260$/],
  [
    { to: cidr("0.0.0.0/0"), gateway: ip("192.0.2.254") },
    "-4",
    "default",
    /^unicast default via 192\.0\.2\.254 dev ul0/,
  ],
  [{ to: cidr("fd00:97::5/128"), protocol: 192, metric: 77 }, "-6", "fd00:97::5", / proto (192|eigrp) .*metric 77 /],
  [
    { to: cidr("fd00:97::/64"), table: 192, metric: 5 },
    "-6",
    "table 192",
    /^unicast fd00:97::\/64 dev ul0 .*metric 5 /,
  ],
  [
    { to: cidr("fd00:98::/48"), gateway: ip("fd00:ff::fe"), mtu: 1300, advmss: 1240 },
    "-6",
    "fd00:98::/48",
    /via fd00:ff::fe dev ul0 .*mtu 1300 advmss 1240/,
  ],
  [{ to: cidr("::/0"), gateway: ip("fd00:ff::fe") }, "-6", "default", /^unicast default via fd00:ff::fe dev ul0/],
];

Deno.test("a route with whatever it can have is put, found and taken away", async () => {
  await using room = await routed();
  const node = room.kernel;
  for (const [route, family, filter, wanted] of KINDS) {
    const object = onUl0(route);
    const what = `${formatCidr(route.to)} ${JSON.stringify(Object.keys(route))}`;
    assert.equal(room.inspect(object).state, "missing", what);
    create({ node }, [object], new AsyncDisposableStack());
    assert.equal(room.inspect(object).state, "present", what);
    const lines = await shown(room, family, filter);
    assert.equal(lines.length, 1, what);
    assert.match(lines[0] ?? "", wanted);
    remove({ node }, [object]);
    assert.deepEqual(await shown(room, family, filter), [], what);
    assert.equal(room.inspect(object).state, "missing", what);
    remove({ node }, [object]);
  }
});

Deno.test("a route that has another value than the wanted one is another route", async () => {
  await using room = await routed();
  await room.ip("route add 10.98.0.0/16 via 192.0.2.254 dev ul0 proto 99 metric 7 mtu 1300 advmss 1260");
  await room.ip("-6 route add fd00:98::/48 via fd00:ff::fe dev ul0 proto 99 metric 7 mtu 1300 advmss 1240");
  const four = onUl0({ to: cidr("10.98.0.0/16"), gateway: ip("192.0.2.254") });
  const six = onUl0({ to: cidr("fd00:98::/48"), gateway: ip("fd00:ff::fe") });
  const same = { protocol: 99, metric: 7, table: 254, type: 1, scope: RT_SCOPE_UNIVERSE, mtu: 1300 };
  for (const object of [four, six]) {
    assert.equal(room.inspect(object).state, "present", "what is not said is not compared");
    assert.equal(room.inspect({ ...object, ...same }).state, "present");
    const others = { protocol: 98, metric: 8, table: 192, type: 2, mtu: 1301, advmss: 1, gateway: ip("192.0.2.253") };
    for (const [key, value] of Object.entries(others)) {
      assert.equal(room.inspect({ ...object, ...same, [key]: value }).state, "missing", key);
    }
    assert.equal(room.inspect({ ...object, gateway: undefined }).state, "missing", "without its gateway");
  }
  assert.equal(room.inspect({ ...four, scope: RT_SCOPE_HOST }).state, "missing");
  assert.equal(room.inspect({ ...six, scope: RT_SCOPE_HOST }).state, "present", "IPv6 knows no scopes");
});

Deno.test("a host route is found behind a preferred one, and not where its device is gone", async () => {
  await using room = await routed();
  await room.ip("route add 10.97.1.5 dev ul0 metric 9");
  await room.ip("route add 10.97.1.5 dev wire metric 5");
  const object = onUl0({ to: cidr("10.97.1.5/32"), metric: 9 });
  assert.equal(room.inspect(object).state, "present");
  const device = { name: "ul0", index: room.index("ul0") };
  await room.ip("link del ul0");
  assert.equal(room.inspect(object).state, "missing");
  assert.equal(room.inspect({ ...object, device }).state, "missing");
  remove({ node: room.kernel }, [object, { ...object, device }]);
});
