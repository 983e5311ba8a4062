import assert from "node:assert/strict";
import { blue, netConf, Node, red } from "./node.ts";

const VXLANS = [red(), blue()];
const KEY = "cni.dev/valid-attachments";
const ALIAS = "cni.dev/attachments";

async function populated(node: Node): Promise<string[]> {
  const ids = await Promise.all([1, 2, 3].map(() => node.container()));
  const networks = ["red", "blue", "red"];
  await Promise.all(
    ids.map((id, index) =>
      node.run("ADD", id, { config: netConf({ vxlans: VXLANS, defaultNetwork: networks[index] }) })
    ),
  );
  return ids;
}

Deno.test("GC without a list of valid attachments is refused and removes nothing", async () => {
  await using node = await Node.make();
  const [id = ""] = await populated(node);
  const before = await node.changes();
  for (const changes of [{}, { [KEY]: "all" }, { [KEY]: [{ containerID: id }] }, { [ALIAS]: [5] }]) {
    const { code, msg } = await node.refuse("GC", "", { config: netConf({ vxlans: VXLANS, ...changes }) });
    assert.equal(code, 7);
    assert.ok(msg.includes(ALIAS in changes ? ALIAS : KEY), msg);
    assert.deepEqual(await node.changes(), before);
  }
});

Deno.test("GC removes what is not listed, under either spelling of the key", async () => {
  for (const key of [KEY, ALIAS]) {
    await using node = await Node.make();
    const [a = "", b = "", c = ""] = await populated(node);
    const keep = [{ containerID: a, ifname: "eth0" }, { containerID: b, ifname: "eth1" }];
    const { code, stdout } = await node.call("GC", "", { config: netConf({ vxlans: VXLANS, [key]: keep }) });
    assert.deepEqual([code, stdout], [0, ""]);
    const counts = await Promise.all([a, b, c].map(async (id) => (await node.host.ip("link", id)).length));
    assert.deepEqual(counts, [2, 1, 1]);
    const left = await node.changes();
    assert.ok(left.includes("+ link vx_red") && !left.includes("+ link vx_blue"));
    assert.equal((await node.host.ip("-4 route show proto 192")).length, 2);
    await node.run("DEL", a, { config: netConf({ vxlans: VXLANS }) });
    assert.deepEqual(await node.changes(), []);
  }
});

Deno.test("GC with an empty list removes all of this configuration and nothing of another", async () => {
  await using node = await Node.make();
  await populated(node);
  const foreign = await node.container();
  const other = netConf({
    name: "other",
    defaultNetwork: "green",
    vxlans: [red({ id: 103, name: "green", cidr: "10.97.3.0/24" })],
  });
  const added = await node.run("ADD", foreign, { config: other });
  await node.run("GC", "", { config: netConf({ vxlans: VXLANS, [KEY]: [] }) });
  await node.run("CHECK", foreign, { config: { ...other, prevResult: added } });
  assert.deepEqual((await node.changes()).filter((line) => /red|blue/.test(line)), []);
  await node.run("DEL", foreign, { config: other });
  assert.deepEqual(await node.changes(), []);
});

Deno.test("GC works when the namespaces have gone and the configuration has changed", async () => {
  await using node = await Node.make();
  const ids = await populated(node);
  for (const id of ids) await node.host.must(["ip", "netns", "del", id]);
  await node.run("GC", "", { config: netConf({ vxlans: [blue()], defaultNetwork: "blue", [KEY]: [] }) });
  assert.deepEqual(await node.changes(), []);
});

Deno.test("STATUS says whether ADD would work, before and after the first one", async () => {
  await using node = await Node.make();
  const id = await node.container();
  const ready = async (config = netConf()) => assert.equal((await node.call("STATUS", "", { config })).stdout, "");
  await ready();
  await node.run("ADD", id);
  await ready();
  await node.run("DEL", id);
  await ready();
  const gone = netConf({ vxlans: [red({ options: { vtepdev: "ul9" } })] });
  const { code, msg } = await node.refuse("STATUS", "", { config: gone });
  assert.equal(code, 50);
  assert.match(msg, /vtepdev.*"ul9"/);
  const small = netConf({ vxlans: [red({ cidr: "10.97.1.0/30", excludeFirst: 0, excludeLast: 0 })] });
  await node.run("ADD", id, { config: small });
  const full = await node.refuse("STATUS", "", { config: small });
  assert.equal(full.code, 50);
  assert.match(full.msg, /10\.97\.1\.0\/30.*all 2/);
  assert.equal((await node.refuse("STATUS", "", { config: netConf({ vxlans: [] }) })).code, 7);
  const unnamed = await node.call("STATUS", "", { config: netConf(), path: "" });
  assert.equal(unnamed.code, 0, unnamed.stdout);
});

Deno.test("k8sReadAnnotations is refused by ADD with a clear reason, and DEL works all the same", async () => {
  await using node = await Node.make();
  const id = await node.container();
  const config = netConf({ k8sReadAnnotations: true, k8sConfigPath: "/etc/kubernetes/cni-kubeconfig" });
  const { code, msg } = await node.refuse("ADD", id, { config });
  assert.ok([2, 7].includes(code));
  assert.match(msg, /k8sReadAnnotations.*not available/);
  assert.deepEqual(await node.changes(), []);
  await node.run("ADD", id);
  await node.run("DEL", id, { config });
  assert.deepEqual(await node.changes(), []);
});
