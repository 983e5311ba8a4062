import assert from "node:assert/strict";
import { Host, underlay } from "../lib/host.ts";
import { must } from "../lib/run.ts";
import { call, succeed } from "../lib/call.ts";
import { addresses } from "../lib/caller.ts";
import { type NetConf, netConf, red } from "../lib/config.ts";
import { stateOf } from "../lib/state.ts";

/** Each node draws from a part of its own: no routing daemon tells them of each other. */
function config({ name }: Host): NetConf {
  const part = name === "a" ? { excludeFirst: 100, excludeLast: 80 } : { excludeFirst: 180, excludeLast: 1 };
  return netConf({ vxlans: [red({ cidrs: ["fd00:97::/64"], ...part })] });
}

const MOVING = ["10.97.1.20", "fd00:97::20"];

function attach(host: Host, verb: "ADD" | "DEL", id: string, args?: string) {
  return succeed(host, verb, {
    config: config(host),
    containerId: id,
    netns: id,
    ifname: "eth0",
    ...(args ? { args } : {}),
  });
}

Deno.test("containers on two nodes reach each other, and an address that moves is reachable at once", async () => {
  await using a = await Host.make("a");
  await using b = await Host.make("b");
  await using _wire = await underlay([a, b]);
  const before = await Promise.all([a, b].map((host) => stateOf(host)));
  for (const host of [a, b]) {
    await host.container("fixed");
    await host.container("moving");
  }
  const fixed = [await attach(a, "ADD", "fixed"), await attach(b, "ADD", "fixed")].map(addresses);
  const gateways = await Promise.all([a, b].map(async (host) => {
    const [mv] = await host.ip<{ addr_info: { scope: string; local: string }[] }>("addr show mv_red");
    return (mv?.addr_info ?? []).filter(({ scope }) => scope === "global").map(({ local }) => local);
  }));
  assert.equal(gateways.flat().length, 4);
  // Everybody asks once, so that everybody holds the hardware address of the time.
  const ask = (ip: string) =>
    Promise.all([
      ...[a, b].map((host) => must(host.inside("fixed", ["ping", "-qc1", "-W5", ip]))),
      ...[a, b].map((host) => must(host.enter(["ping", "-qc1", "-W5", ip]))),
    ]);
  const others = [1, 0].map((other) => [...fixed[other] ?? [], ...gateways.flat()]);
  await Promise.all([a, b].map(async (host, index) => {
    for (const ip of others[index] ?? []) await must(host.inside("fixed", ["ping", "-qc1", "-W5", ip]));
  }));
  const macs = new Set<string>();
  for (const [from, to] of [[a, b], [b, a], [a, b]] as const) {
    const added = await attach(from, "ADD", "moving", `IP=${MOVING.join(",")}`);
    macs.add(added.interfaces?.[2]?.mac ?? "");
    for (const ip of MOVING) await ask(ip);
    await attach(from, "DEL", "moving");
    const again = await attach(to, "ADD", "moving", `IP=${MOVING.join(",")}`);
    macs.add(again.interfaces?.[2]?.mac ?? "");
    for (const ip of MOVING) await ask(ip);
    await attach(to, "DEL", "moving");
  }
  assert.equal(macs.size, 6, "the address moved to the same hardware address: nothing was shown");
  await attach(a, "DEL", "fixed");
  await attach(b, "DEL", "fixed");
  assert.deepEqual(await Promise.all([a, b].map((host) => stateOf(host))), before);
});

Deno.test("an address that a container on another node answers for is not given out, although no route shows it", async () => {
  await using a = await Host.make("a");
  await using b = await Host.make("b");
  await using _wire = await underlay([a, b]);
  await a.container("c1");
  await b.container("c2");
  await attach(a, "ADD", "c1", `IP=${MOVING.join(",")}`);
  const ipam = { type: "routetable-ipam", propagationTimeout: 300 };
  for (const ip of MOVING) {
    const { code, json } = await call(b, "ADD", {
      config: { ...config(b), ipam },
      ...{ containerId: "c2", netns: "c2", ifname: "eth0", args: `IP=${ip}` },
    });
    assert.equal(code, 1);
    assert.equal(json?.code, 101);
    assert.match(json?.msg ?? "", /in use by/);
  }
});
