/** The same address asked for on three nodes at once has one winner, whoever spreads the claims, and also when nobody does. */
import assert from "node:assert/strict";
import { Cluster, type ClusterOptions } from "./cluster.ts";
import { fill, race } from "./race.ts";

const SKEWS = [0, 1, 5, 20, 100];
const NETWORKS = [{ name: "red", cidrs: ["10.97.1.0/24", "fd00:97:1::/64"] }];
/** The recipe's window for OSPF is 1250 ms; the probes make it as safe within the default one. */
const WAYS: [name: string, options: Pick<ClusterOptions, "routing" | "ipam">][] = [
  ["BIRD iBGP", { routing: "bird-ibgp" }],
  ["BIRD OSPF, 250 ms", { routing: "bird-ospf", ipam: { propagationTimeout: 250 } }],
  ["FRR iBGP", { routing: "frr-bgp" }],
  ["no daemon", { routing: "none" }],
];

for (const [name, options] of WAYS) {
  Deno.test(`${name}: one address, three nodes, one winner`, async () => {
    await using cluster = await Cluster.make({ networks: NETWORKS, ...options });
    for (const node of cluster.nodes) await cluster.container(node, "c");
    // The first round is the first container on every node: devices are made in the same moment.
    for (const [index, skew] of SKEWS.entries()) {
      for (const address of [`10.97.1.${20 + index}`, `fd00:97:1::${20 + index}`]) {
        const { winners, oddities } = await race(cluster, "c", { address, skew });
        assert.deepEqual([winners.length, oddities], [1, []], `${address}, skew ${skew} ms: ${winners}`);
      }
    }
    assert.deepEqual(await cluster.left(), []);
  });
}

for (const [name, options] of WAYS.slice(0, 1).concat(WAYS.slice(3))) {
  Deno.test(`${name}: three nodes fill a /28, every address once`, async () => {
    await using cluster = await Cluster.make({ networks: [{ name: "red", cidrs: ["10.97.1.0/28"] }], ...options });
    const { given, last } = await fill(cluster, "c", 4);
    // 14 addresses, of which each node's gateway takes one.
    assert.deepEqual([given.length, new Set(given).size, last], [11, 11, 102]);
    assert.deepEqual(await cluster.left(), []);
  });
}

Deno.test("an address in use that no route shows is found by the probe, and only by it", async () => {
  await using cluster = await Cluster.make({ networks: NETWORKS, routing: "none" });
  const [one, two] = [cluster.lab.node(0), cluster.lab.node(1)];
  await cluster.add(one, "first");
  await cluster.add(two, "first");
  await cluster.container(one, "stray");
  await one.host.must("ip link add link vx_red name stray type macvlan mode bridge".split(" "));
  await one.host.must("ip link set stray netns stray".split(" "));
  await one.host.must("ip -n stray link set stray up".split(" "));
  for (const address of ["10.97.1.77/24", "fd00:97:1::77/64"]) {
    await one.host.must([
      "ip",
      "-n",
      "stray",
      "addr",
      "add",
      address,
      "dev",
      "stray",
      ...(address.includes(":") ? ["nodad"] : []),
    ]);
  }
  const [link] = await one.host.ip<{ address: string }>("link show stray", "stray");
  await cluster.container(two, "c");
  for (const ip of ["10.97.1.77", "fd00:97:1::77"]) {
    const { code, json } = await cluster.call(two, "ADD", "c", { ip });
    assert.deepEqual([code, json?.code], [1, 101]);
    assert.ok(json?.msg?.includes(link?.address ?? "nobody"), json?.msg);
    const unasked = await cluster.call(two, "ADD", "c", { ip, ipam: { probe: false } });
    assert.equal(unasked.code, 0, unasked.stdout);
    await cluster.del(two, "c");
  }
});
