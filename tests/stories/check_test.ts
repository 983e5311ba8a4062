/** CHECK, GC and STATUS of the main plugin on the fake node. */
import { deepEqual, equal, match } from "node:assert/strict";
import { newLink, removeLink, type Space } from "../fake/space.ts";
import type { FakeWorld } from "../fake/world.ts";
import { call, config, everything, holds, node, records, route } from "../lib/story.ts";

const RAW = config({ cidrs: ["fd00:97:1::/64"] });

async function attached(): Promise<{ world: FakeWorld; inside: Space; checked: Record<string, unknown> }> {
  const world = node();
  const { code, json } = await call(world, RAW);
  equal(code, 0, json.msg);
  return { world, inside: world.kernel.space("/run/netns/c1"), checked: { ...RAW, prevResult: json } };
}

Deno.test("CHECK of what is as it should be says nothing", async () => {
  const { world, checked } = await attached();
  deepEqual(await call(world, checked, { verb: "CHECK" }), { code: 0, json: {} });
});

type Damage = (world: FakeWorld, inside: Space) => void;

function cut(world: FakeWorld, space: Space, name: string): void {
  const link = space.links.find((one) => one.name === name);
  if (link !== undefined) removeLink([world.node, world.kernel.space("/run/netns/c1")], space, link);
}

function change(space: Space, name: string, to: object): void {
  const link = space.links.find((one) => one.name === name);
  if (link !== undefined) Object.assign(link, to);
}

const DAMAGES: [what: string, damage: Damage, message: RegExp][] = [
  ["the container's interface is gone", (world, inside) => cut(world, inside, "eth0"), /link "eth0" is missing/],
  ["it is down", (_, inside) => change(inside, "eth0", { up: false }), /link "eth0" has state down, not up/],
  [
    "an address is gone",
    (_, inside) => inside.addresses.splice(0, 1),
    /address 10\.97\.1\.\d+\/24 on "eth0" is missing/,
  ],
  ["the default route is gone", (_, inside) => inside.routes.splice(0), /route 0\.0\.0\.0\/0 via .* is missing/],
  ["vx_ is gone", (world) => cut(world, world.node, "vx_red"), /link "vx_red" is missing/],
  ["vx_ is down", (world) => change(world.node, "vx_red", { up: false }), /link "vx_red" has state down, not up/],
  ["mv_ is gone", (world) => cut(world, world.node, "mv_red"), /link "mv_red" is missing/],
  [
    "the bypass rule is gone",
    (world) => world.node.rules.splice(3),
    /rule 32765: from and to 10\.97\.1\.0\/24 lookup 192/,
  ],
  [
    "the bypass route is gone",
    (world) => world.node.routes = world.node.routes.filter(({ table }) => table !== 192),
    /route 10\.97\.1\.0\/24 dev "mv_red" in table 192 is missing/,
  ],
  [
    "the gateway's address is gone",
    (world) => world.node.addresses = world.node.addresses.filter(({ index }) => index === 2),
    /gateway address of IPv4 on "mv_red" is missing/,
  ],
  [
    "the claim is gone",
    (world) => world.node.routes = world.node.routes.filter(({ protocol }) => protocol !== 192),
    /Cannot find the claim of/,
  ],
];

for (const [what, damage, message] of DAMAGES) {
  Deno.test(`CHECK finds it when ${what}`, async () => {
    const { world, inside, checked } = await attached();
    damage(world, inside);
    const { code, json } = await call(world, checked, { verb: "CHECK" });
    deepEqual([code, json.code], [1, 105], json.msg);
    match(json.msg ?? "", message);
  });
}

Deno.test("CHECK wants prevResult, and a namespace that is there", async () => {
  const { world, checked } = await attached();
  equal((await call(world, RAW, { verb: "CHECK" })).json.code, 7);
  equal((await call(world, checked, { verb: "CHECK", netns: "/run/netns/none" })).json.code, 8);
});

Deno.test("CHECK does not mind what a chain added, moved or took away", async () => {
  const { world, inside, checked } = await attached();
  newLink(inside, inside, { name: "net0", flags: 1 }, "02:00:00:00:00:09");
  route(inside, 2, "10.55.0.0/16");
  change(inside, "eth0", { mac: "02:00:00:00:00:77", mtu: 1300 });
  for (const one of inside.routes) if (one.gateway !== undefined) one.table = 100;
  const { code, json } = await call(world, checked, { verb: "CHECK" });
  equal(code, 0, json.msg);
});

Deno.test("GC without a list is error 7 and removes nothing; either spelling of the key will do", async () => {
  const { world } = await attached();
  const before = everything(world);
  const { json } = await call(world, RAW, { verb: "GC" });
  deepEqual([json.code, everything(world)], [7, before]);
  match(json.msg ?? "", /cni\.dev\/valid-attachments: wanted the list/);
  for (const key of ["cni.dev/valid-attachments", "cni.dev/attachments"]) {
    equal((await call(world, { ...RAW, [key]: [{ containerID: "c1", ifname: "eth0" }] }, { verb: "GC" })).code, 0);
    deepEqual(everything(world), before, key);
    const broken = await call(world, { ...RAW, [key]: [{ containerID: "c1" }] }, { verb: "GC" });
    equal(broken.json.code, 7, broken.json.msg);
  }
});

Deno.test("GC removes what is not listed, and with an empty list all of this network; another one's stays", async () => {
  const world = node();
  const other = config({ id: 102, name: "blue", cidr: "10.98.0.0/16" }, { name: "other", defaultNetwork: "blue" });
  const empty = everything(world);
  await call(world, other, { id: "c3" });
  const beforeRed = everything(world);
  await call(world, RAW);
  const one = everything(world);
  await call(world, RAW, { id: "c2" });
  world.kernel.removeSpace("/run/netns/nowhere");
  const gc = (raw: Record<string, unknown>, list: unknown[]) =>
    call(world, { ...raw, "cni.dev/valid-attachments": list }, { verb: "GC" });
  equal((await gc(RAW, [{ containerID: "c1", ifname: "eth0" }])).code, 0);
  deepEqual(everything(world), one);
  equal((await gc(RAW, [])).code, 0);
  deepEqual(everything(world), beforeRed);
  equal((await gc(other, [])).code, 0);
  deepEqual(everything(world), empty);
});

Deno.test("STATUS: ready; not ready without the device of the underlay; not ready when the subnet is full", async () => {
  const world = node();
  deepEqual(await call(world, RAW, { verb: "STATUS" }), { code: 0, json: {} });
  const missing = await call(world, config({ options: { vtepdev: "none0" } }), { verb: "STATUS" });
  equal(missing.json.code, 50);
  match(missing.json.msg ?? "", /none0/);
  const small = config({ cidr: "10.97.1.0/30" });
  equal((await call(world, small)).code, 0);
  const full = await call(world, small, { verb: "STATUS" });
  equal(full.json.code, 50);
  match(full.json.msg ?? "", /10\.97\.1\.0\/30: all 2 are taken/);
  equal((await call(world, config({ id: "x" }), { verb: "STATUS" })).json.code, 7);
});

Deno.test("CHECK, GC and STATUS change nothing", async () => {
  const { world, checked } = await attached();
  const before = [holds(world.node), records(world)];
  for (const verb of ["CHECK", "STATUS", "GC"]) await call(world, checked, { verb });
  deepEqual([holds(world.node), records(world)], before);
});
