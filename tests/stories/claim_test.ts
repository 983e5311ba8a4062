/** The window in which a claim spreads: who else has the address, who else wants it, and who wins. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { hear, probe } from "../../src/frame.ts";
import { announcement } from "../fake/frames.ts";
import { parseIp } from "../../src/ip.ts";
import { newLink } from "../fake/space.ts";
import type { FakeWorld } from "../fake/world.ts";
import { type Call, call, everything, holds, node, route } from "../lib/story.ts";

const OWN = "02:00:5e:00:00:50";
const LOWER = "02:00:5e:00:00:10";
const HIGHER = "02:00:5e:00:00:90";
const MV = 3;
/** Milliseconds. */
const WINDOW = 250;

function claiming(): FakeWorld {
  const world = node();
  newLink(world.node, world.node, { name: "mv_red", flags: 1 }, OWN);
  return world;
}

const config = (ipam: object = {}) => ({
  ...{ cniVersion: "1.1.0", name: "vxnet", type: "vxlan" },
  ipam: { type: "routetable-ipam", subnet: "10.97.1.0/29", device: "mv_red", propagationTimeout: WINDOW, ...ipam },
});

/** An ADD, how long it took on the world's clock, and what it answered. */
async function add(world: FakeWorld, raw: Record<string, unknown>, how: Call = {}) {
  const start = world.now();
  const { code, json } = await call(world, raw, { ipam: true, ...how });
  return { code, json, took: world.now() - start, ip: json.ips?.[0]?.address.replace(/\/.*/, "") };
}

const ip4 = (text: string) => parseIp(text) ?? { version: 4, value: 0n };
const claims = (world: FakeWorld) => holds(world.node).filter((line) => line.includes("mv_red proto 192"));

Deno.test("a claim that nobody disputes takes one window, and asks the broadcast domain three times", async () => {
  const world = claiming();
  const { took, ip = "" } = await add(world, config());
  ok(took >= WINDOW && took < WINDOW + 10, `${took} ms`);
  const asked = world.node.frames.filter(({ index }) => index === MV).map(({ frame }) => hear(frame));
  deepEqual(asked, Array(3).fill({ kind: "probe", address: ip4(ip), mac: OWN }));
});

Deno.test("two families share one window; a single node does not wait at all; probe: false asks nobody", async () => {
  const both = await add(claiming(), config({ cidrs: ["fd00:97:1::/64"] }));
  deepEqual([both.json.ips?.length, both.took < WINDOW + 10], [2, true]);
  const single = claiming();
  equal((await add(single, config({ propagationTimeout: 0 }))).took, 0);
  const silent = claiming();
  await add(silent, config({ probe: false }));
  equal(single.node.frames.length + silent.node.frames.length, 0);
});

/** What happens in the middle of the window, whether the address that was asked for is kept, and the reason if not. */
const EVENTS: [what: string, event: (world: FakeWorld) => void, kept: boolean, reason: RegExp][] = [
  [
    "somebody answers that it has the address",
    (world) => arrives(world, announcement(ip4("10.97.1.3"), HIGHER)),
    false,
    /in use by 02:00:5e:00:00:90/,
  ],
  [
    "somebody with a lower hardware address probes for it",
    (world) => arrives(world, probe(ip4("10.97.1.3"), LOWER)),
    false,
    /02:00:5e:00:00:10 claims it at the same time/,
  ],
  [
    "somebody with a higher hardware address probes for it",
    (world) => arrives(world, probe(ip4("10.97.1.3"), HIGHER)),
    true,
    /./,
  ],
  ["somebody has another address", (world) => arrives(world, announcement(ip4("10.97.1.4"), LOWER)), true, /./],
  ["our own frame comes back", (world) => arrives(world, probe(ip4("10.97.1.3"), OWN)), true, /./],
  [
    "another node's route to it comes in",
    (world) => foreign(world, "10.97.1.3/32"),
    false,
    /a route of another node leads to it/,
  ],
  ["another node's route to another address comes in", (world) => foreign(world, "10.97.1.4/32"), true, /./],
  ["a wider route comes in", (world) => foreign(world, "10.97.1.2/31"), true, /./],
];

function arrives(world: FakeWorld, frame: Uint8Array): void {
  world.kernel.deliver(world.node, MV, frame);
}

/** As a routing daemon installs it: it is preferred to nothing and coexists with ours. */
function foreign(world: FakeWorld, to: string): void {
  world.node.routes = world.node.routes.map((one) => one.protocol === 192 ? { ...one, priority: 0 } : one);
  const gateway = parseIp("192.0.2.2");
  const [ip = "", length] = to.split("/");
  const base = { family: 2, to: parseIp(ip), length: Number(length), oif: 2, gateway, protocol: 12, table: 254 };
  const made = { ...base, headerTable: 254, scope: 0, type: 1, flags: 0, priority: 32 };
  world.node.routes.push(made);
  world.node.changed(true, made);
}

for (const [what, event, kept, reason] of EVENTS) {
  Deno.test(`in the window: ${what}: the address is ${kept ? "kept" : "given up, at once when it was asked for"}`, async () => {
    const world = claiming();
    world.at(world.now() + 100, () => event(world));
    const { code, json, took, ip } = await add(world, config(), { args: "IP=10.97.1.3" });
    if (kept) return deepEqual([code, ip, claims(world).length], [0, "10.97.1.3", 1], json.msg);
    equal(json.code, 101);
    match(json.msg ?? "", reason);
    ok(took < WINDOW, `${took} ms`);
    deepEqual(claims(world), []);
  });
}

Deno.test("a route that came and went in the window is a conflict as well", async () => {
  const world = claiming();
  world.at(world.now() + 50, () => foreign(world, "10.97.1.3/32"));
  world.at(world.now() + 60, () => {
    const gone = world.node.routes.filter(({ protocol }) => protocol === 12);
    world.node.routes = world.node.routes.filter(({ protocol }) => protocol !== 12);
    for (const one of gone) world.node.changed(false, one);
  });
  const { json } = await add(world, config(), { args: "IP=10.97.1.3" });
  equal(json.code, 101, json.msg);
});

Deno.test("a claimant that loses takes another address at once", async () => {
  const world = claiming();
  let disputed = "";
  world.at(world.now() + 100, () => {
    disputed = claims(world)[0]?.split(" ")[1]?.replace("/32", "") ?? "";
    arrives(world, announcement(ip4(disputed), HIGHER));
  });
  const { code, took, ip } = await add(world, config());
  equal(code, 0);
  ok(ip !== disputed && ip !== undefined);
  ok(took < 100 + WINDOW + 10, `${took} ms: the loser does not sleep`);
  deepEqual(claims(world).length, 1);
});

Deno.test("of two claimants that hear each other exactly one keeps the address", async () => {
  for (const [own, other, kept] of [["10", "90", true], ["90", "10", false]] as const) {
    const world = node();
    newLink(world.node, world.node, { name: "mv_red", flags: 1 }, `02:00:5e:00:00:${own}`);
    const probes = probe(ip4("10.97.1.3"), `02:00:5e:00:00:${other}`);
    for (const time of [5, 80, 160]) world.at(world.now() + time, () => arrives(world, probes));
    const { code, json } = await add(world, config(), { args: "IP=10.97.1.3" });
    deepEqual([code === 0, claims(world).length], [kept, kept ? 1 : 0], json.msg);
  }
});

Deno.test("a route that was there before the window is seen by the look-up", async () => {
  const world = claiming();
  route(world.node, 2, "10.97.1.3/32", { gateway: "192.0.2.2", protocol: 12 });
  const { json, took } = await add(world, config(), { args: "IP=10.97.1.3" });
  deepEqual([json.code, took], [101, 0], json.msg);
});

Deno.test("when one family cannot be had, the other is given back", async () => {
  const world = claiming();
  route(world.node, 2, "fd00:97:1::5/128", { protocol: 12 });
  const before = everything(world);
  const raw = config({ cidrs: ["fd00:97:1::/64"] });
  const { json } = await add(world, raw, { args: "IP=10.97.1.3,fd00:97:1::5" });
  equal(json.code, 101, json.msg);
  deepEqual(everything(world), before);
});
