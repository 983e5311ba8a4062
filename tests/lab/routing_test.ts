/** The recipes of the command line, run by real routing daemons on three nodes. */
import assert from "node:assert/strict";
import { claim, device, release, routes } from "./claims.ts";
import { eventually } from "../lib/eventually.ts";
import { Lab, type LabOptions } from "./lab.ts";
import type { Node } from "./node.ts";
import { RouteWatch } from "./watch.ts";

const CIDRS = ["10.97.1.0/24", "fd00:97:1::/64"];
const WAYS: [LabOptions["routing"], LabOptions["underlay"]][] = [
  ["bird-ibgp", "l2"],
  ["bird-ibgp", "routed"],
  ["bird-ospf", "l2"],
  ["bird-babel", "l2"],
  ["frr-bgp", "l2"],
  ["frr-bgp", "routed"],
  ["frr-ospf", "l2"],
];

for (const [routing, underlay] of WAYS) {
  Deno.test(`${routing} (${underlay}) spreads a claim to every node and takes it back`, async () => {
    await using lab = await ready(routing, underlay);
    const [here, ...others] = lab.nodes;
    assert(here !== undefined);
    for (const address of ["10.97.1.7", "fd00:97:1::7"]) {
      await claim(here, address);
      for (const node of others) await foreign(node, address, 1);
      assert.equal((await routes(here, address)).foreign.length, 0, "the claimant hears nothing of its own claim");
      for (const node of others) assert.notEqual((await routes(node, address)).foreign[0]?.dev, "mv_red");
      await release(here, address);
      for (const node of others) await foreign(node, address, 0);
    }
  });
}

Deno.test("no daemon: nothing is spread", async () => {
  await using lab = await ready("none", "l2");
  await claim(lab.node(0), "10.97.1.7");
  assert.equal((await routes(lab.node(0), "10.97.1.7")).own.length, 1);
  assert.equal((await routes(lab.node(1), "10.97.1.7")).foreign.length, 0);
});

for (const routing of ["bird-ibgp", "bird-ospf", "bird-babel", "frr-bgp"] as const) {
  Deno.test(`${routing}: two nodes that claim one address both see it, until one gives up`, async () => {
    await using lab = await ready(routing, "l2");
    const [one, two, third] = [lab.node(0), lab.node(1), lab.node(2)];
    for (const address of ["10.97.1.8", "fd00:97:1::8"]) {
      await Promise.all([claim(one, address), claim(two, address)]);
      for (const node of [one, two, third]) await foreign(node, address, 1);
      await release(one, address);
      await foreign(two, address, 0);
      assert.equal((await routes(two, address)).own.length, 1);
      await foreign(third, address, 1);
      await foreign(one, address, 1);
    }
  });
}

for (const routing of ["bird-ibgp", "frr-bgp"] as const) {
  Deno.test(`${routing}: a claim at any metric is spread, also one above the daemon's`, async () => {
    await using lab = await ready(routing, "l2");
    for (const [k, metric] of [16, 1024, 0x01000010, 0xf0000000].entries()) {
      for (const address of [`10.97.1.${20 + k}`, `fd00:97:1::${20 + k}`]) {
        await claim(lab.node(0), address, metric);
        await foreign(lab.node(1), address, 1);
      }
    }
  });

  for (const how of ["stop", "kill"] as const) {
    Deno.test(`${routing}: a daemon's ${how} and start keeps our claims here and there, and drops stale ones`, async () => {
      await using lab = await ready(routing, "l2");
      const [one, two, third] = [lab.node(0), lab.node(1), lab.node(2)];
      await claim(one, "10.97.1.1");
      await claim(two, "10.97.1.2");
      await claim(third, "10.97.1.3");
      await claim(two, "fd00:97:1::2");
      for (const node of [one, third]) await foreign(node, "10.97.1.2", 1);
      for (const node of [one, third]) await foreign(node, "fd00:97:1::2", 1);
      for (const address of ["10.97.1.1", "10.97.1.3"]) await foreign(two, address, 1);
      await using watch = await RouteWatch.start(one.host, 4);

      await two[how]();
      await release(one, "10.97.1.1");
      await claim(one, "10.97.1.11");
      await claim(two, "10.97.1.22");
      await two.start();

      await foreign(one, "10.97.1.22", 1);
      await foreign(two, "10.97.1.11", 1);
      await foreign(two, "10.97.1.3", 1);
      await foreign(two, "10.97.1.1", 0, 45_000);
      assert.equal((await routes(two, "10.97.1.2")).own.length, 1);
      assert.equal((await routes(two, "fd00:97:1::2")).own.length, 1);
      await foreign(one, "fd00:97:1::2", 1);
      const gone = watch.events.filter(({ deleted, text }) => deleted && text.startsWith("10.97.1.2 "));
      assert.deepEqual(gone, [], "the other nodes never lost the claim of the node whose daemon restarted");
    });
  }

  Deno.test(`${routing}: a partition keeps what was claimed, and after it heals both nodes see a late conflict`, async () => {
    await using lab = await ready(routing, "l2");
    const [one, two, third] = [lab.node(0), lab.node(1), lab.node(2)];
    await claim(two, "10.97.1.2");
    await foreign(one, "10.97.1.2", 1);
    await two.cut();
    await eventually("the sessions of the cut node are over", async () => await lab.sessions(two) === 0);
    assert.equal((await routes(one, "10.97.1.2")).foreign.length, 1, "its address counts as taken");
    for (const address of ["10.97.1.50", "fd00:97:1::50"]) {
      await Promise.all([claim(one, address), claim(two, address)]);
    }
    for (const address of ["10.97.1.50", "fd00:97:1::50"]) await foreign(third, address, 1);
    assert.equal((await routes(two, "10.97.1.50")).foreign.length, 0);
    await two.heal();
    for (const address of ["10.97.1.50", "fd00:97:1::50"]) {
      for (const node of [one, two]) {
        await foreign(node, address, 1);
        assert.equal((await routes(node, address)).own.length, 1);
      }
    }
    await foreign(one, "10.97.1.2", 1);
  });
}

Deno.test("frr-bgp: an exact look-up returns the competitor, whatever the metric of our claim", async () => {
  await using lab = await ready("frr-bgp", "l2");
  const [one, two] = [lab.node(0), lab.node(1)];
  for (const address of ["10.97.1.9", "fd00:97:1::9"]) {
    await claim(one, address);
    await claim(two, address);
    for (const node of [one, two]) {
      await foreign(node, address, 1);
      const [found] = await node.host.ip<{ dst: string; protocol: string }>(`route get fibmatch ${address}`);
      assert.equal(found?.dst, address);
      assert.equal(found?.protocol, "bgp");
    }
  }
});

Deno.test("a recipe that finds its neighbours by multicast is refused on a routed underlay", async () => {
  await assert.rejects(Lab.make({ nodes: 2, underlay: "routed", routing: "bird-ospf", networks: [] }), /use BGP/);
});

async function ready(routing: LabOptions["routing"], underlay: LabOptions["underlay"]): Promise<Lab> {
  const lab = await Lab.make({ nodes: 3, underlay, routing, networks: [{ name: "red", cidrs: CIDRS }] });
  try {
    for (const node of lab.nodes) await device(node, "red", 101);
    await lab.converged();
    return lab;
  } catch (cause) {
    await lab[Symbol.asyncDispose]();
    throw cause;
  }
}

/** Waits until a node has so many routes of others to an address. */
async function foreign(node: Node, address: string, count: number, bound?: number): Promise<void> {
  await eventually(
    `${node.name} has ${count} foreign routes to ${address}`,
    async () => (await routes(node, address)).foreign.length === count,
    bound,
  );
}
