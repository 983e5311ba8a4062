/** Creating, taking back and removing objects, without a plugin around them. */
import { deepEqual, rejects, throws } from "node:assert/strict";
import { parseCidr } from "../../src/ip.ts";
import { rtnetlink } from "../../src/netlink/rtnetlink.ts";
import { create, remove } from "../../src/state/apply.ts";
import type { NetObject } from "../../src/state/object.ts";
import { compare, complaints } from "../../src/state/plan.ts";
import { failingWorld } from "../fake/failing.ts";
import { holds, node } from "../lib/story.ts";

const prefix = parseCidr("10.97.1.0/24") ?? { ip: { version: 4, value: 0n }, length: 0 };
const gateway = parseCidr("10.97.1.1/24") ?? prefix;

/** A small network: one write each. */
const OBJECTS: NetObject[] = [
  { kind: "link", name: "vx_red", vxlan: { id: 101, link: 2 } },
  { kind: "link", name: "mv_red", macvlanOn: "vx_red" },
  { kind: "address", device: "mv_red", address: gateway },
  { kind: "route", device: "mv_red", to: prefix, table: 192 },
  { kind: "rule", prefix, table: 192, priority: 32765 },
];

Deno.test("create() leaves each inverse behind, also of what it made before it failed", async () => {
  for (let k = 0; k <= OBJECTS.length; k++) {
    const world = node();
    const before = holds(world.node);
    const writes = { count: 0, fail: k };
    using kernel = rtnetlink(failingWorld(world, writes).host().netlink());
    const undo = new AsyncDisposableStack();
    if (k === 0) create(kernel, OBJECTS, undo);
    else throws(() => create(kernel, OBJECTS, undo), { name: "KernelError", errno: 5 });
    await undo.disposeAsync();
    deepEqual(holds(world.node), before, `write ${k}`);
  }
});

Deno.test("create() is kept when its undo is moved away", async () => {
  const world = node();
  using kernel = rtnetlink(world.host().netlink());
  {
    await using undo = new AsyncDisposableStack();
    create(kernel, OBJECTS, undo);
    undo.move();
  }
  deepEqual(complaints(compare(kernel, OBJECTS)), []);
});

Deno.test("remove() goes on after an error and throws it at the end; what is gone already is fine", async () => {
  const world = node();
  const before = holds(world.node);
  using kernel = rtnetlink(world.host().netlink());
  create(kernel, OBJECTS, new AsyncDisposableStack());
  // The rule is the first to go, and fails.
  using failing = rtnetlink(failingWorld(world, { count: 0, fail: 1 }).host().netlink());
  await rejects(async () => await remove(failing, OBJECTS), { name: "KernelError", errno: 5 });
  deepEqual(complaints(compare(kernel, OBJECTS)).length, OBJECTS.length - 1);
  for (let i = 0; i < 2; i++) remove(kernel, OBJECTS);
  deepEqual(holds(world.node), before);
});

Deno.test("complaints() say what is missing and what differs, in an operator's words", () => {
  const world = node();
  using kernel = rtnetlink(world.host().netlink());
  deepEqual(complaints(compare(kernel, OBJECTS)), [
    'link "vx_red" is missing',
    'link "mv_red" is missing',
    'address 10.97.1.1/24 on "mv_red" is missing',
    'route 10.97.1.0/24 dev "mv_red" in table 192 is missing',
    "rule 32765: from and to 10.97.1.0/24 lookup 192 is missing",
  ]);
  create(kernel, OBJECTS, new AsyncDisposableStack());
  const wanted: NetObject = { kind: "link", name: "vx_red", mtu: 1400, vxlan: { id: 102, ttl: 4 } };
  deepEqual(complaints(compare(kernel, [wanted])), [
    'link "vx_red" has mtu 1450, not 1400, id 101, not 102, ttl 0, not 4',
  ]);
});
