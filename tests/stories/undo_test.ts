/** The kernel refuses the k-th write of an ADD, for every k: afterwards everything is as before. The same on a real kernel: tests/kernel/undo_test.ts. */
import { deepEqual, equal, ok } from "node:assert/strict";
import { formatIp } from "../../src/ip.ts";
import { failingWorld } from "../fake/failing.ts";
import type { FakeWorld } from "../fake/world.ts";
import { call, config, everything, node } from "../lib/story.ts";

const CONFIGS: [name: string, config: Record<string, unknown>, reserves: boolean][] = [
  ["one family", config(), false],
  ["both families", config({ cidrs: ["fd00:97:1::/64"] }), false],
  ["a window to wait out", config({}, { ipam: { type: "routetable-ipam", propagationTimeout: 250 } }), false],
  ["two in reserve", config({}, { ipam: { type: "routetable-ipam", propagationTimeout: 250, reserve: 2 } }), true],
];

/** A node, with a container `c1` on its network if this is about the second one. */
async function start(raw: Record<string, unknown>, second: boolean): Promise<FakeWorld> {
  const world = node();
  if (second) equal((await call(world, raw, { id: "c1" })).code, 0);
  return world;
}

for (const [name, raw, reserves] of CONFIGS) {
  for (const second of [false, true]) {
    const [which, id] = second ? ["second", "c2"] : ["first", "c1"];
    Deno.test(`an ADD (${which} container, ${name}) that fails at any write leaves nothing`, async () => {
      const dry = { count: 0, fail: 0 };
      equal((await call(failingWorld(await start(raw, second), dry), raw, { id })).code, 0);
      ok(dry.count >= (second ? 4 : 10), `${dry.count} writes`);
      for (let k = 1; k <= dry.count; k++) {
        const world = await start(raw, second);
        const before = settled(world, reserves);
        const { code, json } = await call(failingWorld(world, { count: 0, fail: k }), raw, { id });
        const where = `write ${k} of ${dry.count}: ${json.msg}`;
        // A reservation that cannot be made is no reason to fail.
        if (code === 0 && reserves) continue;
        deepEqual([code, json.code], [1, 100], where);
        deepEqual(settled(world, reserves), before, where);
        equal((await call(world, raw, { id })).code, 0, `the next ADD, after ${where}`);
      }
    });
  }
}

/** What is in reserve is the node's, not the attachment's: a failed ADD may have used it up, but every claim still has its record. */
function settled(world: FakeWorld, reserves: boolean): unknown {
  const all = everything(world);
  if (!reserves) return all;
  const written = [...world.files.values()].join();
  const claims = world.node.routes.flatMap(({ oif, to, length, protocol }) =>
    oif !== 2 && length === 32 && protocol !== 2 && to !== undefined ? [formatIp(to)] : []
  );
  const orphans = claims.filter((ip) => !written.includes(`"${ip}"`));
  return { orphans, containers: [all.c1, all.c2], links: world.node.links.map(({ name }) => name) };
}
