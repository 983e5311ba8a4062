/** Processes that are killed, or told to end. Each step and each next verb: tests/stories/crash.ts; here each moment, and each next verb at one of them. */
import assert from "node:assert/strict";
import { start } from "../lib/call.ts";
import { IPAM, netConf, red } from "../lib/config.ts";
import { Node } from "./node.ts";

/** A window that no test waits out. */
const SLOW = netConf({ ipam: { ...IPAM, propagationTimeout: 60000 }, vxlans: [red({ cidrs: ["fd00:97::/64"] })] });
const QUICK = netConf({ vxlans: [red({ cidrs: ["fd00:97::/64"] })] });
const RECORD = "/run/vxlan-cni/*/attachments/vx_red/c1@eth0.json";

/** What a shell on the host can see of an ADD on its way. */
const MOMENTS: Record<string, string> = {
  "its record is there": `test -e ${RECORD}`,
  "the vxlan device is there": "ip link show vx_red",
  "the macvlan device is there": "ip link show mv_red",
  "the bypass rule is there": "ip rule show priority 32765 | grep -q lookup",
  "a claim is there": "ip route show proto 192 | grep -q .",
  "all claims are there":
    "test $(ip -4 route show proto 192 | wc -l) = 2 && test $(ip -6 route show proto 192 | wc -l) = 2",
  "the container's link is there": "ip -n c1 link show eth0",
};

/** Starts a slow ADD for `c1` and sends it a signal at a moment; returns how it ended. */
async function interrupt(node: Node, moment: string, signal: Deno.Signal) {
  const running = await start(node.host, "ADD", { config: SLOW, containerId: "c1", netns: "c1", ifname: "eth0" });
  await node.host.must(["sh", "-c", `until { ${MOMENTS[moment]}; } >/dev/null 2>&1; do :; done`]);
  running.kill(signal);
  return await running.ended;
}

const NEXT: Record<string, (node: Node) => Promise<void>> = {
  "DEL of it": async (node) => {
    await node.run("DEL", "c1", { config: SLOW });
  },
  "DEL of it without its namespace": async (node) => {
    await node.host.must(["ip", "netns", "del", "c1"]);
    await node.run("DEL", "c1", { config: SLOW });
  },
  "ADD of it again, and DEL": async (node) => {
    await node.host.must(["sh", "-c", "ip netns del c1 && ip netns add c1"]);
    await node.run("ADD", "c1", { config: QUICK });
    assert.equal(await claims(node), 4);
    await node.run("DEL", "c1", { config: QUICK });
  },
  "ADD of another one, and its DEL": async (node) => {
    const other = await node.container("c2");
    const added = await node.run("ADD", other, { config: QUICK });
    assert.equal(await claims(node), 4);
    await node.run("CHECK", other, { config: { ...QUICK, prevResult: added } });
    await node.run("DEL", other, { config: QUICK });
  },
  "GC of all": async (node) => {
    await node.run("GC", "c1", { config: { ...QUICK, "cni.dev/valid-attachments": [] } });
  },
};

/** Host routes of claims, both families. */
async function claims({ host }: Node): Promise<number> {
  const routes = await Promise.all(["-4", "-6"].map((family) => host.ip(`${family} route show proto 192`)));
  return routes.flat().length;
}

for (const [index, moment] of Object.keys(MOMENTS).entries()) {
  const [name = "", next] = Object.entries(NEXT)[index % Object.keys(NEXT).length] ?? [];

  Deno.test(`ADD killed when ${moment}: ${name} cleans up`, async () => {
    await using node = await Node.make();
    await node.container("c1");
    await interrupt(node, moment, "SIGKILL");
    await next?.(node);
    assert.deepEqual(await node.changes(), []);
  });

  Deno.test(`ADD told to end by SIGTERM when ${moment}: everything is undone before it ends`, async () => {
    await using node = await Node.make();
    await node.container("c1");
    const { code, json, stderr } = await interrupt(node, moment, "SIGTERM");
    assert.notEqual(code, 0);
    assert.match(json?.msg ?? "", /signal/);
    assert.equal(stderr, "");
    assert.deepEqual(await node.changes(), []);
    assert.equal((await node.host.ip("link", "c1")).length, 1);
  });
}

Deno.test("DEL killed at any moment is finished by the next one", async () => {
  for (
    const moment of [
      `test ! -e ${RECORD}`,
      "! ip -n c1 link show eth0",
      "! ip link show mv_red",
    ]
  ) {
    await using node = await Node.make();
    await node.container("c1");
    await node.run("ADD", "c1", { config: QUICK });
    const running = await start(node.host, "DEL", { config: QUICK, containerId: "c1", netns: "c1", ifname: "eth0" });
    await node.host.must(["sh", "-c", `until { ${moment}; } >/dev/null 2>&1; do :; done`]);
    try {
      running.kill("SIGKILL");
    } catch (error) {
      // It was quicker than the shell.
      assert.ok(error instanceof TypeError || error instanceof Deno.errors.NotFound);
    }
    await running.ended;
    await node.run("DEL", "c1", { config: QUICK });
    assert.deepEqual(await node.changes(), [], moment);
  }
});
