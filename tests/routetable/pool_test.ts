/** Which addresses can be given out, and that all of them are. */
import { deepEqual, equal, ok } from "node:assert/strict";
import { formatIp, hostPrefix, type Ip } from "../../src/ip.ts";
import { newLink } from "../../src/netlink/link.ts";
import { newRoute } from "../../src/netlink/route.ts";
import { isTaken, pick, range, usage } from "../../src/routetable/pool.ts";
import { type Node, openNode } from "../../src/state/node.ts";
import { fakeWorld } from "../fake/world.ts";
import { cidr, ip } from "../lib/parsed.ts";

/** A node with a device for routes. */
function ready(): Node & Disposable {
  const node = openNode(fakeWorld());
  node.kernel.execute(newLink({ name: "mv_red", flags: 1, change: 1, info: { kind: "dummy" } }));
  return node;
}

function addRoute({ kernel }: Node, text: string): void {
  kernel.execute(newRoute({ to: cidr(text), oif: kernel.link("mv_red")?.index ?? 0, protocol: 192 }));
}

const RANGES: [prefix: string, first: number, last: number, from: string, to: string][] = [
  ["10.97.1.0/24", 0, 0, "10.97.1.1", "10.97.1.254"],
  ["10.97.1.0/24", 1, 1, "10.97.1.2", "10.97.1.253"],
  ["10.97.1.0/24", 10, 20, "10.97.1.11", "10.97.1.234"],
  ["10.97.1.8/29", 0, 0, "10.97.1.9", "10.97.1.14"],
  ["10.97.1.8/29", 1, 1, "10.97.1.10", "10.97.1.13"],
  ["10.97.1.8/30", 0, 0, "10.97.1.9", "10.97.1.10"],
  ["10.97.1.8/31", 0, 0, "10.97.1.8", "10.97.1.9"],
  ["10.97.1.8/31", 1, 0, "10.97.1.9", "10.97.1.9"],
  ["10.97.1.8/32", 0, 0, "10.97.1.8", "10.97.1.8"],
  ["fd00::/126", 0, 0, "fd00::1", "fd00::3"],
  ["fd00::/126", 1, 1, "fd00::2", "fd00::2"],
  ["fd00::/127", 0, 0, "fd00::", "fd00::1"],
  ["fd00::/128", 0, 0, "fd00::", "fd00::"],
  ["fd00:97:1::/64", 0, 0, "fd00:97:1::1", "fd00:97:1:0:ffff:ffff:ffff:ffff"],
  ["fd00:97:1::/64", 255, 1, "fd00:97:1::100", "fd00:97:1:0:ffff:ffff:ffff:fffe"],
  ["fd00:97:1::/48", 0, 0, "fd00:97:1::1", "fd00:97:1:ffff:ffff:ffff:ffff:ffff"],
];

Deno.test("range(): the network id and the next N are left out, the broadcast and the N before it", () => {
  for (const [prefix, excludeFirst, excludeLast, from, to] of RANGES) {
    const { ip, length } = cidr(prefix);
    const { first, last } = range({ prefix: { ip, length }, excludeFirst, excludeLast });
    const text = (value: bigint) => formatIp({ version: ip.version, value });
    deepEqual([text(first), text(last)], [from, to], `${prefix}, ${excludeFirst} and ${excludeLast} excluded`);
  }
});

/** Takes addresses until none is left. */
function takeAll(prefix: string, excludeFirst = 0, excludeLast = 0): { taken: string[]; exhausted: bigint } {
  using node = ready();
  const pool = { prefix: cidr(prefix), excludeFirst, excludeLast };
  const taken: string[] = [];
  for (;;) {
    const ip: Ip | { exhausted: bigint } = pick(node, pool, new Set());
    if ("exhausted" in ip) {
      const { taken: used, size } = usage(node, pool);
      deepEqual([used, size], [ip.exhausted, ip.exhausted]);
      return { taken: taken.sort(), exhausted: ip.exhausted };
    }
    const text = formatIp(ip);
    equal(taken.includes(text), false, `${text} was given out twice`);
    taken.push(text);
    addRoute(node, `${text}/${hostPrefix(ip).length}`);
  }
}

Deno.test("pick(): all addresses of a prefix are given out, each once, then it is exhausted", () => {
  const cases: [prefix: string, size: number, first: string][] = [
    ["10.97.1.8/29", 6, "10.97.1.10"],
    ["10.97.1.8/30", 2, "10.97.1.10"],
    ["10.97.1.8/31", 2, "10.97.1.8"],
    ["10.97.1.8/32", 1, "10.97.1.8"],
    ["fd00::/126", 3, "fd00::1"],
    ["fd00::/127", 2, "fd00::"],
  ];
  for (const [prefix, size, first] of cases) {
    const { taken, exhausted } = takeAll(prefix);
    equal(taken.length, size, prefix);
    equal(taken[0], first, prefix);
    equal(exhausted, BigInt(size), prefix);
  }
  deepEqual(takeAll("10.97.1.8/29", 1, 1).taken, ["10.97.1.10", "10.97.1.11", "10.97.1.12", "10.97.1.13"]);
  deepEqual(takeAll("10.97.1.8/30", 1, 1), { taken: [], exhausted: 0n });
});

Deno.test("pick(): of a large prefix any part is drawn, and addresses to avoid are not", () => {
  using node = ready();
  const drawn = (prefix: string) =>
    Array.from({ length: 32 }, () => {
      const ip = pick(node, { prefix: cidr(prefix), excludeFirst: 0, excludeLast: 0 }, new Set());
      return "exhausted" in ip ? -1n : ip.value;
    });
  for (const prefix of ["fd00:97:1::/64", "fd00:97:1::/48", "10.0.0.0/8"]) {
    const { ip, length } = cidr(prefix);
    const middle = ip.value + (1n << BigInt((ip.version === 4 ? 32 : 128) - length - 1));
    const values = drawn(prefix);
    equal(new Set(values).size, 32, prefix);
    ok(values.some((value) => value < middle) && values.some((value) => value > middle), prefix);
  }
  const pool = { prefix: cidr("10.97.1.8/30"), excludeFirst: 0, excludeLast: 0 };
  const other = cidr("10.97.1.9/32").ip.value;
  const ip = pick(node, pool, new Set([other]));
  equal("exhausted" in ip ? "" : formatIp(ip), "10.97.1.10");
});

Deno.test("usage(): a large prefix is counted by its host routes, other routes do not count", () => {
  using node = ready();
  for (const text of ["10.1.2.3/32", "10.200.0.1/32", "10.3.0.0/16", "11.0.0.1/32"]) addRoute(node, text);
  const { taken, size } = usage(node, { prefix: cidr("10.0.0.0/8"), excludeFirst: 0, excludeLast: 0 });
  deepEqual([taken, size], [2n, (1n << 24n) - 2n]);
});

Deno.test("isTaken(): a host route takes an address, a route to more than it does not", () => {
  using node = ready();
  addRoute(node, "10.97.1.0/24");
  addRoute(node, "10.97.1.5/32");
  addRoute(node, "fd00::5/128");
  deepEqual(["10.97.1.5", "10.97.1.6", "fd00::5", "fd00::6"].map((text) => isTaken(node, ip(text))), [
    true,
    false,
    true,
    false,
  ]);
});
