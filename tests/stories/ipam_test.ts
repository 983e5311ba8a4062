/** The IPAM plugin on its own: called by another main plugin, or by the original one with nothing but CNI_ARGS. */
import { deepEqual, equal, match } from "node:assert/strict";
import { newLink } from "../fake/space.ts";
import type { FakeWorld } from "../fake/world.ts";
import { type Call, call, everything, holds, node, route } from "../lib/story.ts";

const IPAM = { type: "routetable-ipam", subnet: "10.97.1.0/24", device: "mv_red", propagationTimeout: 0 };

function config(ipam: object = {}, top: object = {}): Record<string, unknown> {
  return { cniVersion: "1.1.0", name: "vxnet", type: "macvlan", master: "ul0", ipam: { ...IPAM, ...ipam }, ...top };
}

const ask = (world: FakeWorld, raw: Record<string, unknown>, how: Call = {}) =>
  call(world, raw, { ipam: true, ...how });

/** A node with a device for claims. */
function claiming(): FakeWorld {
  const world = node();
  newLink(world.node, world.node, { name: "mv_red", flags: 1 }, "02:00:5e:00:00:02");
  return world;
}

const claims = (world: FakeWorld) => holds(world.node).filter((line) => line.includes("mv_red proto"));

async function fails(world: FakeWorld, raw: Record<string, unknown>, how: Call, code: number, message: RegExp) {
  const before = everything(world);
  const { json } = await ask(world, raw, how);
  equal(json.code, code, json.msg);
  match(json.msg ?? "", message);
  deepEqual(everything(world), before);
}

Deno.test("ADD answers with an address, its routes and its gateway; the claim is a host route", async () => {
  const world = claiming();
  const routes = [{ dst: "0.0.0.0/0" }];
  const { code, json } = await ask(world, config({ gateway: "10.97.1.1", routes, excludeFirst: 1 }));
  equal(code, 0, json.msg);
  const [ip] = json.ips ?? [];
  deepEqual(json, { cniVersion: "1.1.0", ips: [{ address: ip?.address, gateway: "10.97.1.1" }], routes, dns: {} });
  deepEqual(claims(world), [`route ${ip?.address.replace("/24", "/32")} mv_red proto 192 table 254`]);
});

Deno.test("the keys subnet, cidr and cidrs mean the same, both families at once", async () => {
  for (const keys of [{ cidr: "10.97.1.0/24", subnet: undefined }, { subnet: undefined, cidrs: ["10.97.1.0/24"] }]) {
    equal((await ask(claiming(), config(keys))).json.ips?.length, 1);
  }
  const { json } = await ask(claiming(), config({ cidrs: ["fd00:97:1::/64"] }));
  deepEqual(json.ips?.map(({ address }) => address.split("/")[1]), ["24", "64"]);
});

Deno.test("protocol and metric of the claim are as configured; without a device it is the main plugin's", async () => {
  const world = claiming();
  await ask(world, config({ routeProtocol: 99, routeMetric: 77, device: undefined }));
  const [claim] = world.node.routes.filter(({ protocol }) => protocol === 99);
  deepEqual([claim?.priority, claim?.oif, claim?.scope], [77, 2, 0]);
});

Deno.test("the original's hand-off: everything in CNI_ARGS, an empty ipam section, and its result in 0.4.0", async () => {
  const world = claiming();
  const args = "CIDR=10.97.1.0/24;EXCLUDE_FIRST=1;EXCLUDE_LAST=1;LINK_INDEX=3;IP=10.97.1.20";
  const raw = {
    cniVersion: "0.4.0",
    name: "vxnet",
    type: "vxlan",
    ipam: { type: "route-table", propagationTimeout: 0 },
  };
  const { json } = await ask(world, raw, { args });
  deepEqual(json, { cniVersion: "0.4.0", ips: [{ version: "4", address: "10.97.1.20/24" }], routes: [], dns: {} });
  deepEqual(claims(world), ["route 10.97.1.20/32 mv_red proto 192 table 254"]);
  equal((await ask(world, raw, { args, verb: "DEL" })).code, 0);
  deepEqual(claims(world), []);
});

Deno.test("an excluded address can be asked for, the network id and the broadcast cannot", async () => {
  const raw = config({ excludeFirst: 10 });
  const { json } = await ask(claiming(), raw, { args: "IP=10.97.1.5" });
  equal(json.ips?.[0]?.address, "10.97.1.5/24", json.msg);
  await fails(claiming(), raw, { args: "IP=10.97.1.0" }, 7, /its network id/);
  await fails(claiming(), raw, { args: "IP=10.97.1.255" }, 7, /its broadcast address/);
  await fails(claiming(), raw, { args: "IP=10.97.2.1" }, 7, /an address in 10\.97\.1\.0\/24/);
});

Deno.test("twice for the same interface is an error, as is a full subnet and a taken address", async () => {
  const world = claiming();
  await ask(world, config({ subnet: "10.97.1.0/30" }), { args: "IP=10.97.1.1" });
  await fails(
    world,
    config({ subnet: "10.97.1.0/30" }),
    {},
    101,
    /its address is 10\.97\.1\.1 already; call DEL first/,
  );
  await fails(world, config(), { id: "c2", args: "IP=10.97.1.1" }, 101, /10\.97\.1\.1/);
  await ask(world, config({ subnet: "10.97.1.0/30" }), { id: "c2" });
  await fails(world, config({ subnet: "10.97.1.0/30" }), { id: "c3" }, 102, /all 2 are taken/);
});

Deno.test("DEL releases what the record says, whatever has become of the configuration; twice, and for nothing", async () => {
  const broken = [config(), config({ subnet: "no" }), config({ device: "none0" }), config({ subnet: undefined })];
  for (const raw of broken) {
    const world = claiming();
    const before = everything(world);
    await ask(world, config());
    for (let i = 0; i < 2; i++) deepEqual(await ask(world, raw, { verb: "DEL" }), { code: 0, json: {} });
    deepEqual(everything(world), before, JSON.stringify(raw.ipam));
  }
});

Deno.test("DEL without a record goes by prevResult", async () => {
  const world = claiming();
  const { json } = await ask(world, config());
  world.files.clear();
  await ask(world, { ...config(), prevResult: json }, { verb: "DEL" });
  deepEqual(claims(world), []);
});

Deno.test("CHECK: the claim is there; it is gone; another node's route to the address", async () => {
  const world = claiming();
  const { json } = await ask(world, config(), { args: "IP=10.97.1.20" });
  const raw = { ...config(), prevResult: json };
  const check = () => ask(world, raw, { verb: "CHECK" });
  deepEqual(await check(), { code: 0, json: {} });
  const own = world.node.routes;
  world.node.routes = own.filter(({ protocol }) => protocol !== 192);
  match((await check()).json.msg ?? "", /its host route on "mv_red" is missing/);
  // The node with the higher address on the underlay loses: 192.0.2.1 is ours.
  for (const [gateway, code] of [["192.0.2.2", 0], ["192.0.2.0", 1]] as const) {
    world.node.routes = own.map((one) => one.protocol === 192 ? { ...one, priority: 100 } : one);
    route(world.node, 2, "10.97.1.20/32", { gateway, protocol: 12 });
    const { code: found, json: { msg } } = await check();
    equal(found, code, `${gateway}: ${msg}`);
    if (code === 1) match(msg ?? "", /the node behind 192\.0\.2\.0 has the same address, and keeps it/);
  }
});

Deno.test("STATUS: ready, full, without its device", async () => {
  const world = claiming();
  const status = (raw: Record<string, unknown>) => ask(world, raw, { verb: "STATUS" });
  deepEqual(await status(config()), { code: 0, json: {} });
  equal((await status(config({ device: "none0" }))).json.code, 50);
  await ask(world, config({ subnet: "10.97.1.0/32" }));
  const full = await status(config({ subnet: "10.97.1.0/32" }));
  deepEqual([full.json.code, full.json.msg], [50, "Cannot give out addresses of 10.97.1.0/32: all 1 are taken"]);
});

Deno.test("GC: error 7 without a list; what is not listed goes, of this network only", async () => {
  const world = claiming();
  await ask(world, config(), { id: "c1", args: "IP=10.97.1.1" });
  await ask(world, config(), { id: "c2", args: "IP=10.97.1.2" });
  await ask(world, config({}, { name: "other" }), { id: "c3", args: "IP=10.97.1.3" });
  const gc = (top: object) => ask(world, config({}, top), { verb: "GC" });
  equal((await gc({})).json.code, 7);
  equal(claims(world).length, 3);
  await gc({ "cni.dev/valid-attachments": [{ containerID: "c1", ifname: "eth0" }] });
  deepEqual(claims(world).map((line) => line.split(" ")[1]), ["10.97.1.1/32", "10.97.1.3/32"]);
  await gc({ "cni.dev/valid-attachments": [] });
  deepEqual(claims(world).map((line) => line.split(" ")[1]), ["10.97.1.3/32"]);
});

Deno.test("a configuration that makes no sense is an error that names key, wanted and got", async () => {
  const cases: [ipam: object, how: Call, code: number, message: RegExp][] = [
    [{ subnet: "10.97.1.0" }, {}, 7, /ipam\.subnet: wanted a prefix .*, got "10\.97\.1\.0"/],
    [{ subnet: undefined }, {}, 7, /ipam\.subnet: wanted a prefix .*, got nothing/],
    [{ cidrs: ["10.98.0.0/16"] }, {}, 7, /ipam\.cidrs: wanted at most one prefix of each family/],
    [{ device: "none0" }, {}, 7, /ipam\.device: wanted a network device .*, got "none0"/],
    [{ device: 5 }, {}, 7, /ipam\.device: wanted the name of a network device, got 5/],
    [{ excludeFirst: -1 }, {}, 7, /ipam\.excludeFirst: wanted a whole number/],
    [
      { propagationTimeout: "250" },
      {},
      7,
      /ipam\.propagationTimeout: wanted a whole number from 0 to 60000, got "250"/,
    ],
    [{ routeProtocol: 2 }, {}, 7, /ipam\.routeProtocol: wanted a whole number from 4 to 255, got 2/],
    [{ routeMetric: -1 }, {}, 7, /ipam\.routeMetric/],
    [{ probe: 1 }, {}, 7, /ipam\.probe: wanted true or false, got 1/],
    [{ reserve: 1001 }, {}, 7, /ipam\.reserve: wanted a whole number from 0 to 1000, got 1001/],
    [{ routes: [{}] }, {}, 7, /ipam\.routes\[0\]\.dst: wanted a prefix, got nothing/],
    [{ gateway: "x" }, {}, 7, /ipam\.gateway: wanted an IP address, got "x"/],
    [{}, { args: "CIDR=x" }, 7, /CNI_ARGS CIDR/],
    [{}, { args: "LINK_INDEX=x" }, 4, /LINK_INDEX: wanted a whole number, got "x"/],
    [{}, { args: "LINK_INDEX=77" }, 7, /LINK_INDEX 77, which does not exist/],
    [{}, { args: "FOO=1" }, 4, /unknown key FOO/],
  ];
  for (const [ipam, how, code, message] of cases) await fails(claiming(), config(ipam), how, code, message);
});
