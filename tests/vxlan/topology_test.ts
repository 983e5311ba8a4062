/** Every object of a network and of a container, as the pages of src/vxlan/topology.ts list them. */
import { deepEqual } from "node:assert/strict";
import { kindOf, type NetObject } from "../../src/state/objects.ts";
import { readConfig } from "../../src/vxlan/config.ts";
import type { Network } from "../../src/vxlan/network.ts";
import { containerObjects, defaultRoute, nodeObjects } from "../../src/vxlan/topology.ts";
import { netConf, red } from "../lib/config.ts";
import { cidr, ip } from "../lib/parsed.ts";

function network(changes: Record<string, unknown> = {}): Network {
  const [only] = readConfig(netConf({ vxlans: [red(changes)] })).networks;
  if (only === undefined) throw new Error("Cannot test: no network");
  return only;
}

const described = (objects: readonly NetObject[]) => objects.map((object) => kindOf(object).describe(object));

Deno.test("the node's side: vx_, mv_, no router advertisements, the bypass of each prefix, the gateways", () => {
  const dual = network({ cidrs: ["fd00:97:1::/64"], bypassTable: 70000 });
  deepEqual(described(nodeObjects(dual, { gateways: [cidr("10.97.1.1/24"), cidr("fd00:97:1::1/64")] })), [
    'link "vx_red"',
    'link "mv_red"',
    "sysctl net.ipv6.conf.vx_red.accept_ra",
    "sysctl net.ipv6.conf.mv_red.accept_ra",
    'route 10.97.1.0/24 dev "mv_red" in table 70000',
    "rule 32765: from and to 10.97.1.0/24 lookup 70000",
    'route fd00:97:1::/64 dev "mv_red" in table 70000',
    "rule 32765: from and to fd00:97:1::/64 lookup 70000",
    'address 10.97.1.1/24 on "mv_red"',
    'address fd00:97:1::1/64 on "mv_red"',
  ]);
  deepEqual(described(nodeObjects(network({ bypass: false }), { gateways: [] })), [
    'link "vx_red"',
    'link "mv_red"',
    "sysctl net.ipv6.conf.vx_red.accept_ra",
    "sysctl net.ipv6.conf.mv_red.accept_ra",
  ]);
});

Deno.test("an MTU that is configured is wanted of both links, one that was derived only given to new ones", () => {
  const sizes = (changes: object, underlay?: { link: number; mtu: number }) =>
    nodeObjects(network({ ...changes }), { underlay, gateways: [] }).flatMap((object) =>
      object.kind === "link" ? [[object.name, object.mtu, object.initial?.mtu, object.initial?.link]] : []
    );
  deepEqual(sizes({ mtu: 1400 }), [["vx_red", 1400, undefined, undefined], ["mv_red", 1400, undefined, undefined]]);
  deepEqual(sizes({}, { link: 7, mtu: 1450 }), [["vx_red", undefined, 1450, 7], [
    "mv_red",
    undefined,
    1450,
    undefined,
  ]]);
});

Deno.test("the container's side: its link on vx_, its addresses, its routes", () => {
  const objects = containerObjects({
    ifname: "eth0",
    vxlan: 5,
    addresses: [cidr("10.97.1.5/24"), cidr("fd00:97:1::5/64")],
    routes: [defaultRoute(ip("10.97.1.1")), defaultRoute(ip("fd00:97:1::1")), { to: cidr("10.98.0.0/16") }],
  });
  deepEqual(described(objects), [
    'link "eth0"',
    'address 10.97.1.5/24 on "eth0"',
    'address fd00:97:1::5/64 on "eth0"',
    'route 0.0.0.0/0 via 10.97.1.1 dev "eth0"',
    'route ::/0 via fd00:97:1::1 dev "eth0"',
    'route 10.98.0.0/16 dev "eth0"',
  ]);
  deepEqual(new Set(objects.map((object) => object.in)), new Set(["container"]));
  deepEqual(objects[0]?.kind === "link" && objects[0].on?.index, 5);
});
