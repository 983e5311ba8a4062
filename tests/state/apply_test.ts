/** Creating, taking back and removing objects, without a plugin around them. */
import { deepEqual, equal, rejects, throws } from "node:assert/strict";
import { EEXIST, EIO, KernelError } from "../../src/errno.ts";
import { type Kernel, openKernel } from "../../src/netlink/kernel.ts";
import { newLink } from "../../src/netlink/link.ts";
import { create, remove } from "../../src/state/apply.ts";
import { compare, complaints, toCreate } from "../../src/state/compare.ts";
import type { NetObject } from "../../src/state/objects.ts";
import type { Socket } from "../../src/world.ts";
import { failingWorld } from "../fake/failing.ts";
import { type FakeWorld, fakeWorld } from "../fake/world.ts";
import { cidr } from "../lib/parsed.ts";

const prefix = cidr("10.97.1.0/24");
const device = { name: "mv_red" };

/** A small network: one write each. */
const OBJECTS: NetObject[] = [
  { kind: "link", in: "node", name: "vx_red", vxlan: { id: 101, link: 2 } },
  { kind: "link", in: "node", name: "mv_red", on: { name: "vx_red" } },
  { kind: "address", in: "node", device, address: cidr("10.97.1.1/24") },
  { kind: "route", in: "node", device, to: prefix, table: 192 },
  { kind: "rule", in: "node", from: prefix, to: prefix, table: 192, priority: 32765 },
];

/** A world whose node has the underlay, index 2. */
function underlaid(): FakeWorld {
  const world = fakeWorld();
  openKernel(world.host()).execute(newLink({ name: "ul0", flags: 1, change: 1, info: { kind: "dummy" } }));
  return world;
}

/** Everything that there is, to be compared with what there was. */
function holds(kernel: Kernel): unknown {
  const links = kernel.links();
  return {
    links: links.map(({ name, mtu }) => [name, mtu]),
    addresses: links.map(({ index = 0 }) => kernel.addresses(index)),
    routes: ([4, 6] as const).map((version) => kernel.routes(version, {})),
    rules: ([4, 6] as const).map((version) => kernel.rules(version)),
  };
}

Deno.test("create() leaves each inverse behind, also of what it made before it failed", async () => {
  for (let k = 0; k <= OBJECTS.length; k++) {
    const world = underlaid();
    const before = holds(openKernel(world.host()));
    using node = openKernel(failingWorld(world, { count: 0, fail: k }).host());
    const undo = new AsyncDisposableStack();
    if (k === 0) create({ node }, OBJECTS, undo);
    else throws(() => create({ node }, OBJECTS, undo), { name: "KernelError", errno: EIO });
    await undo.disposeAsync();
    deepEqual(holds(node), before, `write ${k}`);
  }
});

Deno.test("create() is kept when its undo is moved away", async () => {
  using node = openKernel(underlaid().host());
  {
    await using undo = new AsyncDisposableStack();
    create({ node }, OBJECTS, undo);
    undo.move();
  }
  deepEqual(complaints(compare({ node }, OBJECTS)), []);
});

Deno.test("create() sends in one datagram what does not depend on each other, a link alone", () => {
  const world = underlaid();
  const netns = world.host();
  const datagrams: string[] = [];
  using node = openKernel({ ...netns, rtnetlink: counted(netns.rtnetlink, datagrams) });
  const more: NetObject[] = [
    { kind: "address", in: "node", device: { ...device, index: 4 }, address: cidr("fd00:97:1::1/64") },
  ];
  const [vx, mv, address, route, rule] = OBJECTS.map((object) =>
    object.kind === "address" || object.kind === "route" ? { ...object, device: { ...device, index: 4 } } : object
  );
  if (!vx || !mv || !address || !route || !rule) throw new Error("Cannot test: no objects");
  create({ node }, [vx, mv, address, ...more, route, rule], new AsyncDisposableStack());
  // The parent of mv_ is looked up by its name; RTM_NEW* are multiples of 4.
  deepEqual(datagrams.filter((types) => types.split(" ").every((type) => Number(type) % 4 === 0)), [
    "16",
    "16",
    "20 20",
    "24 32",
  ]);
});

/** A socket that notes the types of the messages of each datagram. */
function counted(socket: Socket, datagrams: string[]): Socket {
  return {
    ...socket,
    send(datagram) {
      const types: number[] = [];
      const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.length);
      for (let at = 0; at < datagram.length; at += view.getUint32(at, true) + 3 & ~3) {
        types.push(view.getUint16(at + 4, true));
      }
      datagrams.push(types.join(" "));
      socket.send(datagram);
    },
  };
}

Deno.test("create() goes on in a datagram after one that fails, and takes back what was made of it", async () => {
  using node = openKernel(underlaid().host());
  const [vx, mv, , route, rule] = OBJECTS;
  if (!vx || !mv || !route || !rule) throw new Error("Cannot test: no objects");
  create({ node }, [vx, mv, route], new AsyncDisposableStack());
  const before = holds(node);
  const undo = new AsyncDisposableStack();
  throws(() => create({ node }, [route, rule], undo), { name: "KernelError", errno: EEXIST });
  equal(node.rules(4).some(({ priority }) => priority === 32765), true, "the second one was made");
  await undo.disposeAsync();
  deepEqual(holds(node), before);
});

Deno.test("create() takes back what may have been made: its acknowledgement was lost", async () => {
  const world = underlaid();
  const netns = world.host();
  let isDeaf = false;
  const rtnetlink: Socket = {
    ...netns.rtnetlink,
    receive: (wait) => {
      const datagram = netns.rtnetlink.receive(wait);
      return isDeaf ? undefined : datagram;
    },
  };
  using node = openKernel({ ...netns, rtnetlink });
  const before = holds(node);
  const undo = new AsyncDisposableStack();
  isDeaf = true;
  throws(() => create({ node }, OBJECTS.slice(0, 1), undo), /none came within 5 s/);
  isDeaf = false;
  equal(node.link("vx_red")?.name, "vx_red");
  await undo.disposeAsync();
  deepEqual(holds(node), before);
});

Deno.test("remove() goes on after an error and throws it at the end; what is gone already is fine", async () => {
  const world = underlaid();
  using node = openKernel(world.host());
  const before = holds(node);
  create({ node }, OBJECTS, new AsyncDisposableStack());
  // The rule is the first to go, and fails.
  using failing = openKernel(failingWorld(world, { count: 0, fail: 1 }).host());
  await rejects(async () => await remove({ node: failing }, OBJECTS), { name: "KernelError", errno: EIO });
  deepEqual(complaints(compare({ node }, OBJECTS)).length, OBJECTS.length - 1);
  for (let i = 0; i < 2; i++) remove({ node }, OBJECTS);
  deepEqual(holds(node), before);
});

Deno.test("remove() tells all failures", () => {
  const world = underlaid();
  create({ node: openKernel(world.host()) }, OBJECTS, new AsyncDisposableStack());
  const netns = world.host();
  // The kernel's answers are lost for good: each removal fails.
  const rtnetlink: Socket = { ...netns.rtnetlink, send: () => fail("ENOBUFS") };
  throws(() => remove({ node: openKernel({ ...netns, rtnetlink }) }, OBJECTS), (error: AggregateError) => {
    equal(error.errors.length, OBJECTS.length);
    return true;
  });
});

function fail(message: string): never {
  throw new Error(message);
}

Deno.test("objects of a container need its namespace", () => {
  using node = openKernel(underlaid().host());
  const inside: NetObject = {
    kind: "address",
    in: "container",
    device: { name: "eth0" },
    address: cidr("10.97.1.5/24"),
  };
  throws(() => create({ node }, [inside], new AsyncDisposableStack()), /its namespace is not open/);
  throws(() => compare({ node }, [inside]), /its namespace is not open/);
});

Deno.test("complaints() say what is missing and what differs, in an operator's words", () => {
  using node = openKernel(underlaid().host());
  deepEqual(complaints(compare({ node }, OBJECTS)), [
    'link "vx_red" is missing',
    'link "mv_red" is missing',
    'address 10.97.1.1/24 on "mv_red" is missing',
    'route 10.97.1.0/24 dev "mv_red" in table 192 is missing',
    "rule 32765: from and to 10.97.1.0/24 lookup 192 is missing",
  ]);
  create({ node }, OBJECTS, new AsyncDisposableStack());
  const wanted: NetObject = { kind: "link", in: "node", name: "vx_red", mtu: 1400, vxlan: { id: 102, ttl: 4 } };
  deepEqual(complaints(compare({ node }, [wanted])), [
    'link "vx_red" has mtu 1450, not 1400, id 101, not 102, ttl 0, not 4',
  ]);
});

Deno.test("toCreate() is what is missing, and settings that have another value; a link that differs is not touched", () => {
  const world = underlaid();
  using node = openKernel(world.host());
  const setting = (name: string, value: string): NetObject => ({
    ...{ kind: "sysctl", in: "node", family: "ipv6", device: "ul0", name, value },
  });
  const [vx] = OBJECTS;
  if (vx === undefined) throw new Error("Cannot test: no objects");
  create({ node }, [vx], new AsyncDisposableStack());
  const other: NetObject = { kind: "link", in: "node", name: "vx_red", mtu: 1400, vxlan: { id: 101 } };
  const wanted = [vx, other, ...OBJECTS.slice(1, 2), setting("accept_ra", "0"), setting("forwarding", "1")];
  deepEqual(toCreate(compare({ node }, wanted)), [OBJECTS[1], setting("accept_ra", "0")]);
});

Deno.test("a refusal has the words of its object's request", () => {
  using node = openKernel(underlaid().host());
  const [vx] = OBJECTS;
  if (vx === undefined) throw new Error("Cannot test: no objects");
  create({ node }, [vx], new AsyncDisposableStack());
  throws(() => create({ node }, [vx], new AsyncDisposableStack()), (error: KernelError) => {
    equal(error.action, 'create link "vx_red"');
    return true;
  });
});
