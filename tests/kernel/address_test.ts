import assert from "node:assert/strict";
import { formatIp } from "../../src/ip.ts";
import { delAddress, newAddress } from "../../src/netlink/address.ts";
import { create, remove } from "../../src/state/apply.ts";
import type { AddressObject } from "../../src/state/address.ts";
import { cidr } from "../lib/parsed.ts";
import { Room } from "./room.ts";

interface Addressed {
  addr_info: {
    family: string;
    local: string;
    prefixlen: number;
    broadcast?: string;
    scope: string;
    tentative?: boolean;
    nodad?: boolean;
  }[];
}

const CASES: [text: string, broadcast: string | undefined][] = [
  ["10.97.1.5/24", "10.97.1.255"],
  ["10.97.2.5/31", undefined],
  ["10.97.3.5/32", undefined],
  ["fd00:97::5/64", undefined],
  ["fd00:98::5/127", undefined],
];

function onUl0(text: string): AddressObject {
  return { kind: "address", in: "node", device: { name: "ul0" }, address: cidr(text) };
}

Deno.test("addresses are for ip what they are for us, without duplicate address detection", async () => {
  await using room = await Room.make();
  const index = room.index("ul0");
  const placed = (text: string) => ({ cidr: cidr(text), index, device: "ul0" });
  for (const [text] of CASES) room.kernel.execute(newAddress(placed(text)));
  const [ul0] = await room.host.ip<Addressed>("addr show dev ul0 scope global");
  // ip leaves an empty object for each address that its filter passes over.
  const shown = (ul0?.addr_info ?? []).filter(({ local }) => local !== undefined);
  const found = shown.map((one) => [`${one.local}/${one.prefixlen}`, one.broadcast]);
  assert.deepEqual(found.toSorted(), CASES.toSorted());
  for (const one of shown) {
    assert.ok(one.tentative !== true, one.local);
    assert.equal(one.nodad === true, one.family === "inet6", one.local);
  }
  assert.throws(
    () => room.kernel.execute(newAddress(placed("10.97.1.5/24"))),
    /10\.97\.1\.5\/24 to "ul0": EEXIST/,
  );
  for (const [text] of CASES) {
    assert.equal(room.inspect(onUl0(text)).state, "present");
    room.kernel.execute(delAddress(placed(text)));
    assert.equal(room.inspect(onUl0(text)).state, "missing");
  }
  assert.throws(() => room.kernel.execute(delAddress(placed("10.97.1.5/24"))), /EADDRNOTAVAIL/);
});

Deno.test("addresses that ip added are read, those of one link only", async () => {
  await using room = await Room.make();
  for (const [text] of CASES) await room.ip(`addr add ${text} dev ul0`);
  await room.ip("addr add 10.99.0.1/24 dev wire");
  const read = room.kernel.addresses(room.index("ul0")).filter(({ scope }) => scope === 0)
    .map(({ local, address, length }) => `${formatIp((local ?? address)!)}/${length}`);
  assert.deepEqual(read.sort(), CASES.map(([text]) => text).sort());
  assert.equal(room.inspect(onUl0("10.97.1.5/24")).state, "present");
  assert.equal(room.inspect(onUl0("10.97.1.5/25")).state, "missing");
  assert.equal(room.inspect({ ...onUl0("10.97.1.5/24"), device: { name: "none" } }).state, "missing");
});

/** What `ip` shows of an address. */
async function shown(room: Room, device: string, netns?: string): Promise<string[]> {
  const [link] = await room.host.ip<Addressed>(`addr show dev ${device} scope global`, netns);
  return (link?.addr_info ?? []).filter(({ local }) => local !== undefined).map(({ local, prefixlen }) =>
    `${local}/${prefixlen}`
  );
}

Deno.test("an address is put, found and taken away, here and in a container; what is gone already is fine", async () => {
  await using room = await Room.make();
  using container = await room.container("c1");
  await room.ip("-n c1 link add eth0 up type veth peer name eth1");
  const kernels = { node: room.kernel, container };
  const inside: AddressObject = { ...onUl0("fd00:97::5/64"), in: "container", device: { name: "eth0" } };
  await using undo = new AsyncDisposableStack();
  create(kernels, [onUl0("10.97.1.5/24"), inside], undo);
  assert.deepEqual([await shown(room, "ul0"), await shown(room, "eth0", "c1")], [["10.97.1.5/24"], ["fd00:97::5/64"]]);
  remove(kernels, [onUl0("10.97.1.5/24"), inside]);
  assert.deepEqual([await shown(room, "ul0"), await shown(room, "eth0", "c1")], [[], []]);
  remove(kernels, [onUl0("10.97.1.5/24"), inside, { ...inside, device: { name: "none" } }]);
});

Deno.test("a bare address has no route to its prefix, and is never chosen as a source", async () => {
  await using room = await Room.make();
  const bare: AddressObject = { ...onUl0("fd00:97::5/64"), bare: true };
  create({ node: room.kernel }, [bare], new AsyncDisposableStack());
  assert.equal(room.inspect(bare).state, "present");
  const text = await room.host.must(["ip", "-6", "addr", "show", "dev", "ul0", "scope", "global"]);
  assert.match(text, /inet6 fd00:97::5\/64 scope global (?=.*nodad)(?=.*deprecated)(?=.*noprefixroute)/);
  assert.equal(await room.host.must(["ip", "-6", "route", "show", "fd00:97::/64"]), "");
});

Deno.test("an address on a device that is gone is missing; a device of the same name is another", async () => {
  await using room = await Room.make();
  const device = { name: "ul0", index: room.index("ul0") };
  const held: AddressObject = { ...onUl0("10.97.1.5/24"), device };
  create({ node: room.kernel }, [held], new AsyncDisposableStack());
  await room.ip("link del ul0");
  assert.equal(room.inspect(held).state, "missing");
  await room.ip("link add ul0 type veth peer name wire");
  await room.ip("addr add 10.97.1.5/24 dev ul0");
  assert.equal(room.inspect(held).state, "missing");
  remove({ node: room.kernel }, [held]);
  assert.deepEqual(await shown(room, "ul0"), ["10.97.1.5/24"], "the other device keeps its own");
});
