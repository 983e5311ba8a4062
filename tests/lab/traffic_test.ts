/** Containers reach each other over nodes and networks, in both families, also after a routing daemon's restart. */
import assert from "node:assert/strict";
import { Cluster } from "./cluster.ts";
import { eventually } from "../lib/eventually.ts";
import type { Node } from "./node.ts";

const NETWORKS = [
  { name: "red", cidrs: ["10.97.1.0/24", "fd00:97:1::/64"] },
  { name: "blue", cidrs: ["10.97.2.0/24", "fd00:97:2::/64"] },
];

async function pings(node: Node, id: string, address: string): Promise<boolean> {
  const { code } = await node.host.run(["ip", "netns", "exec", id, "ping", "-c1", "-W1", address]);
  return code === 0;
}

for (const routing of ["bird-ibgp", "frr-bgp"] as const) {
  Deno.test(`${routing}: traffic within a network and between networks`, async () => {
    await using cluster = await Cluster.make({ networks: NETWORKS, routing });
    const [one, two, three] = [cluster.lab.node(0), cluster.lab.node(1), cluster.lab.node(2)];
    await cluster.add(one, "a", { network: "red" });
    const same = await cluster.add(two, "b", { network: "red" });
    const other = await cluster.add(three, "c", { network: "blue" });
    const reached = async () => {
      for (const address of [...same, ...other]) {
        await eventually(`${address} is reached`, () => pings(one, "a", address), 20_000);
      }
    };
    await reached();
    await two.stop();
    await two.start();
    await cluster.lab.converged();
    await reached();
    for (const [node, id, network] of [[one, "a", "red"], [two, "b", "red"], [three, "c", "blue"]] as const) {
      await cluster.del(node, id, { network });
    }
    assert.deepEqual(await cluster.left(), []);
  });
}

Deno.test("100 containers at once on one node: every address once, and nothing left after 100 DELs", async () => {
  const networks = [{ name: "red", cidrs: ["10.97.0.0/22"] }];
  await using cluster = await Cluster.make({ nodes: 1, networks, routing: "none" });
  const node = cluster.lab.node(0);
  const ids = Array.from({ length: 100 }, (_, index) => `c${index}`);
  for (const id of ids) await node.host.container(id);
  const added = await Promise.all(ids.map((id) => cluster.call(node, "ADD", id)));
  assert.deepEqual(added.filter(({ code }) => code !== 0).map(({ stdout }) => stdout), []);
  assert.equal(new Set(added.map(({ json }) => json?.ips?.[0]?.address)).size, 100);
  assert.equal(new Set(added.map(({ json }) => json?.ips?.[0]?.gateway)).size, 1);
  await Promise.all(ids.map((id) => cluster.del(node, id)));
  assert.deepEqual(await cluster.left(), []);
});
