import assert from "node:assert/strict";
import { binDir, start } from "../lib/call.ts";
import { IPAM, netConf } from "../lib/config.ts";
import { Recorder } from "../lib/recorder.ts";
import { Node } from "./node.ts";

Deno.test("a node on which nothing but /run can be written is served all the same", async () => {
  await using node = await Node.make();
  const id = await node.container();
  for (const folder of ["/var/log", "/tmp", "/root"]) {
    await node.host.must(["mount", "-t", "tmpfs", "-o", "ro", "none", folder]);
  }
  // The executable must be seen where /tmp was.
  const program = "/run/bin/vxlan";
  await node.host.must([
    "sh",
    "-c",
    `mkdir /run/bin && umount /tmp && cp ${await binDir()}/vxlan ${program} && mount -t tmpfs -o ro none /tmp`,
  ]);
  const { interfaces } = await node.run("ADD", id, { program, path: "/run/bin" });
  assert.equal(interfaces?.length, 3);
  await node.run("DEL", id, { program, path: "/run/bin" });
  assert.deepEqual(await node.changes(), []);
});

Deno.test("SIGTERM reaches an IPAM plugin that runs as a process, and everything is undone", async () => {
  await using node = await Node.make();
  const id = await node.container();
  const { path } = await Recorder.on(node.host, { type: "routetable-ipam", beside: [await binDir()] });
  const config = netConf({ ipam: { ...IPAM, propagationTimeout: 60000 } });
  const running = await start(node.host, "ADD", { config, path, containerId: id, netns: id, ifname: "eth0" });
  await node.host.must(["sh", "-c", "until test $(ip -4 route show proto 192 | wc -l) = 2; do :; done"]);
  running.kill("SIGTERM");
  const { code, json } = await running.ended;
  assert.notEqual(code, 0);
  assert.match(json?.msg ?? "", /signal/);
  assert.deepEqual(await node.changes(), []);
});

Deno.test("VXLAN_CNI_LOG=1 tells on standard error what was asked of the kernel and when; standard output stays one line", async () => {
  await using node = await Node.make();
  const id = await node.container();
  for (const env of [{}, { VXLAN_CNI_LOG: "1" }] as Record<string, string>[]) {
    const added = await node.call("ADD", id, { env });
    assert.deepEqual(added.stdout.split("\n").map((line) => line.slice(-1)), ["}", ""]);
    const rest: [verb: string, config: unknown][] = [
      ["CHECK", netConf({ prevResult: added.json })],
      ["STATUS", netConf()],
      ["GC", netConf({ "cni.dev/valid-attachments": [{ containerID: id, ifname: "eth0" }] })],
      ["DEL", netConf({ prevResult: added.json })],
    ];
    const said = [added.stderr];
    for (const [verb, config] of rest) {
      const { code, stdout, stderr } = await node.call(verb, id, { config, env });
      assert.deepEqual([code, stdout], [0, ""], verb);
      said.push(stderr);
    }
    const lines = said.flatMap((text) => text.split("\n").slice(0, -1));
    if (env.VXLAN_CNI_LOG === undefined) assert.deepEqual(lines, []);
    else assert.ok(added.stderr.includes('node: create link "vx_red": done'), added.stderr);
    for (const line of lines) assert.match(line, /^ *\d+\.\d ms {2}\S.*: \S/);
    const times = added.stderr.split("\n").slice(0, -1).map((line) => Number.parseFloat(line));
    assert.deepEqual(times, times.toSorted((a, b) => a - b));
  }
});
