import assert from "node:assert/strict";
import { formatCidr, formatIp, hostPrefix } from "../../src/ip.ts";
import {
  addRoute,
  addRule,
  deleteRoute,
  deleteRule,
  type Route,
  routeEvents,
  RTNLGRP_IPV4_ROUTE,
  RTNLGRP_IPV6_ROUTE,
  type Rule,
} from "../../src/netlink/rtnetlink.ts";
import { inspect } from "../../src/state/object.ts";
import { cidr, ip, Room } from "./room.ts";

async function routed(): Promise<Room> {
  const room = await Room.make();
  await room.ip("addr add 192.0.2.1/24 dev ul0");
  await room.ip("addr add fd00:ff::1/64 dev ul0 nodad");
  return room;
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
    room.kernel.execute(addRoute(route));
    const lines = await shown(room, family, filter);
    assert.equal(lines.length, 1, lines.join("\n"));
    assert.match(lines[0] ?? "", wanted);
    assert.throws(() => room.kernel.execute(addRoute(route)), /EEXIST/);
    room.kernel.execute(deleteRoute(route));
    assert.deepEqual(await shown(room, family, filter), []);
    assert.throws(() => room.kernel.execute(deleteRoute(route)), /ESRCH/);
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
  const object = { kind: "route", device: "ul0", to: cidr("10.97.1.0/24"), table: 70000 } as const;
  assert.equal(inspect(room.kernel, object).state, "present");
  assert.equal(inspect(room.kernel, { ...object, device: "wire" }).state, "missing");
  assert.equal(inspect(room.kernel, { ...object, table: 254 }).state, "missing");
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
  using events = room.netns.netlink([RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE]);
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

Deno.test("rules are for ip what they are for us, and the other way round", async () => {
  await using room = await Room.make();
  const cases: [rule: Rule, family: string][] = [
    [{ prefix: cidr("10.97.1.0/24"), table: 192, priority: 32765 }, "-4"],
    [{ prefix: cidr("10.97.2.0/24"), table: 70000, priority: 100 }, "-4"],
    [{ prefix: cidr("fd00:97::/64"), table: 192, priority: 32765 }, "-6"],
  ];
  for (const [rule, family] of cases) {
    const prefix = formatCidr(rule.prefix);
    const object = { kind: "rule", ...rule } as const;
    const line = `${rule.priority}:\tfrom ${prefix} to ${prefix} lookup ${rule.table}\n`;
    const show = () => room.host.must(["ip", family, "rule", "show", "priority", String(rule.priority)]);
    room.kernel.execute(addRule(rule));
    assert.equal((await show()).replace(/ +\n/, "\n"), line);
    assert.equal(inspect(room.kernel, object).state, "present");
    assert.throws(() => room.kernel.execute(addRule(rule)), /EEXIST/);
    room.kernel.execute(deleteRule(rule));
    assert.equal(await show(), "");
    assert.throws(() => room.kernel.execute(deleteRule(rule)), /ENOENT/);
    await room.ip(`${family} rule add from ${prefix} to ${prefix} table ${rule.table} priority ${rule.priority}`);
    assert.equal(inspect(room.kernel, object).state, "present");
    assert.equal(inspect(room.kernel, { ...object, table: 193 }).state, "missing");
    assert.equal(inspect(room.kernel, { ...object, priority: 99 }).state, "missing");
  }
});
