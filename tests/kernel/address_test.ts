import assert from "node:assert/strict";
import { addAddress, deleteAddress } from "../../src/netlink/rtnetlink.ts";
import { formatIp } from "../../src/ip.ts";
import { inspect } from "../../src/state/object.ts";
import { cidr, Room } from "./room.ts";

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

Deno.test("addresses are for ip what they are for us, without duplicate address detection", async () => {
  await using room = await Room.make();
  const index = room.index("ul0");
  for (const [text] of CASES) room.kernel.execute(addAddress(index, cidr(text), "ul0"));
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
    () => room.kernel.execute(addAddress(index, cidr("10.97.1.5/24"), "ul0")),
    /10\.97\.1\.5\/24 to "ul0": EEXIST/,
  );
  for (const [text] of CASES) {
    assert.deepEqual(inspect(room.kernel, { kind: "address", device: "ul0", address: cidr(text) }), {
      state: "present",
    });
    room.kernel.execute(deleteAddress(index, cidr(text), "ul0"));
    assert.deepEqual(inspect(room.kernel, { kind: "address", device: "ul0", address: cidr(text) }), {
      state: "missing",
    });
  }
  assert.throws(() => room.kernel.execute(deleteAddress(index, cidr("10.97.1.5/24"), "ul0")), /EADDRNOTAVAIL/);
});

Deno.test("addresses that ip added are read, those of one link only", async () => {
  await using room = await Room.make();
  for (const [text] of CASES) await room.ip(`addr add ${text} dev ul0`);
  await room.ip("addr add 10.99.0.1/24 dev wire");
  const read = room.kernel.addresses(room.index("ul0")).filter(({ scope }) => scope === 0)
    .map(({ local, address, length }) => `${formatIp((local ?? address)!)}/${length}`);
  assert.deepEqual(read.sort(), CASES.map(([text]) => text).sort());
  assert.deepEqual(
    inspect(room.kernel, { kind: "address", device: "ul0", address: cidr("10.97.1.5/25") }).state,
    "missing",
  );
  assert.deepEqual(
    inspect(room.kernel, { kind: "address", device: "none", address: cidr("10.97.1.5/24") }).state,
    "missing",
  );
});
