/** GC: what is not listed as valid is released, of this configuration only. */
import { deepEqual, equal, ok } from "node:assert/strict";
import { blue, netConf, red } from "../lib/config.ts";
import { changes, everything, type Stage, type Story } from "../lib/stage.ts";

const KEY = "cni.dev/valid-attachments";
/** As libcni spells it. */
const ALIAS = "cni.dev/attachments";
const VXLANS = [red(), blue()];
const OTHER = netConf({
  name: "other",
  defaultNetwork: "green",
  vxlans: [red({ id: 103, name: "green", cidr: "10.97.3.0/24" })],
});

/** `c1` and `c3` in `red`, `c2` in `blue`. */
async function populated(stage: Stage): Promise<void> {
  for (const [id, defaultNetwork] of [["c1", "red"], ["c2", "blue"], ["c3", "red"]] as const) {
    await stage.run("ADD", id, { config: netConf({ vxlans: VXLANS, defaultNetwork }) });
  }
}

const gc = (changed: Record<string, unknown>) => ({ config: netConf({ vxlans: VXLANS, ...changed }) });

export const GC: readonly Story[] = [
  {
    title: "without a list of valid attachments it is refused and removes nothing",
    async run(stage) {
      await populated(stage);
      const before = await everything(stage);
      for (const changed of [{}, { [KEY]: "all" }, { [KEY]: [{ containerID: "c1" }] }, { [ALIAS]: [5] }]) {
        const { code, msg } = await stage.refuse("GC", "", gc(changed));
        equal(code, 7, msg);
        ok(msg.includes(ALIAS in changed ? ALIAS : KEY), msg);
        deepEqual(await everything(stage), before);
      }
    },
  },
  ...[KEY, ALIAS].map((key): Story => ({
    title: `what is not listed in "${key}" goes, an interface of another name too`,
    async run(stage) {
      await populated(stage);
      const kept = [{ containerID: "c1", ifname: "eth0" }, { containerID: "c2", ifname: "eth1" }];
      await stage.run("GC", "", gc({ [key]: kept }));
      const left = await Promise.all(["c1", "c2", "c3"].map((id) => stage.link("eth0", id)));
      deepEqual(left.map((link) => link !== undefined), [true, false, false]);
      const node = await changes(stage);
      ok(node.includes("+ link vx_red") && !node.includes("+ link vx_blue"));
      equal(node.filter((line) => line.includes("proto eigrp")).length, 2);
      await stage.run("DEL", "c1", gc({}));
      deepEqual(await changes(stage), []);
    },
  })),
  {
    title: "an empty list takes all of this configuration and nothing of another",
    async run(stage) {
      const prevResult = await stage.run("ADD", "c1", { config: OTHER, ifname: "eth1" });
      const before = await everything(stage);
      await populated(stage);
      await stage.run("GC", "", gc({ [KEY]: [] }));
      deepEqual(await everything(stage), before);
      await stage.run("CHECK", "c1", { config: { ...OTHER, prevResult }, ifname: "eth1" });
      await stage.run("GC", "", { config: { ...OTHER, [KEY]: [] } });
      deepEqual(await changes(stage), []);
    },
  },
  {
    title: "it works when the namespaces have gone and the configuration has changed",
    async run(stage) {
      await populated(stage);
      for (const id of ["c1", "c2", "c3"]) await stage.ip(`netns del ${id}`);
      await stage.run("GC", "", gc({ vxlans: [blue()], defaultNetwork: "blue", [KEY]: [] }));
      deepEqual(await changes(stage), []);
    },
  },
];
