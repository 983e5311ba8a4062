/** Addresses claimed in advance: no waiting, and as safe as others. */
import assert from "node:assert/strict";
import { addresses, Cluster, status } from "./cluster.ts";
import { eventually } from "../lib/eventually.ts";
import type { Node } from "./node.ts";
import { race } from "./race.ts";

const NETWORKS = [{ name: "red", cidrs: ["10.97.1.0/24", "fd00:97:1::/64"] }];

async function reserved(node: Node): Promise<string[]> {
  const { networks } = await status(node);
  return networks.flatMap(({ reservations }) => reservations).map(({ address }) => address);
}

for (const routing of ["bird-ibgp", "frr-bgp", "none"] as const) {
  Deno.test(`${routing}: reservations are taken without a wait, refilled by DEL, and nobody else's`, async () => {
    await using cluster = await Cluster.make({ networks: NETWORKS, routing, ipam: { reserve: 2 } });
    const [one, two, three] = [cluster.lab.node(0), cluster.lab.node(1), cluster.lab.node(2)];
    const held = (await Promise.all(cluster.nodes.map((node) => cluster.add(node, "first")))).flat();
    const before = await Promise.all(cluster.nodes.map(reserved));
    assert.deepEqual(before.map((list) => list.length), [4, 4, 4]);
    assert.equal(new Set([...held, ...before.flat()]).size, 3 * 2 + 3 * 4);
    // The next container gets reserved addresses: there is no window in which others could be claimed.
    const next = await cluster.add(one, "next");
    for (const address of next) assert.ok(before[0]?.includes(address), `${address} was reserved`);
    // An address that another node has reserved is taken; on this node it is the container's at once.
    for (const family of [".", ":"]) {
      const address = (await reserved(two)).find((one) => one.includes(family)) ?? "";
      await three.host.container(`c${family === "." ? 4 : 6}`);
      const refused = await cluster.call(three, "ADD", `c${family === "." ? 4 : 6}`, { ip: address });
      assert.deepEqual([refused.code, refused.json?.code], [1, 101], refused.stdout);
      assert.ok((await cluster.add(two, `d${family === "." ? 4 : 6}`, { ip: address })).includes(address));
    }
    const released = await cluster.call(one, "DEL", "next");
    assert.equal(released.code, 0);
    assert.deepEqual((await reserved(one)).length, 4);
    // With the last container everything goes.
    for (const [node, ids] of [[one, ["first"]], [two, ["first", "d4", "d6"]], [three, ["first"]]] as const) {
      for (const id of ids) await cluster.del(node, id);
    }
    assert.deepEqual(await cluster.left(), []);
  });
}

Deno.test("with reservations, one address asked for on three nodes has one winner, and random ones are distinct", async () => {
  const options = { networks: NETWORKS, entry: () => ({ excludeFirst: 99 }), ipam: { reserve: 2 } };
  await using cluster = await Cluster.make({ ...options, routing: "bird-ibgp" });
  for (const node of cluster.nodes) await cluster.add(node, "first");
  for (const node of cluster.nodes) await node.host.container("c");
  for (const [index, skew] of [0, 5, 100].entries()) {
    for (const address of [`10.97.1.${30 + index}`, `fd00:97:1::${30 + index}`]) {
      const { winners, oddities } = await race(cluster, "c", { address, skew });
      assert.deepEqual([winners.length, oddities], [1, []], `${address}, skew ${skew} ms: ${winners}`);
    }
  }
  const calls = await Promise.all(cluster.nodes.flatMap((node) =>
    Array.from({ length: 4 }, async (_, index) => {
      await node.host.container(`r${index}`);
      return await cluster.call(node, "ADD", `r${index}`);
    })
  ));
  assert.deepEqual(calls.map(({ code }) => code), Array(12).fill(0));
  const all = calls.flatMap(({ json }) => addresses(json));
  assert.equal(new Set(all).size, 24);
});

Deno.test("a reservation that another node has claimed in a partition is not used", async () => {
  await using cluster = await Cluster.make({ networks: NETWORKS, routing: "bird-ibgp", ipam: { reserve: 1 } });
  const [one, three] = [cluster.lab.node(0), cluster.lab.node(2)];
  await cluster.add(one, "first");
  await cluster.add(three, "first");
  await three.cut();
  const own = (await reserved(one)).filter((address) => address.includes("."));
  // Node 3 knows the reservation from before; it forgets what it knew, as after a restart.
  await three.host.must(["ip", "route", "flush", "proto", "bird"]);
  const stolen = await cluster.add(three, "thief", { ip: own[0] ?? "" });
  assert.ok(stolen.includes(own[0] ?? ""));
  await three.heal();
  await eventually("node 1 sees node 3's claim", async () => {
    const routes = await one.host.ip<{ dst: string; dev: string }>(`route show table all exact ${own[0]}/32`);
    return routes.some(({ dev }) => dev === "ul0");
  });
  const added = await cluster.add(one, "next");
  assert.ok(!added.includes(own[0] ?? ""), `${own[0]} was not given out twice`);
});

Deno.test("reservations leave a small prefix to the gateway and to the containers that there are", async () => {
  const networks = [{ name: "red", cidrs: ["10.97.1.0/30"] }, { name: "blue", cidrs: ["10.97.2.0/29"] }];
  await using cluster = await Cluster.make({ nodes: 1, networks, routing: "none", ipam: { reserve: 2 } });
  const node = cluster.lab.node(0);
  await cluster.add(node, "c", { network: "red" });
  const given = [];
  for (const id of ["c1", "c2", "c3", "c4", "c5"]) given.push(...await cluster.add(node, id, { network: "blue" }));
  assert.equal(new Set(given).size, 5);
});
