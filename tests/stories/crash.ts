/** Calls that are killed before any of their steps: the next verb, whichever it is, cleans up. */
import { deepEqual, equal, ok } from "node:assert/strict";
import { dyingWorld } from "../fake/dying.ts";
import { netConf, red } from "../lib/config.ts";
import { callerIn, changes, everything, type Stage, type Story } from "../lib/stage.ts";

const config = netConf({ vxlans: [red({ cidrs: ["fd00:97::/64"] })] });
const NOBODY = { ...config, "cni.dev/valid-attachments": [] };

/** Kills a verb of `c1` before each of its steps in turn; `prepare` comes before, `next` after it. */
async function killedAtEach(
  stage: Stage,
  verb: string,
  { prepare, next }: { prepare?: () => Promise<unknown>; next: (last: number) => Promise<void> },
): Promise<void> {
  for (let last = 1;; last++) {
    await prepare?.();
    const steps = { count: 0, last };
    await callerIn(dyingWorld(stage.world, steps)).call(verb, "c1", { config });
    if (steps.count < last) {
      ok(last > 15, `${last} steps`);
      return;
    }
    stage.crash();
    await next(last);
  }
}

async function claims(stage: Stage): Promise<number> {
  return (await changes(stage)).filter((line) => line.includes("proto eigrp")).length;
}

/** What comes after the crash; each must leave the node as it was in the beginning. */
const NEXT: Readonly<Record<string, (stage: Stage) => Promise<void>>> = {
  async "its DEL"(stage) {
    await stage.run("DEL", "c1", { config });
  },
  async "its DEL without its namespace"(stage) {
    await stage.ip("netns del c1");
    await stage.run("DEL", "c1", { config });
    await stage.ip("netns add c1");
  },
  async "its ADD in a new namespace"(stage) {
    await stage.ip("netns del c1");
    await stage.ip("netns add c1");
    await stage.run("ADD", "c1", { config });
    equal(await claims(stage), 4);
    await stage.run("DEL", "c1", { config });
  },
  async "the ADD of another one"(stage) {
    const prevResult = await stage.run("ADD", "c2", { config });
    equal(await claims(stage), 4);
    await stage.run("CHECK", "c2", { config: { ...config, prevResult } });
    await stage.run("DEL", "c2", { config });
  },
  async "GC"(stage) {
    await stage.run("GC", "", { config: NOBODY });
  },
};

const ADDS: readonly Story[] = Object.entries(NEXT).map(([name, next]) => ({
  title: `an ADD that is killed before any of its steps is cleaned up by ${name}`,
  run: (stage) =>
    killedAtEach(stage, "ADD", {
      async next(last) {
        await next(stage);
        deepEqual(await changes(stage), [], `killed before step ${last}`);
      },
    }),
}));

const DELS: readonly Story[] = ["its DEL", "the ADD of another one", "GC"].map((name) => ({
  title: `a DEL that is killed after any of its steps is finished by ${name}`,
  run: (stage) =>
    killedAtEach(stage, "DEL", {
      prepare: () => stage.run("ADD", "c1", { config }),
      async next(last) {
        // Before its first step it is as if it had not been called.
        if (last === 1) await stage.run("DEL", "c1", { config });
        await NEXT[name]?.(stage);
        deepEqual(await changes(stage), [], `killed before step ${last}`);
        // The interface may have been left where the namespace was not looked at again.
        await stage.run("DEL", "c1", { config });
      },
    }),
}));

export const CRASH: readonly Story[] = [
  ...ADDS,
  ...DELS,
  {
    title: "a crash beside a running container harms neither it nor the node's side",
    async run(stage) {
      const prevResult = await stage.run("ADD", "c2", { config });
      const before = await everything(stage);
      const kept = { ...config, "cni.dev/valid-attachments": [{ containerID: "c2", ifname: "eth0" }] };
      await killedAtEach(stage, "ADD", {
        async next(last) {
          await stage.run("GC", "", { config: kept });
          deepEqual(await everything(stage), before, `killed before step ${last}`);
        },
      });
      await stage.run("CHECK", "c2", { config: { ...config, prevResult } });
    },
  },
];
