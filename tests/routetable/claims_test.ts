/** The ledger of addresses: one file with two names, and a host route that stands for it. */
import { deepEqual, equal, throws } from "node:assert/strict";
import { EIO } from "../../src/errno.ts";
import { formatCidr, formatIp } from "../../src/ip.ts";
import { delLink, newLink } from "../../src/netlink/link.ts";
import { newRoute, RTN_LOCAL } from "../../src/netlink/route.ts";
import {
  type Claim,
  type Claims,
  defence,
  gatewayOwner,
  isGateway,
  openClaims,
  ownerOf,
  RESERVED,
} from "../../src/routetable/claims.ts";
import { giveBack } from "../../src/routetable/reserve.ts";
import { create } from "../../src/state/apply.ts";
import { type Node, openNode } from "../../src/state/node.ts";
import type { World } from "../../src/world.ts";
import { failingWorld } from "../fake/failing.ts";
import { type FakeWorld, fakeWorld } from "../fake/world.ts";
import { cidr, ip } from "../lib/parsed.ts";

interface Ready {
  world: FakeWorld;
  node: Node;
  claims: Claims;
  index: number;
}

/** A node with the device of claims. */
function ready(world = fakeWorld()): Ready {
  const node = openNode(world);
  if (node.kernel.link("mv_red") === undefined) makeDevice(node);
  return { world, node, claims: openClaims(node), index: node.kernel.link("mv_red")?.index ?? 0 };
}

function makeDevice({ kernel }: Node): void {
  kernel.execute(newLink({ name: "mv_red", flags: 1, change: 1, info: { kind: "dummy" } }));
}

/** The same node, seen through a kernel that refuses one write. */
function failing(world: World, fail: number): Claims {
  return openClaims(openNode(failingWorld(world, { count: 0, fail })));
}

const OWNER = ownerOf({ containerId: "c1", ifname: "eth0" });

function wanted({ index }: Ready, changes: Partial<Claim> = {}): Claim {
  const ledger = { network: "vxnet", device: "mv_red", index, protocol: 192, metric: 0, since: 5 };
  return { ...ledger, owner: OWNER, ip: ip("10.97.1.5"), ...changes };
}

/** Every link has a route for it. */
const RTN_MULTICAST = 5;

/** Files and routes of claims, a line each. */
function held({ world, node }: Ready): string[] {
  const all = ([4, 6] as const).flatMap((version) => node.kernel.routes(version, {}));
  const routes = all.filter(({ type }) => type !== RTN_MULTICAST).map((one) => {
    const to = one.to === undefined ? "default" : formatCidr({ ip: one.to, length: one.length ?? 0 });
    return `route ${to} table ${one.table} proto ${one.protocol}`;
  });
  return [...world.files.keys(), ...routes].sort();
}

const TAKEN = [
  "addresses/10.97.1.5.json",
  "claims/c1@eth0/mv_red@10.97.1.5.json",
  "route 10.97.1.5/32 table 254 proto 192",
];

Deno.test("a claim is a record with two names and a host route; released, nothing is left", () => {
  const there = ready();
  const { claims, world } = there;
  const claim = wanted(there);
  equal(claims.take(claim), claim);
  deepEqual(held(there), TAKEN);
  equal(world.store("").same(TAKEN[0] ?? "", TAKEN[1] ?? ""), true);
  deepEqual(claims.of(OWNER), [{ format: 1, ...claim }]);
  equal(claims.isHeld(claim.ip), true);
  claims.release(claim);
  deepEqual([held(there), claims.of(OWNER), claims.isHeld(claim.ip)], [[], [], false]);
  claims.release(claim);
  deepEqual(held(there), [], "again");
});

Deno.test("the route is as the daemon is told to find it: protocol, metric, of global scope, of either family", () => {
  const there = ready();
  there.claims.take(wanted(there, { ip: ip("fd00::5"), protocol: 84, metric: 77 }));
  there.claims.take(wanted(there, { metric: 9 }));
  const found = (text: string) => {
    const { protocol, priority, scope, oif, length } = there.node.kernel.lookup(ip(text)) ?? {};
    return [protocol, priority, scope, oif, length];
  };
  deepEqual(found("fd00::5"), [84, 77, 0, there.index, 128]);
  deepEqual(found("10.97.1.5"), [192, 9, 0, there.index, 32]);
});

Deno.test("an address is claimed once: by whoever was first, in the ledger or in the kernel", () => {
  const there = ready();
  const { claims, node, index } = there;
  claims.take(wanted(there));
  equal(claims.take(wanted(there, { owner: "c2@eth0" })), undefined);
  deepEqual(held(there), TAKEN);
  node.kernel.execute(newRoute({ to: cidr("10.97.1.6/32"), oif: index, protocol: 12 }));
  equal(claims.take(wanted(there, { ip: ip("10.97.1.6") })), undefined, "a route of the daemon's");
  deepEqual(held(there), [...TAKEN, "route 10.97.1.6/32 table 254 proto 12"]);
});

Deno.test("a claim that the kernel refuses leaves nothing", () => {
  const there = ready();
  throws(() => failing(there.world, 1).take(wanted(there)), { name: "KernelError", errno: EIO });
  deepEqual(held(there), []);
});

Deno.test("a claim that cannot be given up is kept for another try", () => {
  const there = ready();
  const claim = wanted(there);
  there.claims.take(claim);
  throws(() => failing(there.world, 1).release(claim), { name: "KernelError", errno: EIO });
  deepEqual(held(there), TAKEN);
  there.claims.release(claim);
  deepEqual(held(there), []);
});

Deno.test("a claim is handed over in one step, its route stays; what has gone cannot be handed over", () => {
  const there = ready();
  const claim = wanted(there, { owner: RESERVED });
  there.claims.take(claim);
  const given = there.claims.handOver(claim, OWNER);
  deepEqual(given, { ...claim, owner: OWNER });
  deepEqual(held(there), TAKEN);
  equal(there.claims.handOver(claim, "c2@eth0"), undefined);
  equal(there.claims.isHeld(claim.ip), true);
});

Deno.test("what a reservation is answered for with goes with it", () => {
  for (const text of ["10.97.1.5", "fd00::5"]) {
    const there = ready();
    const claim = wanted(there, { owner: RESERVED, ip: ip(text) });
    const { kernel } = there.node;
    there.claims.take(claim);
    create({ node: kernel }, [defence(claim)], new AsyncDisposableStack());
    equal(kernel.lookup(claim.ip)?.type, RTN_LOCAL, "this node answers for it");
    there.claims.release(claim);
    deepEqual(held(there), [], text);
  }
});

Deno.test("a claim on a device that is gone means nothing, also when another device has its name", () => {
  const there = ready();
  const { claims, node, world, index } = there;
  const claim = wanted(there);
  claims.take(claim);
  node.kernel.execute(delLink("mv_red", index));
  equal(claims.isHeld(claim.ip), false);
  const again = ready(world);
  const other = wanted(again, { owner: "c2@eth0" });
  equal(again.claims.isHeld(claim.ip), false);
  equal(again.claims.take(other), other);
  equal(again.claims.isHeld(claim.ip), true);
  // The earlier owner's record still stands, but the address and its route are another's.
  again.claims.release(claim);
  deepEqual(held(again), [
    "addresses/10.97.1.5.json",
    "claims/c2@eth0/mv_red@10.97.1.5.json",
    "route 10.97.1.5/32 table 254 proto 192",
  ]);
});

Deno.test("of a broken record its name says the device and the address, and it is put aside", () => {
  const there = ready();
  const { claims, world, index } = there;
  claims.take(wanted(there));
  // Both names are of one file.
  for (const name of TAKEN.slice(0, 2)) world.files.set(name, "{");
  deepEqual(
    claims.of(OWNER, { protocol: 192 }).map(({ device, index, ip, owner, protocol }) => [
      ...[device, index, formatIp(ip), owner, protocol],
    ]),
    [["mv_red", index, "10.97.1.5", OWNER, 192]],
  );
  equal(claims.isHeld(ip("10.97.1.5")), true, "a broken record still counts");
  for (const claim of claims.of(OWNER, { protocol: 192 })) claims.release(claim);
  deepEqual(held(there), ["broken/claims:c1@eth0:mv_red@10.97.1.5.json"]);
  equal(world.warnings.length > 0, true);
});

Deno.test("owners of attachments, of gateways and of reservations cannot be taken for one another", () => {
  equal(OWNER, "c1@eth0");
  deepEqual([isGateway(gatewayOwner("mv_red")), isGateway(OWNER), isGateway(RESERVED)], [true, false, false]);
  deepEqual([RESERVED.includes("@"), gatewayOwner("mv_red").includes("@")], [false, false]);
});

Deno.test("a claim whose call died before the address was its own is not kept in advance: the address is another one's", () => {
  const there = ready();
  const { node, claims } = there;
  for (const [containerId, last] of [["c1", 5], ["c2", 6]] as const) {
    claims.take(wanted(there, { owner: ownerOf({ containerId, ifname: "eth0" }), ip: ip(`10.97.1.${last}`) }));
  }
  const before = held(there);
  const { owner: _1, ip: _2, ...record } = wanted(there);
  claims.records.write("c3@eth0/mv_red@10.97.1.5", record);
  giveBack({ ...node, claims }, claims.of("c3@eth0"), { reserve: 2, routeProtocol: 192, routeMetric: 0 });
  deepEqual(held(there), before);
});
