import assert from "node:assert/strict";
import { EEXIST, failedWith } from "../../src/errno.ts";
import { delLink } from "../../src/netlink/link.ts";
import { create, remove } from "../../src/state/apply.ts";
import { linkKind, type LinkObject } from "../../src/state/link.ts";
import { ip } from "../lib/parsed.ts";
import { Room } from "./room.ts";

interface Link {
  ifname: string;
  ifindex: number;
  link?: string;
  mtu: number;
  txqlen: number;
  address: string;
  flags: string[];
  linkinfo: { info_kind: string; info_data: Record<string, unknown> };
}

function wanted(device: number): LinkObject {
  return {
    kind: "link",
    in: "node",
    name: "vx_k",
    mac: "02:00:5e:10:00:01",
    mtu: 1400,
    txqlen: 77,
    vxlan: {
      id: 4242,
      group: ip("239.1.1.9"),
      link: device,
      local: ip("192.0.2.1"),
      ttl: 7,
      tos: 16,
      learning: false,
      ageing: 99,
      limit: 1000,
      portRange: { low: 40000, high: 50000 },
      proxy: true,
      rsc: true,
      l2miss: true,
      l3miss: true,
      port: 4790,
      gbp: true,
    },
  };
}

Deno.test("a vxlan and a macvlan on it are for ip what they are for us", async () => {
  await using room = await Room.make();
  await using undo = new AsyncDisposableStack();
  const vxlan = wanted(room.index("ul0"));
  const macvlan: LinkObject = { kind: "link", in: "node", name: "mv_k", on: { name: "vx_k" }, mtu: 1390 };
  create({ node: room.kernel }, [vxlan, macvlan], undo);
  const [vx] = await room.host.ip<Link>("link show vx_k");
  assert.deepEqual([vx?.mtu, vx?.txqlen, vx?.address], [1400, 77, "02:00:5e:10:00:01"]);
  assert.ok(vx?.flags.includes("UP"));
  const { id, group, link, local, ttl, tos, ageing, limit, port, port_range } = vx?.linkinfo.info_data ?? {};
  assert.deepEqual({ id, group, link, local, ttl, ageing, limit, port, port_range }, {
    id: 4242,
    group: "239.1.1.9",
    link: "ul0",
    local: "192.0.2.1",
    ttl: 7,
    ageing: 99,
    limit: 1000,
    port: 4790,
    port_range: { low: 40000, high: 50000 },
  });
  assert.equal(Number(tos), 16);
  const [mv] = await room.host.ip<Link>("link show mv_k");
  assert.deepEqual([mv?.mtu, mv?.link, mv?.linkinfo.info_kind, mv?.linkinfo.info_data.mode], [
    1390,
    "vx_k",
    "macvlan",
    "bridge",
  ]);
  for (const object of [vxlan, macvlan]) assert.deepEqual(room.inspect(object), { state: "present" });
  await undo.disposeAsync();
  assert.deepEqual((await room.host.ip<Link>("link")).map(({ ifname }) => ifname), ["lo", "wire", "ul0"]);
});

Deno.test("links that ip made are read as they are", async () => {
  await using room = await Room.make();
  await room.ip(
    "link add vx_k txqlen 77 address 02:00:5e:10:00:01 type vxlan id 4242 group ff05::9 dev ul0 local fd00::1 dstport 4790 ttl 7 nolearning ageing 99",
  );
  await room.ip("link add mv_k link vx_k type macvlan mode private");
  const vx = room.kernel.link("vx_k");
  const { group6, local6, port, ttl, learning, ageing, id, link, proxy, portRange } = vx?.info?.vxlan ?? {};
  assert.deepEqual(
    { group6, local6, port, ttl, learning, ageing, id, link, proxy, portRange },
    {
      group6: ip("ff05::9"),
      local6: ip("fd00::1"),
      port: 4790,
      ttl: 7,
      learning: false,
      ageing: 99,
      id: 4242,
      link: room.index("ul0"),
      proxy: false,
      portRange: { low: 0, high: 0 },
    },
  );
  assert.deepEqual([vx?.mac, vx?.txqlen, (vx?.flags ?? 0) & 1], ["02:00:5e:10:00:01", 77, 0]);
  const mv = room.kernel.link("mv_k");
  assert.deepEqual([mv?.info?.kind, mv?.info?.macvlan?.mode, mv?.link], ["macvlan", 1, vx?.index]);
  assert.deepEqual(room.kernel.link(mv?.index ?? 0)?.name, "mv_k");
  assert.equal(room.kernel.link("none"), undefined);
  assert.equal(room.kernel.link(9999), undefined);
  assert.deepEqual(room.kernel.links().map(({ name }) => name), ["lo", "wire", "ul0", "vx_k", "mv_k"]);
});

Deno.test("each difference between a link and what is wanted is named", async () => {
  await using room = await Room.make();
  await room.ip("link add vx_k type vxlan id 4243 group 239.1.1.8 dev ul0 dstport 4791");
  const found = room.inspect(wanted(room.index("ul0")));
  assert.equal(found.state, "different");
  const properties = found.state === "different" ? found.differences.map(({ property }) => property) : [];
  for (
    const property of ["mac", "mtu", "txqlen", "state", "id", "group", "local", "port", "portRange", "learning", "ttl"]
  ) {
    assert.ok(properties.includes(property), property);
  }
  assert.ok(!properties.includes("link") && !properties.includes("kind"));
});

Deno.test("a link is made in another namespace under its final name, and its own parent stays known", async () => {
  await using room = await Room.make();
  using container = await room.container("c1");
  await room.ip("link add vx_k type vxlan id 1 dev ul0 dstport 4789");
  const kernels = { node: room.kernel, container };
  await using undo = new AsyncDisposableStack();
  const on = { name: "vx_k", index: room.index("vx_k") };
  const link: LinkObject = { kind: "link", in: "container", name: "eth0", on, mac: "02:00:5e:10:00:02", mtu: 1234 };
  create(kernels, [link], undo);
  const [eth] = await room.host.ip<Link>("link show eth0", "c1");
  assert.deepEqual([eth?.mtu, eth?.address, eth?.flags.includes("UP")], [1234, "02:00:5e:10:00:02", true]);
  assert.equal(room.kernel.link("eth0"), undefined);
  const inspected = (object: LinkObject) => linkKind.inspect(container, object).state;
  assert.equal(inspected(link), "present");
  assert.equal(inspected({ ...link, on: { ...on, index: 99 } }), "different", "on another parent");
  assert.throws(() => create(kernels, [link], undo), (error) => failedWith(error, EEXIST));
  remove(kernels, [link]);
  assert.equal(inspected(link), "missing");
  assert.deepEqual((await room.host.ip<Link>("link", "c1")).map(({ ifname }) => ifname), ["lo"]);
});

Deno.test("links are removed; what is gone already is fine, and another link of the name stays", async () => {
  await using room = await Room.make();
  await room.ip("link add vx_k type vxlan id 1 dev ul0 dstport 4789");
  const index = room.index("vx_k");
  room.kernel.execute(delLink("vx_k", index));
  assert.throws(() => room.kernel.execute(delLink("vx_k", index)), /delete link "vx_k": ENODEV/);
  const link: LinkObject = { kind: "link", in: "node", name: "vx_k" };
  remove({ node: room.kernel }, [link, { ...link, index }]);
  assert.equal(room.kernel.link("vx_k"), undefined);
  await room.ip("link add vx_k type vxlan id 1 dev ul0 dstport 4789");
  remove({ node: room.kernel }, [{ ...link, index }]);
  assert.equal(room.kernel.link("vx_k")?.name, "vx_k");
  assert.equal(room.inspect({ ...link, index }).state, "missing");
});

Deno.test("a macvlan on another link than the wanted one differs, also when the wanted one is not there", async () => {
  await using room = await Room.make();
  await room.ip("link add vx_k up type vxlan id 1 dev ul0 dstport 4789");
  await room.ip("link add mv_k link ul0 up type macvlan mode bridge");
  const macvlan = (on: string): LinkObject => ({ kind: "link", in: "node", name: "mv_k", on: { name: on } });
  assert.equal(room.inspect(macvlan("ul0")).state, "present");
  for (const on of ["vx_k", "none"]) {
    const found = room.inspect(macvlan(on));
    assert.deepEqual(found.state === "different" && found.differences.map(({ property }) => property), ["parent"], on);
  }
});

Deno.test("the attribute that the kernel refuses is named, beside the kernel's own words", async () => {
  await using room = await Room.make();
  const refused = (vxlan: LinkObject["vxlan"], changes: Partial<LinkObject> = {}) => {
    const wrong: LinkObject = { kind: "link", in: "node", name: "vx_k", vxlan, ...changes };
    try {
      create({ node: room.kernel }, [wrong], new AsyncDisposableStack());
    } catch (error) {
      return error instanceof Error ? error.message : error;
    }
  };
  const words = 'Cannot create link "vx_k": EINVAL (invalid argument)';
  assert.equal(
    refused({ id: 1, portRange: { low: 5, high: 4 } }),
    `${words}: info.vxlan.portRange: Invalid source port range`,
  );
  assert.equal(
    refused({ id: 1 << 24 }),
    'Cannot create link "vx_k": ERANGE (numerical result out of range): info.vxlan.id: VXLAN ID must be lower than 16777216',
  );
  // A refusal of no attribute in particular.
  assert.equal(
    refused({ id: 1, group: ip("239.1.1.1") }),
    `${words}: Local interface required for multicast remote destination`,
  );
});
