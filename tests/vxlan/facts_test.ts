/** What is read of the node before its side of a network is made. */
import { deepEqual, equal, throws } from "node:assert/strict";
import { type Kernel, openKernel } from "../../src/netlink/kernel.ts";
import { delLink, newLink } from "../../src/netlink/link.ts";
import { newAddress } from "../../src/netlink/address.ts";
import { newRoute } from "../../src/netlink/route.ts";
import { readConfig } from "../../src/vxlan/config.ts";
import { readFacts, readGateways, readNodeSide } from "../../src/vxlan/facts.ts";
import type { Network } from "../../src/vxlan/network.ts";
import { fakeWorld } from "../fake/world.ts";
import { netConf, red } from "../lib/config.ts";
import { cidr, ip } from "../lib/parsed.ts";

function network(options: Record<string, string>, changes: Record<string, unknown> = {}): Network {
  const [only] = readConfig(netConf({ vxlans: [red({ options, ...changes })] })).networks;
  if (only === undefined) throw new Error("Cannot test: no network");
  return only;
}

/** A node with three links and a route through two of them. */
function node(): Kernel {
  const kernel = openKernel(fakeWorld().host());
  for (const [name, mtu] of [["eth0", 1500], ["eth1", 9000], ["eth2", 1400]] as const) {
    kernel.execute(newLink({ name, mtu, flags: 1, change: 1, info: { kind: "dummy" } }));
  }
  return kernel;
}

const at = (kernel: Kernel, name: string) => kernel.link(name)?.index ?? 0;

Deno.test("the underlay is the device that is named, else that of the group's route, else that of the default route", () => {
  using kernel = node();
  const [eth0, eth1, eth2] = ["eth0", "eth1", "eth2"].map((name) => at(kernel, name));
  const underlay = (options: Record<string, string>) => readFacts(kernel, network(options)).underlay;
  throws(() => underlay({ group: "239.1.1.1" }), {
    code: 7,
    message: /options\.vtepdev: wanted a device, because no route leads to the group .*, got nothing$/,
  });
  kernel.execute(newRoute({ to: cidr("0.0.0.0/0"), oif: eth0 ?? 0 }));
  kernel.execute(newRoute({ to: cidr("::/0"), oif: eth0 ?? 0 }));
  kernel.execute(newRoute({ to: cidr("239.1.0.0/16"), oif: eth1 ?? 0 }));
  deepEqual(underlay({ group: "239.1.1.1" }), { link: eth1, mtu: 8950 });
  deepEqual(underlay({ group: "239.9.1.1" }), { link: eth0, mtu: 1450 });
  deepEqual(underlay({}), { link: eth0, mtu: 1450 });
  deepEqual(underlay({ group: "ff05::1" }), { link: eth0, mtu: 1430 }, "IPv6 costs 20 bytes more");
  deepEqual(underlay({ group: "239.1.1.1", vtepdev: "eth2" }), { link: eth2, mtu: 1350 });
});

Deno.test("a device that is named must be there; it is looked at again although vx_ is there already", () => {
  using kernel = node();
  const named = network({ vtepdev: "none" });
  throws(() => readFacts(kernel, named), {
    code: 7,
    message:
      'Cannot use config: vxlans[0].options.vtepdev: wanted the name of a device that exists on this node, got "none"',
  });
  kernel.execute(newLink({ name: "vx_red", info: { kind: "vxlan", vxlan: { id: 101 } } }));
  deepEqual(readFacts(kernel, network({})), { vtep: undefined, gateways: [] }, "the underlay is the link's");
  deepEqual(readFacts(kernel, network({ vtepdev: "eth1" })), { vtep: at(kernel, "eth1"), gateways: [] });
});

Deno.test("the node's links as a result lists them; one that has gone is an error", () => {
  using kernel = node();
  kernel.execute(newLink({ name: "vx_red", mtu: 1450, info: { kind: "vxlan", vxlan: { id: 101 } } }));
  kernel.execute(newLink({ name: "mv_red", link: at(kernel, "vx_red"), info: { kind: "macvlan" } }));
  const { vxlan, macvlan, mac, mtu, interfaces } = readNodeSide(kernel, network({}));
  deepEqual([vxlan, macvlan, mtu], [at(kernel, "vx_red"), at(kernel, "mv_red"), 1450]);
  deepEqual(interfaces.map((one) => [one.name, one.mtu]), [["vx_red", 1450], ["mv_red", 1450]]);
  equal(mac, interfaces[1]?.mac);
  kernel.execute(delLink("mv_red", macvlan));
  throws(() => readNodeSide(kernel, network({})), { code: 104, message: /"red": its devices have gone/ });
});

Deno.test("gateways are addresses of the network's length; a reservation's and others' are none", () => {
  using kernel = node();
  const index = at(kernel, "eth0");
  for (const text of ["10.97.1.7/24", "10.97.1.8/32", "10.98.1.9/24", "fd00:97:1::7/64", "fd00:97:1::8/128"]) {
    kernel.execute(newAddress({ cidr: cidr(text), index, device: "eth0" }));
  }
  deepEqual(readGateways(kernel, network({}, { cidrs: ["fd00:97:1::/64"] }), index), [
    { ip: ip("10.97.1.7"), length: 24 },
    { ip: ip("fd00:97:1::7"), length: 64 },
  ]);
});
