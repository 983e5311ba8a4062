/** ADD on the fake node: what is made, what is answered, what was asked for. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { hear } from "../../src/frame.ts";
import { formatIp } from "../../src/ip.ts";
import type { FakeWorld } from "../fake/world.ts";
import { address, type Call, call, config, everything, holds, node, route } from "../lib/story.ts";

const space = (world: FakeWorld, name: string) => world.kernel.space(`/run/netns/${name}`);
const link = (world: FakeWorld, name: string) => world.node.links.find((one) => one.name === name);

/** The addresses of a successful ADD. */
async function added(world: FakeWorld, raw: Record<string, unknown>, how: Call = {}): Promise<string[]> {
  const { code, json } = await call(world, raw, how);
  equal(code, 0, json.msg);
  return json.ips?.map(({ address }) => address) ?? [];
}

Deno.test("the first container gets the network made on the node, and everything in its own namespace", async () => {
  const world = node();
  const before = holds(world.node);
  const { json } = await call(world, config());
  const [ip, gateway] = [json.ips?.[0]?.address.replace("/24", ""), json.ips?.[0]?.gateway];
  deepEqual(holds(world.node).filter((line) => !before.includes(line)), [
    `address ${gateway}/24 mv_red`,
    "link mv_red",
    "link vx_red",
    "route 10.97.1.0/24 mv_red proto 3 table 192",
    ...[ip, gateway].sort().map((one) => `route ${one}/32 mv_red proto 192 table 254`),
    "rule 32765 from 10.97.1.0/24 to 10.97.1.0/24 table 192",
  ]);
  deepEqual(holds(space(world, "c1")), [
    `address ${ip}/24 eth0`,
    "link eth0",
    `route default2 eth0 proto 3 table 254 via ${gateway}`,
  ]);
  equal(space(world, "c1").links.find(({ name }) => name === "eth0")?.parent, link(world, "vx_red"));
  deepEqual(["vx_red", "mv_red"].map((name) => world.node.sysctls.get(`ipv6/conf/${name}/accept_ra`)), ["0", "0"]);
});

Deno.test("the result names three interfaces, and the address's by its position", async () => {
  const world = node();
  const { json } = await call(world, config({}, { dns: { nameservers: ["10.97.0.53"] } }));
  deepEqual(json.interfaces?.map(({ name, mtu, sandbox }) => [name, mtu, sandbox]), [
    ["vx_red", 1450, undefined],
    ["mv_red", 1450, undefined],
    ["eth0", 1450, "/run/netns/c1"],
  ]);
  equal(json.interfaces?.[2]?.mac, space(world, "c1").links.find(({ name }) => name === "eth0")?.mac);
  deepEqual([json.ips?.length, json.ips?.[0]?.interface], [1, 2]);
  deepEqual(json.routes, [{ dst: "0.0.0.0/0", gw: json.ips?.[0]?.gateway }]);
  deepEqual(json.dns, { nameservers: ["10.97.0.53"] });
});

Deno.test("a vxlan gets only the options that are given, on the named device", async () => {
  const world = node();
  await call(
    world,
    config({ mtu: 1400, options: { vtepdev: "ul0", group: "239.1.1.101", learning: "false", age: "60" } }),
  );
  const { vxlan, mtu, txqlen } = link(world, "vx_red") ?? {};
  deepEqual([vxlan?.learning, vxlan?.ageing, vxlan?.port, vxlan?.link], [false, 60, 8472, 2]);
  deepEqual([mtu, link(world, "mv_red")?.mtu, txqlen], [1400, 1400, 1000]);
});

Deno.test("the device: of the route to the group, else of the default route; over IPv6 the MTU is 70 less", async () => {
  for (
    const [options, mtu] of [[{ group: "239.1.1.101" }, 1450], [{}, 1450], [{ group: "ff05::101" }, 1430]] as const
  ) {
    const world = node();
    await added(world, config({ options }));
    deepEqual([link(world, "vx_red")?.vxlan?.link, link(world, "vx_red")?.mtu], [2, mtu], JSON.stringify(options));
  }
});

Deno.test("without a device and without a route to find one, nothing is made", async () => {
  const world = node();
  world.node.routes = [];
  const before = everything(world);
  const { json } = await call(world, config({ options: { group: "239.1.1.101" } }));
  deepEqual([json.code, everything(world)], [7, before]);
  match(json.msg ?? "", /options\.vtepdev: wanted a device, because no route leads to the group/);
});

Deno.test("both families have an address, a gateway and a default route each; bypass can be off", async () => {
  const world = node();
  const { json } = await call(world, config({ cidrs: ["fd00:97:1::/64"], bypass: false }));
  deepEqual(json.ips?.map(({ address }) => address.split("/")[1]), ["24", "64"]);
  deepEqual(json.routes?.map(({ dst }) => dst), ["0.0.0.0/0", "::/0"]);
  equal(holds(space(world, "c1")).length, 5);
  equal(holds(world.node).some((line) => line.startsWith("rule") || line.includes("table 192")), false);
});

Deno.test("the second container uses what is there; networks stand side by side", async () => {
  const world = node();
  const first = await call(world, config());
  const second = await call(world, config(), { id: "c2" });
  equal(second.json.ips?.[0]?.gateway, first.json.ips?.[0]?.gateway);
  equal(world.node.links.length, 4);
  const blue = config({}, { vxlans: [{ id: 102, name: "blue", cidr: "10.98.0.0/16" }], defaultNetwork: "blue" });
  const [, third] = await Promise.all([call(world, config(), { id: "c3" }), call(world, blue, { ifname: "net1" })]);
  equal(third.code, 0, third.json.msg);
  deepEqual(world.node.links.map(({ name }) => name), ["lo", "ul0", "vx_red", "mv_red", "vx_blue", "mv_blue"]);
  // The first default route stays.
  equal(holds(space(world, "c1")).filter((line) => line.includes("default")).length, 1);
  deepEqual(third.json.routes, []);
});

Deno.test("ADDs that come together make the network once, and one gateway", async () => {
  const world = node();
  const raw = config({}, { ipam: { type: "routetable-ipam", propagationTimeout: 250 } });
  const answers = await Promise.all(["c1", "c2", "c3"].map((id) => call(world, raw, { id })));
  deepEqual(answers.map(({ code, json }) => [code, json.msg]), Array(3).fill([0, undefined]));
  equal(new Set(answers.map(({ json }) => json.ips?.[0]?.gateway)).size, 1);
  equal(new Set(answers.map(({ json }) => json.ips?.[0]?.address)).size, 3);
  equal(holds(world.node).filter((line) => line.startsWith("address 10.97")).length, 1);
});

Deno.test("everybody on the network is told who has the address now", async () => {
  const world = node();
  const ips = await added(world, config({ cidrs: ["fd00:97:1::/64"] }));
  const told = space(world, "c1").frames.map(({ frame }) => hear(frame));
  deepEqual(told.map((one) => one?.kind), ["use", "use"]);
  deepEqual(
    told.map((one) => one === undefined ? "" : formatIp(one.address)),
    ips.map((one) => one.split("/")[0]),
  );
});

Deno.test("addresses and hardware address can be asked for: capability, then args.cni, then CNI_ARGS, then annotation", async () => {
  const annotation = { annotations: { "vxlan-cni.travishegner.com/RequestedAddress": "10.97.1.14" } };
  const cni = { cni: { ips: ["10.97.1.12"], mac: "02:00:00:00:00:12" } };
  const runtimeConfig = { ips: ["10.97.1.11/24"], mac: "02:00:00:00:00:11" };
  const cnis = "IP=10.97.1.13;MAC=02:00:00:00:00:13";
  const cases: [top: object, args: string | undefined, ip: string, mac: string | undefined][] = [
    [{ runtimeConfig, args: { ...cni, ...annotation } }, cnis, "10.97.1.11/24", "02:00:00:00:00:11"],
    [{ args: { ...cni, ...annotation } }, cnis, "10.97.1.12/24", "02:00:00:00:00:12"],
    [{ args: annotation }, cnis, "10.97.1.13/24", "02:00:00:00:00:13"],
    [{ args: annotation }, undefined, "10.97.1.14/24", undefined],
  ];
  for (const [top, args, ip, mac] of cases) {
    const { code, json } = await call(node(), config({}, top), { args });
    equal(code, 0, json.msg);
    equal(json.ips?.[0]?.address, ip);
    if (mac !== undefined) equal(json.interfaces?.[2]?.mac, mac);
  }
});

Deno.test("in a chain, ours comes after what was there, and positions stay right", async () => {
  const world = node();
  address(space(world, "c1"), 1, "127.0.0.2/8");
  route(space(world, "c1"), 1, "0.0.0.0/0");
  const prevResult = {
    ...{ cniVersion: "1.1.0", interfaces: [{ name: "net0", sandbox: "/run/netns/c1" }] },
    ...{
      ips: [{ address: "10.1.0.2/24", interface: 0 }],
      routes: [{ dst: "0.0.0.0/0" }],
      dns: { domain: "example.org" },
    },
  };
  const { json } = await call(world, config({}, { prevResult }));
  deepEqual(json.interfaces?.map(({ name }) => name), ["net0", "vx_red", "mv_red", "eth0"]);
  deepEqual(json.ips?.map((one) => one.interface), [0, 3]);
  deepEqual([json.routes, json.dns], [[{ dst: "0.0.0.0/0" }], { domain: "example.org" }]);
});

Deno.test("the result comes in the version that was asked for", async () => {
  for (const [cniVersion, key] of [["0.2.0", "ip4"], ["0.4.0", "ips"], ["1.0.0", "ips"]] as const) {
    const { json } = await call(node(), config({}, { cniVersion }));
    equal(json.cniVersion, cniVersion);
    ok(key in json, key);
  }
});
