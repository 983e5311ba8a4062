/** Containers on two nodes that no daemon tells of each other: neighbours must not keep a hardware address that has moved. */
import assert from "node:assert/strict";
import type { Host } from "../lib/host.ts";
import { must } from "../lib/run.ts";
import { everythingOf } from "../lib/state.ts";
import { apart, Cluster } from "./cluster.ts";

const MOVING = ["10.97.1.20", "fd00:97::20"];

/** Without a window in which a node would ask for others: each draws from a part of its own. */
function twoNodes(): Promise<Cluster> {
  return Cluster.make({
    nodes: 2,
    routing: "none",
    networks: [{ name: "red", cidrs: ["10.97.1.0/24", "fd00:97::/64"] }],
    ipam: { propagationTimeout: 0 },
    entry: apart,
  });
}

/** The global addresses of `mv_red` on a node. */
async function gateways(host: Host): Promise<string[]> {
  const [mv] = await host.ip<{ addr_info: { scope: string; local: string }[] }>("addr show mv_red");
  return (mv?.addr_info ?? []).filter(({ scope }) => scope === "global").map(({ local }) => local);
}

Deno.test("containers on two nodes reach each other, and an address that moves is reachable at once", async () => {
  await using cluster = await twoNodes();
  const { nodes } = cluster;
  const [a, b] = [cluster.lab.node(0), cluster.lab.node(1)];
  const before = await Promise.all(nodes.map(({ host }) => everythingOf(host)));
  const fixed = await Promise.all(nodes.map((node) => cluster.add(node, "fixed")));
  const all = [...fixed.flat(), ...(await Promise.all(nodes.map(({ host }) => gateways(host)))).flat()];
  assert.equal(all.length, 8);
  const ping = (words: string[]) => must(words, { timeout: 10_000 });
  const ask = async (host: Host, ip: string) => await ping(host.inside("fixed", ["ping", "-qc1", "-W5", ip]));
  // Everybody asks once, so that everybody holds the hardware address of the time.
  for (const [index, { host }] of nodes.entries()) {
    for (const ip of all.filter((one) => !fixed[index]?.includes(one))) await ask(host, ip);
  }
  const askAll = (ip: string) =>
    Promise.all(nodes.flatMap(({ host }) => [ask(host, ip), ping(host.enter(["ping", "-qc1", "-W5", ip]))]));
  for (const { host } of nodes) await host.container("moving");
  const macs = new Set<string>();
  for (const node of [a, b, b, a, a, b]) {
    const added = await cluster.succeed(node, "ADD", "moving", { ip: MOVING.join(",") });
    macs.add(added.interfaces?.[2]?.mac ?? "");
    for (const ip of MOVING) await askAll(ip);
    await cluster.del(node, "moving");
  }
  assert.equal(macs.size, 6, "the address moved to the same hardware address: nothing was shown");
  for (const node of nodes) await cluster.del(node, "fixed");
  assert.deepEqual(await Promise.all(nodes.map(({ host }) => everythingOf(host))), before);
});

Deno.test("an address that a container on another node answers for is not given out, although no route shows it", async () => {
  await using cluster = await twoNodes();
  const [a, b] = [cluster.lab.node(0), cluster.lab.node(1)];
  assert.deepEqual(await cluster.add(a, "c1", { ip: MOVING.join(",") }), MOVING);
  await b.host.container("c2");
  for (const ip of MOVING) {
    const { code, json } = await cluster.call(b, "ADD", "c2", { ip, ipam: { propagationTimeout: 300 } });
    assert.deepEqual([code, json?.code], [1, 101]);
    assert.match(json?.msg ?? "", /in use by/);
  }
});
