/** Failed ADDs: the right number, the reason, and nothing left. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { CniError } from "../../src/cni/error.ts";
import { newLink } from "../fake/space.ts";
import { type FakeWorld, HOST } from "../fake/world.ts";
import { address, type Call, call, config, everything, holds, node, route } from "../lib/story.ts";

/** A call that fails and changes nothing. */
async function fails(world: FakeWorld, raw: Record<string, unknown>, how: Call, code: number, message: RegExp) {
  const before = everything(world);
  const { code: exit, json } = await call(world, raw, how);
  deepEqual([exit, json.code], [1, code], json.msg);
  match(json.msg ?? "", message);
  deepEqual(everything(world), before);
}

Deno.test("the host's own namespace is refused before anything is done, unless CNI_NETNS_OVERRIDE is set", async () => {
  await fails(node(), config(), { netns: HOST }, 8, /it is the host's own network namespace/);
  const { code, json } = await call(node(), config(), { netns: HOST, env: { CNI_NETNS_OVERRIDE: "1" } });
  equal(code, 0, json.msg);
});

Deno.test("a namespace that is not there, and a file that is none", async () => {
  await fails(node(), config(), { netns: "/run/netns/none" }, 8, /CNI_NETNS "\/run\/netns\/none": .*ENOENT/);
  const world = node();
  world.notNamespaces.add("/etc/passwd");
  await fails(world, config(), { netns: "/etc/passwd" }, 8, /CNI_NETNS "\/etc\/passwd": .*EINVAL/);
});

Deno.test("an interface of that name exists: it stays as it is", async () => {
  const world = node();
  const inside = world.kernel.space("/run/netns/c1");
  newLink(inside, inside, { name: "eth0", flags: 1 }, "02:00:00:00:00:09");
  address(inside, 2, "10.1.0.5/24");
  await fails(world, config(), {}, 103, /interface "eth0" in "\/run\/netns\/c1": it exists already/);
});

Deno.test("the same ADD twice: the first one's container stays as it is", async () => {
  const world = node();
  await call(world, config());
  await fails(world, config(), {}, 103, /it exists already; call DEL first/);
});

Deno.test("the address that was asked for: taken by a container, taken by another node, not one of a host, outside", async () => {
  const world = node();
  await call(world, config(), { args: "IP=10.97.1.20" });
  await fails(
    world,
    config(),
    { id: "c2", args: "IP=10.97.1.20" },
    101,
    /address 10\.97\.1\.20: a host route leads to it/,
  );
  route(world.node, 2, "10.97.1.30/32", { gateway: "192.0.2.2", protocol: 12 });
  await fails(world, config(), { id: "c2", args: "IP=10.97.1.30" }, 101, /10\.97\.1\.30/);
  for (const [ip, message] of [["10.97.1.255", /broadcast address/], ["10.97.1.0", /network id/]] as const) {
    await fails(world, config(), { id: "c2", args: `IP=${ip}` }, 7, message);
  }
  await fails(
    world,
    config(),
    { id: "c2", args: "IP=10.98.1.5" },
    7,
    /wanted an address in 10\.97\.1\.0\/24, got "10\.98\.1\.5"/,
  );
  await fails(world, config(), { id: "c2", args: "IP=ten" }, 7, /CNI_ARGS IP: wanted an IP address, got "ten"/);
});

Deno.test("a full subnet says how many are taken; all of a small one were given out", async () => {
  const world = node();
  const raw = config({ cidr: "10.97.1.0/29", excludeFirst: 1, excludeLast: 1 });
  for (const id of ["c1", "c2", "c3"]) equal((await call(world, raw, { id })).code, 0, id);
  world.kernel.space("/run/netns/c4");
  await fails(
    world,
    raw,
    { id: "c4" },
    102,
    /10\.97\.1\.0\/29: all 4 are taken \(1 excluded at its start, 1 at its end\)/,
  );
});

Deno.test("a device of that name that is something else is named with the difference, and never deleted", async () => {
  const world = node();
  newLink(world.node, world.node, { name: "vx_red", flags: 1, info: { kind: "dummy" } }, "02:00:00:00:00:09");
  await fails(world, config(), {}, 104, /link "vx_red": it exists but differs: kind is dummy, wanted vxlan/);
  const other = node();
  await call(other, config());
  const changed = config({ id: 102 });
  await fails(other, changed, { id: "c2" }, 104, /link "vx_red": it exists but differs: id is 101, wanted 102/);
});

Deno.test("a VNI that another device has is an error that names the device", async () => {
  const world = node();
  const info = { kind: "vxlan", vxlan: { id: 101 } };
  newLink(world.node, world.node, { name: "other", flags: 1, info }, "02:00:00:00:00:09");
  await fails(world, config(), {}, 104, /VNI 101 is in use by link "other"/);
});

Deno.test("configuration, arguments and IPAM that make no sense are found before anything is made", async () => {
  const cases: [raw: Record<string, unknown>, how: Call, code: number, message: RegExp][] = [
    [config({ name: "thirteen_long" }), {}, 7, /vxlans\[0\]\.name/],
    [config({}, { defaultNetwork: "blue" }), {}, 7, /defaultNetwork/],
    [config({ options: { vtepdev: "none0" } }), {}, 7, /vxlans\[0\]\.options\.vtepdev.*"none0"/],
    [config({}, { k8sReadAnnotations: true }), {}, 2, /k8sReadAnnotations: reading .* is not available/],
    [config({}, { ipam: { type: "a/b" } }), {}, 7, /ipam\.type/],
    [config(), { args: "FOO=1" }, 4, /unknown key FOO/],
    [config(), { args: "MAC=ff:ff:ff:ff:ff:ff" }, 7, /CNI_ARGS MAC/],
    [config({}, { prevResult: 5 }), {}, 6, /prevResult/],
  ];
  for (const [raw, how, code, message] of cases) await fails(node(), raw, how, code, message);
  const lenient = await call(node(), config(), { args: "FOO=1;IgnoreUnknown=1;K8S_POD_NAME=x" });
  equal(lenient.code, 0, lenient.json.msg);
});

Deno.test("an IPAM plugin that is missing or fails leaves nothing, and is asked to DEL after its ADD", async () => {
  await fails(node(), config({}, { ipam: { type: "none" } }), {}, 106, /plugin "none": it is in none of the folders/);
  const world = node();
  const calls: string[] = [];
  world.programs.set("/opt/cni/bin/scripted", ({ CNI_COMMAND = "" }) => {
    calls.push(CNI_COMMAND);
    const result = { cniVersion: "1.1.0", ips: [{ address: "10.97.1.5/24" }], routes: [{ dst: "no prefix" }], dns: {} };
    return { code: 0, stdout: CNI_COMMAND === "ADD" ? JSON.stringify(result) : "", stderr: "" };
  });
  const raw = config({}, { ipam: { type: "scripted" } });
  await fails(world, raw, {}, 106, /gateway|prefix/);
  equal(calls[0], "ADD");
  ok(calls.includes("DEL"), calls.join());
});

Deno.test("SIGTERM while the claim spreads: undone, then said", async () => {
  const world = node();
  const before = everything(world);
  const raw = config({}, { ipam: { type: "routetable-ipam", propagationTimeout: 250 } });
  world.at(world.now() + 100, () => {
    ok(holds(world.node).some((line) => line.includes("proto 192")), "in the middle of it");
    world.interrupt(new CniError(107, "Cannot finish: interrupted by a signal; everything was undone"));
  });
  const { code, json } = await call(world, raw);
  deepEqual([code, json.code], [1, 107], json.msg);
  deepEqual(everything(world), before);
});
