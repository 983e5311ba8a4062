import { deepEqual, equal, throws } from "node:assert/strict";
import {
  attributeAt,
  attributes,
  be16,
  block,
  bool,
  byKind,
  type Codec,
  concat,
  decode,
  encode,
  family,
  flag,
  ip,
  ip4,
  ip6,
  mac,
  s16,
  s32,
  struct,
  text,
  u16,
  u32,
  u64,
  u8,
} from "../src/bytes.ts";
import { address } from "../src/netlink/address.ts";
import { link } from "../src/netlink/link.ts";
import { decodeMessages } from "../src/netlink/message.ts";
import { route } from "../src/netlink/route.ts";
import { rule } from "../src/netlink/rule.ts";
import { datagrams, fromHex, messages, toHex } from "./lib/golden.ts";
import { ip as parsed } from "./lib/parsed.ts";

const hex = <T>(codec: Codec<T>, value: T) => toHex(encode(codec, value));
const read = <T>(codec: Codec<T>, digits: string) => decode(codec, fromHex(digits));

Deno.test("numbers are little-endian, ports big-endian, and need all their bytes", () => {
  const cases: [Codec<number>, number, string][] = [
    [u8, 254, "fe"],
    [u16, 0x1234, "3412"],
    [u32, 4294967295, "ffffffff"],
    [s16, -2, "feff"],
    [s32, -17, "efffffff"],
    [be16, 4789, "12b5"],
  ];
  for (const [codec, value, digits] of cases) {
    equal(hex(codec, value), digits);
    equal(read(codec, digits), value);
    throws(() => read(codec, digits.slice(2)), RangeError);
  }
  equal(hex(u64, 0x0102030405060708n), "0807060504030201");
  equal(read(u64, "0807060504030201"), 0x0102030405060708n);
  throws(() => decode(u64, new Uint8Array(7)), RangeError);
});

Deno.test("text ends at its NUL, with or without one", () => {
  equal(hex(text, "mv_red"), "6d765f72656400");
  equal(read(text, "6d765f72656400"), "mv_red");
  equal(read(text, "6d765f726564"), "mv_red");
  equal(read(text, "6d7600ffff"), "mv");
  equal(decode(text, new Uint8Array(0)), "");
});

Deno.test("small values survive the way there and back", () => {
  equal(decode(mac, encode(mac, "02:00:5e:10:00:0a")), "02:00:5e:10:00:0a");
  equal(decode(bool, encode(bool, true)), true);
  equal(decode(bool, encode(bool, false)), false);
  equal(encode(flag, true).length, 0);
  deepEqual(decode(block(3), Uint8Array.of(1, 2, 3)), Uint8Array.of(1, 2, 3));
  throws(() => decode(block(3), Uint8Array.of(1, 2)), RangeError);
  deepEqual(concat([Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2, 3)]), Uint8Array.of(1, 2, 3));
});

Deno.test("an address is of either family, where only one is possible the other is refused", () => {
  for (const address of [parsed("10.97.1.5"), parsed("fd00::1")]) {
    deepEqual(decode(ip, encode(ip, address)), address);
    const [own, other] = address.version === 4 ? [ip4, ip6] : [ip6, ip4];
    deepEqual(decode(own, encode(own, address)), address);
    throws(() => encode(other, address), {
      name: "RangeError",
      message: `Cannot encode address: wanted IPv${address.version === 4 ? 6 : 4}, got IPv${address.version}`,
    });
    throws(() => encode(attributes({ group: [2, other] }), { group: address }), RangeError, "inside a table as well");
  }
  throws(() => decode(ip, new Uint8Array(5)), RangeError);
});

const table = attributes({ small: [1, u8], name: [3, text], inner: [5, attributes({ port: [2, be16] })] });

Deno.test("attributes are padded to four bytes and hold their length without the padding", () => {
  equal(hex(table, { small: 7, name: "ab" }), "0500010007000000" + "0700030061620000");
  equal(hex(table, {}), "");
  equal(hex(table, { inner: { port: 4789 } }), "0c00050006000200" + "12b50000");
});

Deno.test("attributes that nobody knows are passed over, flags in their numbers do not count", () => {
  deepEqual(read(table, "0800ff0301020304 0500010007000000"), { small: 7 });
  // NLA_F_NESTED (0x8000) on 5, NLA_F_NET_BYTEORDER (0x4000) on 2
  deepEqual(read(table, "0c000580 06000240 12b50000"), { inner: { port: 4789 } });
  deepEqual(read(table, "0400ff7f"), {});
});

Deno.test("attributes of impossible length are a RangeError, what is too short to be one is not read", () => {
  throws(() => read(table, "00000100"), RangeError, "length 0 would never end");
  throws(() => read(table, "03000100"), RangeError);
  throws(() => read(table, "0900010007000000"), RangeError, "longer than what is left");
  throws(() => read(table, "04000100"), RangeError, "a u8 without its byte");
  deepEqual(read(table, "05000100 07000000 0500"), { small: 7 });
  deepEqual(read(table, "0500010007"), { small: 7 }, "the last padding may be missing");
});

Deno.test("struct() is not padded, leaves out nothing, and wants all its bytes", () => {
  const header = struct({ family: u8, index: u32 });
  equal(header.bytes, 5);
  equal(hex(header, { index: 5 }), "0005000000");
  deepEqual(read(header, "0a05000000ff"), { family: 10, index: 5 });
  throws(() => decode(header, new Uint8Array(4)), RangeError);
});

Deno.test("struct() holds structs, each field at its place", () => {
  // As struct tc_tbf_qopt holds two tc_ratespec.
  const rate = struct({ overhead: u16, rate: u32 });
  const both = struct({ rate, peak: rate, limit: u32 });
  equal(both.bytes, 16);
  equal(hex(both, { peak: { rate: 1 }, limit: 2 }), "000000000000" + "000001000000" + "02000000");
  deepEqual(read(both, "0100 02000000 0300 04000000 05000000"), {
    rate: { overhead: 1, rate: 2 },
    peak: { overhead: 3, rate: 4 },
    limit: 5,
  });
});

Deno.test("family() reads header and attributes as one value", () => {
  const both = family(struct({ index: u32 }), attributes({ rest: [9, block(2)] }));
  deepEqual(read(both, "05000000 06000900 abcd0000"), { index: 5, rest: Uint8Array.of(0xab, 0xcd) });
  equal(hex(both, { index: 5, rest: Uint8Array.of(0xab, 0xcd) }), "05000000" + "06000900abcd0000");
});

const kinds = byKind({ small: attributes({ one: [1, u8] }), large: attributes({ one: [1, u32], two: [2, u8] }) });

Deno.test("byKind() lets the name say what the data are", () => {
  const small = "0a000100736d616c6c000000" + "0c00020005000100" + "07000000";
  equal(hex(kinds, { kind: "small", small: { one: 7 } }), small);
  deepEqual(read(kinds, small), { kind: "small", small: { one: 7 } });
  deepEqual(read(kinds, "0a0001006c61726765000000 0c000200 08000100 07000000"), { kind: "large", large: { one: 7 } });
  deepEqual(read(kinds, "0a0001006c61726765000000"), { kind: "large", large: {} }, "without data");
  equal(hex(kinds, { kind: "large" }), "0a0001006c61726765000000");
});

Deno.test("byKind() takes a kind that nobody knows, of whatever name", () => {
  for (const kind of ["other", "toString"]) {
    const digits = hex(kinds, { kind });
    deepEqual(read(kinds, `${digits} 0c000200 08000100 07000000`), { kind });
  }
});

Deno.test("attributeAt() names the attribute that holds an offset, nested ones with all their names", () => {
  const both = family(struct({ index: u32 }), attributes({ name: [3, text], inner: [5, table], info: [18, kinds] }));
  const bytes = encode(both, {
    index: 1,
    name: "ab",
    inner: { small: 1, inner: { port: 2 } },
    info: { kind: "large", large: { one: 1, two: 2 } },
  });
  const expected: [from: number, name: string | undefined][] = [
    [4, "name"],
    [12, "inner"],
    [16, "inner.small"],
    [24, "inner.inner"],
    [28, "inner.inner.port"],
    [36, "info"],
    [40, "info.kind"],
    [52, "info.large"],
    [56, "info.large.one"],
    [64, "info.large.two"],
    [72, undefined],
  ];
  for (const [at, name] of expected) equal(attributeAt(both, bytes, at), name, `byte ${at}`);
  equal(attributeAt(u32, bytes, 0), undefined, "a number has no attributes");
  const unknown = encode(attributes({ strange: [99, u8] }), { strange: 1 });
  equal(attributeAt(table, unknown, 0), undefined, "an attribute that is in no table has no name");
});

const RECORDED = { link_dump_reply: link, address_dump_reply: address, route_dump_reply: route, rule_dump_reply: rule };

Deno.test("every message of the kernel's, cut off anywhere, is a value or a RangeError, never anything else", () => {
  for (const [name, codec] of Object.entries(RECORDED)) {
    const first = messages(name).at(-2);
    if (first === undefined) throw new Error(`Cannot test: "${name}" is empty`);
    for (let length = 0; length < first.payload.length; length++) {
      try {
        decode<unknown>(codec, first.payload.subarray(0, length));
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
          for (const { payload } of decodeMessages(changed)) decode<unknown>(codec, payload);
        } catch (error) {
          equal(error instanceof RangeError, true, `${name}, byte ${at} = ${byte}: ${error}`);
        }
      }
    }
  }
});
