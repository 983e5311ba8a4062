/** The kernel refuses the k-th write of an ADD, for every k: afterwards everything is as before. */
import { deepEqual, ok } from "node:assert/strict";
import { failingWorld } from "../fake/failing.ts";
import { netConf, red } from "../lib/config.ts";
import { callerIn, everything, type Stage, type Story } from "../lib/stage.ts";

const window = (reserve: number) => ({ type: "routetable-ipam", propagationTimeout: 30, reserve });

const CONFIGS: [name: string, config: unknown, reserves: boolean][] = [
  ["one family", netConf(), false],
  ["both families", netConf({ vxlans: [red({ cidrs: ["fd00:97::/64"] })] }), false],
  ["a window to wait out", netConf({ ipam: window(0) }), false],
  ["two in reserve", netConf({ ipam: window(2) }), true],
];

export const UNDO: readonly Story[] = CONFIGS.flatMap(([name, config, reserves]) =>
  [false, true].map((second): Story => ({
    title: `an ADD (${second ? "second" : "first"} container, ${name}) that fails at any write leaves nothing`,
    async run(stage) {
      const id = second ? "c2" : "c1";
      if (second) await stage.run("ADD", "c1", { config });
      const dry = { count: 0, fail: 0 };
      await callerIn(failingWorld(stage.world, dry)).run("ADD", id, { config });
      await stage.run("DEL", id, { config });
      ok(dry.count >= (second ? 4 : 10), `${dry.count} writes`);
      for (let k = 1; k <= dry.count; k++) {
        const before = await settled(stage, reserves);
        const { code, json } = await callerIn(failingWorld(stage.world, { count: 0, fail: k })).call("ADD", id, {
          config,
        });
        const where = `write ${k} of ${dry.count}: ${json?.msg}`;
        // A reservation that cannot be made is no reason to fail.
        if (code !== 0 || !reserves) {
          deepEqual([code, json?.code], [1, 100], where);
          deepEqual(await settled(stage, reserves), before, where);
          await stage.run("ADD", id, { config });
        }
        await stage.run("DEL", id, { config });
      }
    },
  }))
);

/** What is in reserve is the node's, not the attachment's: a failed ADD may have used it up, but every claim still has its record. */
async function settled(stage: Stage, reserves: boolean): Promise<unknown> {
  if (!reserves) return await everything(stage);
  const node = await stage.lines();
  const claims = node.flatMap((line) => /^route (\S+) dev mv_red proto eigrp/.exec(line)?.[1] ?? []);
  const records = node.flatMap((line) => /^file addresses\/(\S+)\.json/.exec(line)?.[1] ?? []);
  return {
    orphans: [
      ...claims.filter((ip) => !records.includes(ip)),
      ...records.filter((ip) => !claims.includes(ip)),
      ...node.filter((line) => line.startsWith("file making/")),
    ],
    links: node.filter((line) => line.startsWith("link ")),
    containers: await Promise.all(["c1", "c2"].map((name) => stage.lines(name))),
  };
}
