/** The trace of VXLAN_CNI_LOG: what was asked of the kernel and how it ended, and what was decided and why. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { addresses } from "../lib/caller.ts";
import { netConf } from "../lib/config.ts";
import type { Story } from "../lib/stage.ts";

const TRACED = { env: { VXLAN_CNI_LOG: "1" } };

function linesOf(stderr: string): string[] {
  return stderr.split("\n").filter((line) => line !== "");
}

export const TRACE: readonly Story[] = [
  {
    title: "an ADD tells its network and why, each request with its namespace and its end, and its addresses",
    async run(stage) {
      const { stderr, json } = await stage.call("ADD", "c1", TRACED);
      const lines = linesOf(stderr);
      equal(lines[0], 'network "red": it is the default');
      const wanted = [
        "node: read link vx_red: Cannot read link vx_red: ENODEV (no such device)",
        'node: create link "vx_red": done',
        'node: create link "eth0": done',
        ...addresses(json ?? {}).flatMap((ip) => [
          `node: add route ${ip}/32: done`,
          `address ${ip}: claimed`,
          `/run/netns/c1: add address ${ip}/24 to "eth0": done`,
        ]),
      ];
      for (const line of wanted) ok(lines.includes(line), `${line}\n${stderr}`);
      for (const line of lines) match(line, /^(node|\/run\/netns\/c1|network ".*"|address \S+): \S.*/);
    },
  },
  {
    title: "an address that is lost is told with its reason",
    async run(stage) {
      await stage.ip("link add mv_red link ul0 type macvlan mode bridge");
      await stage.ip("link set mv_red up");
      const ipam = { type: "routetable-ipam", subnet: "10.97.1.0/24", device: "mv_red", propagationTimeout: 60_000 };
      const asked = { program: "routetable-ipam", config: netConf({ ipam }), args: "IP=10.97.1.3" };
      const call = stage.call("ADD", "c1", { ...TRACED, ...asked });
      const claim = "route 10.97.1.3 dev mv_red proto eigrp";
      await stage.until("the claim", async () => (await stage.lines()).includes(claim));
      await stage.ip("route add 10.97.1.3 via 192.0.2.2 dev ul0 proto bird metric 32");
      const { code, stderr } = await call;
      equal(code, 1);
      ok(linesOf(stderr).includes("address 10.97.1.3: lost: a route of another node leads to it"), stderr);
    },
  },
  {
    title: "every verb is silent without it; with it nothing of what the runtime sent is shown",
    async run(stage) {
      const ipam = { type: "routetable-ipam", propagationTimeout: 0, password: "hunter2" };
      const args = "IgnoreUnknown=1;TOKEN=hunter2";
      for (const env of [{}, { VXLAN_CNI_LOG: "1", API_TOKEN: "hunter2" }] as Record<string, string>[]) {
        const config = netConf({ ipam, apiToken: "hunter2" });
        const added = await stage.call("ADD", "c1", { config, args, env });
        const checked = { ...config, prevResult: added.json };
        const kept = { ...config, "cni.dev/valid-attachments": [{ containerID: "c1", ifname: "eth0" }] };
        const said = [added.stderr];
        for (const [verb, given] of [["CHECK", checked], ["STATUS", config], ["GC", kept], ["DEL", checked]] as const) {
          const { code, stdout, stderr } = await stage.call(verb, "c1", { config: given, args, env });
          deepEqual([code, stdout], [0, ""], verb);
          said.push(stderr);
        }
        equal(said.some((one) => one.includes("hunter2")), false);
        equal(said.every((one) => one === ""), env.VXLAN_CNI_LOG === undefined);
      }
    },
  },
];
