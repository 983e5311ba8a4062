/**
 * The window in which a claim spreads, on a fake node only: frames of other nodes come at a moment of it, and its length is looked
 * at, which needs a clock that is held. On real hosts the same is told by tests/lab.
 */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { hear, probe } from "../../src/frame.ts";
import { formatIp, parseIp } from "../../src/ip.ts";
import { announcement } from "../fake/frames.ts";
import { pathOf } from "../fake/ip.ts";
import { fakeStage } from "../fake/node.ts";
import type { FakeWorld } from "../fake/world.ts";
import type { Call } from "../lib/call.ts";
import { addresses } from "../lib/caller.ts";
import { netConf, red } from "../lib/config.ts";
import { changes, type Stage } from "../lib/stage.ts";

type FakeStage = Stage & { world: FakeWorld };

const OWN = "02:00:5e:00:00:50";
const LOWER = "02:00:5e:00:00:10";
const HIGHER = "02:00:5e:00:00:90";
/** Milliseconds. */
const WINDOW = 250;

async function claiming(mac = OWN): Promise<FakeStage> {
  const stage = fakeStage();
  await stage.ip("link add mv_red link ul0 type macvlan mode bridge");
  await stage.ip(`link set mv_red address ${mac} up`);
  return stage;
}

const conf = (ipam: object = {}) => ({
  ...{ cniVersion: "1.1.0", name: "vxnet", type: "vxlan" },
  ipam: { type: "routetable-ipam", subnet: "10.97.1.0/29", device: "mv_red", propagationTimeout: WINDOW, ...ipam },
});

/** An ADD, how long it took on the world's clock, and what it answered. */
async function add(stage: FakeStage, config: unknown = conf(), options: Call = {}) {
  const start = stage.world.now();
  const { code, json } = await stage.call("ADD", "c1", { program: "routetable-ipam", config, ...options });
  return { code, json, took: stage.world.now() - start, ip: addresses(json ?? {})[0] };
}

const ip4 = (text: string) => parseIp(text) ?? { version: 4, value: 0n };

async function claims(stage: FakeStage): Promise<string[]> {
  return (await changes(stage)).flatMap((line) => /^\+ route (\S+) dev mv_red proto eigrp/.exec(line)?.[1] ?? []);
}

function arrives({ world }: FakeStage, frame: Uint8Array): void {
  const index = world.node.links.find(({ name }) => name === "mv_red")?.index ?? 0;
  world.kernel.deliver(world.node, index, frame);
}

/** Frames that this node sent. */
const sent = ({ world }: FakeStage) => world.node.frames.map(({ frame }) => hear(frame));

Deno.test("a claim that nobody disputes takes one window, and asks the broadcast domain three times", async () => {
  const stage = await claiming();
  const { took, ip = "" } = await add(stage);
  ok(took >= WINDOW && took < WINDOW + 10, `${took} ms`);
  deepEqual(sent(stage), Array(3).fill({ kind: "probe", address: ip4(ip), mac: OWN }));
});

Deno.test("two families share one window; a single node does not wait at all; probe: false asks nobody", async () => {
  const both = await add(await claiming(), conf({ cidrs: ["fd00:97:1::/64"] }));
  deepEqual([both.json?.ips?.length, both.took < WINDOW + 10], [2, true]);
  const single = await claiming();
  equal((await add(single, conf({ propagationTimeout: 0 }))).took, 0);
  const silent = await claiming();
  await add(silent, conf({ probe: false }));
  equal(sent(single).length + sent(silent).length, 0);
});

/** Frames that come in the middle of the window, whether 10.97.1.3 is kept, and the reason if not. */
const FRAMES: [what: string, frame: Uint8Array, kept: boolean, reason: RegExp][] = [
  ["it is in use", announcement(ip4("10.97.1.3"), HIGHER), false, /in use by 02:00:5e:00:00:90/],
  ["a lower claimant", probe(ip4("10.97.1.3"), LOWER), false, /02:00:5e:00:00:10 claims it at the same time/],
  ["a higher claimant", probe(ip4("10.97.1.3"), HIGHER), true, /./],
  ["another address is in use", announcement(ip4("10.97.1.4"), LOWER), true, /./],
  ["our own frame comes back", probe(ip4("10.97.1.3"), OWN), true, /./],
];

for (const [what, frame, kept, reason] of FRAMES) {
  Deno.test(`in the window: ${what}: the address is ${kept ? "kept" : "given up, at once when it was asked for"}`, async () => {
    const stage = await claiming();
    stage.world.at(stage.world.now() + 100, () => arrives(stage, frame));
    const { code, json, took, ip } = await add(stage, conf(), { args: "IP=10.97.1.3" });
    if (kept) return deepEqual([code, ip, await claims(stage)], [0, "10.97.1.3", ["10.97.1.3"]], json?.msg);
    equal(json?.code, 101);
    match(json?.msg ?? "", reason);
    ok(took < WINDOW, `${took} ms`);
    deepEqual(await claims(stage), []);
  });
}

Deno.test("a claimant that loses does not wait before it takes another address", async () => {
  const stage = await claiming();
  let disputed = "";
  stage.world.at(stage.world.now() + 100, () => {
    const route = stage.world.node.routes.find(({ protocol }) => protocol === 192);
    disputed = route?.to === undefined ? "" : formatIp(route.to);
    arrives(stage, announcement(ip4(disputed), HIGHER));
  });
  const { code, took, ip } = await add(stage);
  equal(code, 0);
  ok(ip !== disputed && ip !== undefined);
  ok(took < 100 + WINDOW + 10, `${took} ms: the loser does not sleep`);
  deepEqual(await claims(stage), [ip]);
});

Deno.test("of two claimants that hear each other exactly one keeps the address", async () => {
  for (const [own, other, kept] of [["10", "90", true], ["90", "10", false]] as const) {
    const stage = await claiming(`02:00:5e:00:00:${own}`);
    const probes = probe(ip4("10.97.1.3"), `02:00:5e:00:00:${other}`);
    for (const time of [5, 80, 160]) stage.world.at(stage.world.now() + time, () => arrives(stage, probes));
    const { code, json } = await add(stage, conf(), { args: "IP=10.97.1.3" });
    deepEqual([code === 0, (await claims(stage)).length], [kept, kept ? 1 : 0], json?.msg);
  }
});

Deno.test("a route that was there before the window costs no time", async () => {
  const stage = await claiming();
  await stage.ip("route add 10.97.1.3 via 192.0.2.2 dev ul0 proto bird");
  const { json, took } = await add(stage, conf(), { args: "IP=10.97.1.3" });
  deepEqual([json?.code, took], [101, 0], json?.msg);
});

Deno.test("everybody on the network is told who has the address now", async () => {
  const stage = fakeStage();
  const added = await stage.run("ADD", "c1", { config: netConf({ vxlans: [red({ cidrs: ["fd00:97:1::/64"] })] }) });
  const told = stage.world.kernel.space(pathOf("c1")).frames.map(({ frame }) => hear(frame));
  deepEqual(told.map((one) => one?.kind), ["use", "use"]);
  deepEqual(told.map((one) => one === undefined ? "" : formatIp(one.address)), addresses(added));
});
