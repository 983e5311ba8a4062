/** Two partitions give out one address; when they heal, both sides name the same loser. */
import assert from "node:assert/strict";
import { apart, Cluster, status } from "./cluster.ts";
import { eventually } from "../lib/eventually.ts";
import type { Node } from "./node.ts";

interface Found {
  conflict?: string;
  keeps?: boolean;
}

async function conflict(node: Node, address: string): Promise<Found> {
  const { networks } = await status(node);
  const all = networks.flatMap(({ attachments }) => attachments).flatMap(({ addresses }) => addresses);
  return all.find((one) => one.address.startsWith(`${address}/`)) ?? {};
}

for (const routing of ["bird-ibgp", "frr-bgp", "none"] as const) {
  Deno.test(`${routing}: a late conflict is named the same way on both sides`, async () => {
    const networks = [{ name: "red", cidrs: ["10.97.1.0/24", "fd00:97:1::/64"] }];
    // What nobody asked for must not be the same by chance on both sides: CHECK would tell of that as well.
    await using cluster = await Cluster.make({ networks, routing, entry: apart });
    const [one, three] = [cluster.lab.node(0), cluster.lab.node(2)];
    await three.cut();
    for (const address of ["10.97.1.50", "fd00:97:1::50"]) {
      const id = address.includes(":") ? "c6" : "c4";
      const answers = await Promise.all([one, three].map(async (node) => {
        await node.host.container(id);
        const { code, json, stdout } = await cluster.call(node, "ADD", id, { ip: address });
        assert.equal(code, 0, stdout);
        return json;
      }));
      assert.ok(answers.every((json) => json?.ips?.some((ip) => ip.address.startsWith(`${address}/`))));
    }
    await three.heal();
    await cluster.lab.converged();
    for (const address of ["10.97.1.50", "fd00:97:1::50"]) {
      const id = address.includes(":") ? "c6" : "c4";
      // Both have to hear the other: where one does not, yet, the addresses of the nodes decide, and may name another loser.
      const sides = await eventually("both sides hear the other container", async () => {
        const found = await Promise.all([one, three].map((node) => conflict(node, address)));
        return found.every((side) => side.conflict?.startsWith("hardware address")) && found;
      });
      assert.deepEqual(sides.map(({ keeps }) => keeps).sort(), [false, true]);
      const checks = await Promise.all(
        [one, three].map((node) => cluster.call(node, "CHECK", id, checkable(address))),
      );
      const loser = sides.findIndex(({ keeps }) => keeps === false);
      assert.deepEqual(checks.map((called) => called.json?.code), loser === 0 ? [105, undefined] : [undefined, 105]);
      assert.match(checks[loser]?.json?.msg ?? "", new RegExp(`${address}.*keeps it`));
      // As the message says: DEL and ADD, and both are well.
      const node = [one, three][loser];
      assert.ok(node !== undefined);
      await cluster.del(node, id);
      const again = await cluster.call(node, "ADD", id);
      assert.equal(again.code, 0, again.stdout);
      assert.ok(!again.json?.ips?.some((ip) => ip.address.startsWith(`${address}/`)));
    }
  });
}

/** What a runtime gives to CHECK, reduced to the address in question. */
function checkable(address: string) {
  const length = address.includes(":") ? 64 : 24;
  return {
    ip: address,
    prevResult: {
      cniVersion: "1.0.0",
      interfaces: [{ name: "eth0", sandbox: "/run/netns/c" }],
      ips: [{ address: `${address}/${length}`, interface: 0 }],
      routes: [],
      dns: {},
    },
  };
}
