import assert from "node:assert/strict";
import { call } from "../lib/call.ts";
import { addresses } from "../lib/caller.ts";
import { blue, IPAM, netConf, red } from "../lib/config.ts";
import { Node } from "./node.ts";

const BOTH = [red(), blue()];
const onBlue = netConf({ vxlans: BOTH, defaultNetwork: "blue" });
const onRed = netConf({ vxlans: BOTH });

Deno.test("two networks come and go at once, ten times over", async () => {
  await using node = await Node.make();
  const ids = await Promise.all([1, 2, 3, 4].map(() => node.container()));
  const config = (index: number) => index % 2 === 0 ? onRed : onBlue;
  for (let round = 0; round < 10; round++) {
    const added = await Promise.all(ids.map((id, index) => node.run("ADD", id, { config: config(index) })));
    assert.equal(new Set(added.flatMap(addresses)).size, ids.length);
    await Promise.all(
      ids.map((id, index) => node.run("CHECK", id, { config: { ...config(index), prevResult: added[index] } })),
    );
    await Promise.all(ids.map((id, index) => node.run("DEL", id, { config: config(index) })));
    assert.deepEqual(await node.changes(), [], `round ${round}`);
  }
});

Deno.test("containers started at once share one window and get different addresses", async () => {
  await using node = await Node.make();
  const ids = await Promise.all(Array.from({ length: 8 }, () => node.container()));
  const config = netConf({ ipam: { ...IPAM, propagationTimeout: 100 }, vxlans: [red({ cidrs: ["fd00:97::/64"] })] });
  const added = await Promise.all(ids.map((id) => node.run("ADD", id, { config })));
  assert.equal(new Set(added.flatMap(addresses)).size, 16);
  assert.equal(new Set(added.flatMap(({ ips }) => ips ?? []).map(({ gateway }) => gateway)).size, 2);
  await Promise.all(ids.map((id) => node.run("DEL", id, { config })));
  assert.deepEqual(await node.changes(), []);
});

Deno.test("ADD and DEL of one network cross without harm", async () => {
  await using node = await Node.make();
  const ids = await Promise.all([1, 2, 3].map(() => node.container()));
  const [a = "", b = "", c = ""] = ids;
  await node.run("ADD", a);
  for (let round = 0; round < 5; round++) {
    // The last container leaves while the next one comes.
    const [leaving = "", coming = ""] = round % 2 === 0 ? [a, b] : [b, a];
    const [, added, again] = await Promise.all([node.run("DEL", leaving), node.run("ADD", coming), node.run("ADD", c)]);
    for (const [id, prevResult] of [[coming, added], [c, again]] as const) {
      await node.run("CHECK", id, { config: netConf({ prevResult }) });
    }
    await node.run("DEL", c);
  }
  await Promise.all(ids.map((id) => node.run("DEL", id)));
  assert.deepEqual(await node.changes(), []);
});

Deno.test("two calls for one attachment at once: one of them wins, nothing is left of the other", async () => {
  await using node = await Node.make();
  const id = await node.container();
  const config = netConf({ ipam: { ...IPAM, propagationTimeout: 100 } });
  const twice = await Promise.all(
    [1, 2, 3].map(() => call(node.host, "ADD", { config, containerId: id, netns: id, ifname: "eth0" })),
  );
  assert.deepEqual(twice.map(({ code }) => code).sort(), [0, 1, 1]);
  for (const { json } of twice) if (json?.code !== undefined) assert.ok([11, 103].includes(json.code), json.msg);
  assert.equal((await node.host.ip("-4 route show proto 192")).length, 2);
  const won = twice.find(({ code }) => code === 0)?.json;
  await node.run("CHECK", id, { config: { ...config, prevResult: won } });
  await node.run("DEL", id, { config });
  assert.deepEqual(await node.changes(), []);
});
