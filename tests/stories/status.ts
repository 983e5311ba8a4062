/** STATUS: whether ADD would work. */
import { deepEqual, equal, match } from "node:assert/strict";
import { netConf, red } from "../lib/config.ts";
import { changes, type Stage, type Story } from "../lib/stage.ts";

async function ready(stage: Stage, options: Parameters<Stage["call"]>[2] = {}): Promise<void> {
  const { code, stdout, stderr } = await stage.call("STATUS", "", options);
  deepEqual([code, stdout, stderr], [0, "", ""]);
}

export const STATUS: readonly Story[] = [
  {
    title: "ready before and after the first container, also without CNI_PATH",
    async run(stage) {
      await ready(stage);
      await stage.run("ADD", "c1");
      await ready(stage);
      await ready(stage, { path: "" });
      await stage.run("DEL", "c1");
      await ready(stage);
      deepEqual(await changes(stage), []);
    },
  },
  {
    title: "not ready without the device of the underlay, and when the subnet is full",
    async run(stage) {
      const gone = netConf({ vxlans: [red({ options: { vtepdev: "ul9" } })] });
      const missing = await stage.refuse("STATUS", "", { config: gone });
      equal(missing.code, 50);
      match(missing.msg, /vtepdev.*"ul9"/);
      const config = netConf({ vxlans: [red({ cidr: "10.97.1.0/30" })] });
      await stage.run("ADD", "c1", { config });
      const full = await stage.refuse("STATUS", "", { config });
      equal(full.code, 50);
      match(full.msg, /10\.97\.1\.0\/30: all 2 are taken/);
    },
  },
  {
    title: "a configuration that makes no sense is no question of readiness",
    async run(stage) {
      for (const vxlans of [[], [red({ id: "x" })]]) {
        equal((await stage.refuse("STATUS", "", { config: netConf({ vxlans }) })).code, 7);
      }
    },
  },
];
