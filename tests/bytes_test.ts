import { deepEqual, equal, throws } from "node:assert/strict";
import { parseIp } from "../../src/ip.ts";
import {
  attributes,
  be16,
  bool,
  family,
  flag,
  ip,
  mac,
  raw,
  s32,
  struct,
  text,
  u16,
  u32,
  u8,
} from "../../src/bytes.ts";
import { address, link, route, rule } from "../../src/netlink/format.ts";
import { decodeMessages } from "../../src/netlink/message.ts";
import { datagrams, fromHex, messages, toHex } from "./lib/golden.ts";

Deno.test("numbers are little-endian, ports big-endian, and need all their bytes", () => {
  equal(toHex(u8.encode(254)), "fe");
  equal(toHex(u16.encode(0x1234)), "3412");
  equal(toHex(u32.encode(4294967295)), "ffffffff");
  equal(toHex(s32.encode(-17)), "efffffff");
  equal(toHex(be16.encode(4789)), "12b5");
  equal(be16.decode(fromHex("12b5")), 4789);
  equal(s32.decode(fromHex("efffffff")), -17);
  for (const codec of [u8, u16, u32, s32, be16]) throws(() => codec.decode(new Uint8Array(codec.size - 1)), RangeError);
});

Deno.test("text ends at its NUL, with or without one", () => {
  equal(toHex(text.encode("mv_red")), "6d765f72656400");
  equal(text.decode(fromHex("6d765f72656400")), "mv_red");
  equal(text.decode(fromHex("6d765f726564")), "mv_red");
  equal(text.decode(fromHex("6d7600ffff")), "mv");
  equal(text.decode(new Uint8Array(0)), "");
});

Deno.test("small values survive the way there and back", () => {
  equal(mac.decode(mac.encode("02:00:5e:10:00:0a")), "02:00:5e:10:00:0a");
  equal(bool.decode(bool.encode(true)), true);
  equal(bool.decode(bool.encode(false)), false);
  equal(flag.encode(true).length, 0);
  const address = parseIp("fd00::1");
  if (address !== undefined) deepEqual(ip.decode(ip.encode(address)), address);
  throws(() => ip.decode(new Uint8Array(5)), RangeError);
});

const table = attributes({ small: [1, u8], name: [3, text], inner: [5, attributes({ port: [2, be16] })] });

Deno.test("attributes are padded to four bytes and hold their length without the padding", () => {
  equal(toHex(table.encode({ small: 7, name: "ab" })), "0500010007000000" + "0700030061620000");
  equal(toHex(table.encode({})), "");
  equal(toHex(table.encode({ inner: { port: 4789 } })), "0c00050006000200" + "12b50000");
});

Deno.test("attributes that nobody knows are passed over, flags in their numbers do not count", () => {
  deepEqual(table.decode(fromHex("0800ff0301020304 0500010007000000")), { small: 7 });
  // NLA_F_NESTED (0x8000) on 5, NLA_F_NET_BYTEORDER (0x4000) on 2
  deepEqual(table.decode(fromHex("0c000580 06000240 12b50000")), { inner: { port: 4789 } });
  deepEqual(table.decode(fromHex("0400ff7f")), {});
});

Deno.test("attributes of impossible length are a RangeError, what is too short to be one is not read", () => {
  throws(() => table.decode(fromHex("00000100")), RangeError, "length 0 would never end");
  throws(() => table.decode(fromHex("03000100")), RangeError);
  throws(() => table.decode(fromHex("0900010007000000")), RangeError, "longer than what is left");
  throws(() => table.decode(fromHex("04000100")), RangeError, "a u8 without its byte");
  deepEqual(table.decode(fromHex("05000100 07000000 0500")), { small: 7 });
  deepEqual(table.decode(fromHex("0500010007")), { small: 7 }, "the last padding may be missing");
});

Deno.test("struct() is not padded, leaves out nothing, and wants all its bytes", () => {
  const header = struct({ family: u8, index: u32 });
  equal(header.size, 5);
  equal(toHex(header.encode({ index: 5 })), "0005000000");
  deepEqual(header.decode(fromHex("0a05000000ff")), { family: 10, index: 5 });
  throws(() => header.decode(new Uint8Array(4)), RangeError);
});

Deno.test("family() reads header and attributes as one value", () => {
  const both = family(struct({ index: u32 }), attributes({ rest: [9, raw] }));
  deepEqual(both.decode(fromHex("05000000 06000900 abcd0000")), { index: 5, rest: Uint8Array.of(0xab, 0xcd) });
});

const RECORDED = { link_dump_reply: link, address_dump_reply: address, route_dump_reply: route, rule_dump_reply: rule };

Deno.test("every message of the kernel's, cut off anywhere, is a value or a RangeError, never anything else", () => {
  for (const [name, codec] of Object.entries(RECORDED)) {
    const first = messages(name).at(-2);
    if (first === undefined) throw new Error(`Cannot test: "${name}" is empty`);
    for (let length = 0; length < first.payload.length; length++) {
      try {
        codec.decode(first.payload.subarray(0, length));
      } catch (error) {
        equal(error instanceof RangeError, true, `${name}, first ${length} bytes: ${error}`);
      }
    }
  }
});

Deno.test("every byte of a message set to 0 or 255 is a value or a RangeError, and comes to an end", () => {
  for (const [name, codec] of Object.entries(RECORDED)) {
    const datagram = datagrams(name)[0] ?? new Uint8Array(0);
    const end = Math.min(datagram.length, 400);
    for (let at = 0; at < end; at++) {
      for (const byte of [0, 255]) {
        const changed = datagram.slice();
        changed[at] = byte;
        try {
          for (const { payload } of decodeMessages(changed)) codec.decode(payload);
        } catch (error) {
          equal(error instanceof RangeError, true, `${name}, byte ${at} = ${byte}: ${error}`);
        }
      }
    }
  }
});
