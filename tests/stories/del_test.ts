/** DEL: success, and everything of the attachment released, whatever has become of the rest of the world. */
import { deepEqual, equal } from "node:assert/strict";
import { removeLink } from "../fake/space.ts";
import type { FakeWorld } from "../fake/world.ts";
import { call, config, everything, holds, node, records, route } from "../lib/story.ts";

const DEL = { verb: "DEL" };
const space = (world: FakeWorld, name: string) => world.kernel.space(`/run/netns/${name}`);

async function succeeds(world: FakeWorld, raw: Record<string, unknown>, how: object): Promise<void> {
  deepEqual(await call(world, raw, how), { code: 0, json: {} });
}

/** A node with `c1` attached, and what it was like before. */
async function attached(raw = config()): Promise<{ world: FakeWorld; before: unknown; json: Record<string, unknown> }> {
  const world = node();
  const before = everything(world);
  const { code, json } = await call(world, raw);
  equal(code, 0, json.msg);
  return { world, before, json };
}

Deno.test("the last container takes the network with it", async () => {
  for (const raw of [config(), config({ cidrs: ["fd00:97:1::/64"] }), config({ bypass: false })]) {
    const { world, before, json } = await attached(raw);
    await succeeds(world, { ...raw, prevResult: json }, DEL);
    deepEqual(everything(world), before);
  }
});

Deno.test("one of two containers goes, the other stays as it is", async () => {
  const { world } = await attached();
  const alone = everything(world);
  await call(world, config(), { id: "c2" });
  await succeeds(world, config(), { ...DEL, id: "c2" });
  deepEqual(everything(world), alone);
});

Deno.test("of two interfaces of one container only the named one goes", async () => {
  const { world } = await attached();
  const alone = everything(world);
  await call(world, config(), { ifname: "net1" });
  await succeeds(world, config(), { ...DEL, ifname: "net1" });
  deepEqual(everything(world), alone);
});

Deno.test("twice, and for what never was", async () => {
  const { world, before } = await attached();
  for (let i = 0; i < 2; i++) await succeeds(world, config(), DEL);
  await succeeds(world, config(), { ...DEL, id: "c3" });
  deepEqual(everything(world), before);
});

Deno.test("without CNI_NETNS, with a namespace that is gone, and with a file that is none", async () => {
  for (const how of [{ env: { CNI_NETNS: "" } }, {}, { netns: "/etc/passwd" }]) {
    const { world } = await attached();
    world.notNamespaces.add("/etc/passwd");
    if (!("env" in how)) world.kernel.removeSpace("/run/netns/c1");
    await succeeds(world, config(), { ...DEL, ...how });
    deepEqual([records(world), world.node.links.map(({ name }) => name)], [[], ["lo", "ul0"]], JSON.stringify(how));
  }
});

Deno.test("with links that are gone: the container's, the node's, both", async () => {
  const cut = (world: FakeWorld, where: string, name: string) => {
    const from = where === "node" ? world.node : space(world, where);
    const link = from.links.find((one) => one.name === name);
    if (link !== undefined) removeLink([world.node, space(world, "c1")], from, link);
  };
  for (const names of [["c1 eth0"], ["node mv_red"], ["node vx_red"], ["c1 eth0", "node vx_red"]]) {
    const { world, before } = await attached();
    for (const name of names) cut(world, name.split(" ")[0] ?? "", name.split(" ")[1] ?? "");
    await succeeds(world, config(), DEL);
    deepEqual(everything(world), before, names.join());
  }
});

Deno.test("with a configuration that has changed since: the records tell what there is", async () => {
  const drifted = [
    config({ id: 999, cidr: "10.55.0.0/16" }),
    config({}, { vxlans: [{ id: 7, name: "blue", cidr: "10.55.0.0/16" }], defaultNetwork: "blue" }),
    config({ options: { vtepdev: "none0" } }),
    config({}, { defaultNetwork: "" }),
    config({}, { vxlans: "broken" }),
    config({}, { ipam: {} }),
  ];
  for (const raw of drifted) {
    const { world, before } = await attached();
    await succeeds(world, raw, DEL);
    deepEqual(everything(world), before, JSON.stringify(raw));
  }
});

Deno.test("without records, the configuration and prevResult say what was claimed", async () => {
  const { world, json } = await attached();
  const [address] = json.ips as { address: string }[];
  world.files.clear();
  await succeeds(world, { ...config(), prevResult: json }, DEL);
  deepEqual(holds(space(world, "c1")), []);
  const claim = `route ${address?.address.replace("/24", "/32")} mv_red proto 192 table 254`;
  equal(holds(world.node).includes(claim), false);
});

Deno.test("an interface of that name that is not ours stays", async () => {
  const { world } = await attached();
  const inside = space(world, "c1");
  inside.links = inside.links.map((link) => link.name === "eth0" ? { ...link, kind: "veth", parent: undefined } : link);
  await succeeds(world, config(), DEL);
  equal(holds(inside).includes("link eth0"), true);
});

Deno.test("a route of a routing daemon's to the same prefix is none of ours", async () => {
  const { world, before } = await attached();
  route(world.node, 2, "10.97.1.77/32", { gateway: "192.0.2.2", protocol: 12 });
  await succeeds(world, config(), DEL);
  equal(holds(world.node).some((line) => line.includes("10.97.1.77/32")), true);
  world.node.routes = world.node.routes.filter(({ protocol }) => protocol !== 12);
  deepEqual(everything(world), before);
});

Deno.test("an ADD that was killed is cleaned up by the next call: ADD, DEL and GC", async () => {
  const raw = config({}, { ipam: { type: "routetable-ipam", propagationTimeout: 250 } });
  const gc = { verb: "GC", stdin: JSON.stringify({ ...raw, "cni.dev/valid-attachments": [] }) };
  for (const next of [{ id: "c2" }, DEL, gc]) {
    const world = node();
    const before = everything(world);
    // It never comes back from its wait, and its locks are given back by the kernel.
    const killed = { ...world, readable: () => new Promise<boolean>(() => {}) };
    call(killed, raw);
    await new Promise((resolve) => setTimeout(resolve));
    equal(holds(world.node).some((line) => line.includes("proto 192")), true, "killed in the middle of it");
    world.crash();
    const { code, json } = await call(world, raw, next);
    equal(code, 0, json.msg);
    if ("id" in next) await succeeds(world, raw, { ...DEL, ...next });
    deepEqual(everything(world), before, JSON.stringify(next));
  }
});
