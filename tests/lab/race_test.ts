/** The same address asked for on three nodes at once has one winner, whoever spreads the claims, and also when nobody does. */
import assert from "node:assert/strict";
import { Cluster, type ClusterOptions } from "./cluster.ts";
import { fill, race } from "./race.ts";

const SKEWS = [0, 1, 5, 20, 100];
const NETWORKS = [{ name: "red", cidrs: ["10.97.1.0/24", "fd00:97:1::/64"] }];
type Way = [name: string, options: Pick<ClusterOptions, "routing" | "ipam">];
/** The recipe's window for OSPF is 1250 ms; the probes make it as safe within the default one. */
const WAYS: Way[] = [
  ["BIRD iBGP", { routing: "bird-ibgp" }],
  ["BIRD OSPF, 250 ms", { routing: "bird-ospf", ipam: { propagationTimeout: 250 } }],
  ["FRR iBGP", { routing: "frr-bgp" }],
  ["no daemon", { routing: "none" }],
];
const FILLED: Way[] = [
  ["BIRD iBGP", { routing: "bird-ibgp" }],
  ["no daemon", { routing: "none" }],
  ["BIRD iBGP, with reservations", { routing: "bird-ibgp", ipam: { reserve: 2 } }],
];

for (const [name, options] of WAYS) {
  Deno.test(`${name}: one address, three nodes, one winner`, async () => {
    await using cluster = await Cluster.make({ networks: NETWORKS, entry: () => ({ excludeFirst: 99 }), ...options });
    for (const node of cluster.nodes) await node.host.container("c");
    // First the race's containers are the first ones on their nodes, then others are there.
    for (const start of [20, 40]) {
      for (const [index, skew] of SKEWS.entries()) {
        for (const address of [`10.97.1.${start + index}`, `fd00:97:1::${start + index}`]) {
          const { winners, oddities } = await race(cluster, "c", { address, skew });
          assert.deepEqual([winners.length, oddities], [1, []], `${address}, skew ${skew} ms: ${winners}`);
        }
      }
      if (start === 20) {
        assert.deepEqual(await cluster.left(), []);
        for (const node of cluster.nodes) await cluster.add(node, "keep");
      }
    }
  });
}

for (const [name, options] of FILLED) {
  Deno.test(`${name}: three nodes fill a /28, every address once`, async () => {
    await using cluster = await Cluster.make({ networks: [{ name: "red", cidrs: ["10.97.1.0/28"] }], ...options });
    for (const node of cluster.nodes) await cluster.add(node, "keep");
    for (const round of ["a", "b"]) {
      const { given, codes } = await fill(cluster, round, 3);
      // 14 addresses: every node has its gateway's and its first container's already.
      assert.deepEqual([given.length, new Set(given).size, codes], [8, 8, [102]]);
    }
    for (const node of cluster.nodes) await cluster.del(node, "keep");
    assert.deepEqual(await cluster.left(), []);
  });
}

Deno.test("an address in use that no route shows is found by the probe, and only by it", async () => {
  await using cluster = await Cluster.make({
    networks: NETWORKS,
    entry: () => ({ excludeFirst: 99 }),
    routing: "none",
  });
  const [one, two] = [cluster.lab.node(0), cluster.lab.node(1)];
  await cluster.add(one, "first");
  await cluster.add(two, "first");
  await one.host.container("stray");
  await one.host.must(["ip", ..."link add link vx_red name s0 netns stray type macvlan mode bridge".split(" ")]);
  for (const words of ["addr add 10.97.1.77/24 dev s0", "addr add fd00:97:1::77/64 dev s0 nodad", "link set s0 up"]) {
    await one.host.must(["ip", "-n", "stray", ...words.split(" ")]);
  }
  const [link] = await one.host.ip<{ address: string }>("link show s0", "stray");
  await two.host.container("c");
  for (const ip of ["10.97.1.77", "fd00:97:1::77"]) {
    const { code, json } = await cluster.call(two, "ADD", "c", { ip });
    assert.deepEqual([code, json?.code], [1, 101]);
    assert.ok(json?.msg?.includes(link?.address ?? "nobody"), json?.msg);
    const unasked = await cluster.call(two, "ADD", "c", { ip, ipam: { probe: false } });
    assert.equal(unasked.code, 0, unasked.stdout);
    await cluster.del(two, "c");
  }
});
