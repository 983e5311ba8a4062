import { deepEqual, equal, ok, throws } from "node:assert/strict";
import {
  bits,
  contains,
  defaultPrefix,
  formatCidr,
  formatIp,
  hostPrefix,
  ipFromBytes,
  ipToBytes,
  parseCidr,
  parseIp,
  prefixOf,
  sameIp,
} from "../src/ip.ts";
import { cidr, ip } from "./lib/parsed.ts";

Deno.test("parseIp() reads dotted decimal and nothing like it", () => {
  deepEqual(parseIp("0.0.0.0"), { version: 4, value: 0n });
  deepEqual(parseIp("255.255.255.255"), { version: 4, value: 0xffffffffn });
  deepEqual(parseIp("10.97.1.202"), { version: 4, value: 0x0a6101can });
  const wrong = ["", " ", "10", "10.1", "10.1.1", "10.1.1.1.1", "256.1.1.1", "10.1.1.01", "010.1.1.1", "10.1.1.-1"];
  const odd = ["10.1.1.1 ", " 10.1.1.1", "10.1.1.1e0", "0x0a.1.1.1", "10..1.1", "10.1.1.1/24", "10.1.1.1\n", "ten"];
  for (const text of [...wrong, ...odd]) equal(parseIp(text), undefined, JSON.stringify(text));
});

Deno.test("parseIp() reads every spelling of IPv6 and nothing like it", () => {
  deepEqual(parseIp("::"), { version: 6, value: 0n });
  deepEqual(parseIp("::1"), { version: 6, value: 1n });
  deepEqual(parseIp("FD00:97:1:0:0:0:0:1"), parseIp("fd00:97:1::1"));
  deepEqual(parseIp("fd00::"), { version: 6, value: 0xfd00n << 112n });
  deepEqual(parseIp("::ffff:10.1.2.3"), { version: 6, value: 0xffff0a010203n });
  deepEqual(parseIp("64:ff9b::192.0.2.33"), parseIp("64:ff9b::c000:221"));
  deepEqual(parseIp("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), { version: 6, value: (1n << 128n) - 1n });
  const wrong = [":", ":::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "12345::", "g::"];
  const odd = [
    "fe80::1%eth0",
    "::1 ",
    ":1::",
    "1:",
    "::10.1.2",
    "::10.1.2.256",
    "::1.2.3.4:5",
    "[::1]",
    "::/64",
    "::-1",
  ];
  for (const text of [...wrong, ...odd]) equal(parseIp(text), undefined, JSON.stringify(text));
});

Deno.test("formatIp() writes IPv6 as RFC 5952 wants it", () => {
  const cases: [given: string, wanted: string][] = [
    // 4.1 leading zeros, 4.3 lower case
    ["2001:0DB8::0001", "2001:db8::1"],
    // 4.2.1 shorten as much as possible
    ["2001:db8:0:0:0:0:2:1", "2001:db8::2:1"],
    // 4.2.2 one 16-bit zero field is not shortened
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    // 4.2.3 the longest run, the first of equals
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    // the ends
    ["0:0:0:0:0:0:0:0", "::"],
    ["0:0:0:0:0:0:0:1", "::1"],
    ["1:0:0:0:0:0:0:0", "1::"],
    ["0:1:2:3:4:5:6:7", "0:1:2:3:4:5:6:7"],
    // 5 IPv4-mapped
    ["::ffff:c000:0201", "::ffff:192.0.2.1"],
  ];
  for (const [given, wanted] of cases) {
    equal(formatIp(ip(given)), wanted);
    deepEqual(ip(wanted), ip(given));
  }
});

Deno.test("parseCidr() keeps the host part and wants a length within the family", () => {
  equal(formatCidr(cidr("10.97.1.5/24")), "10.97.1.5/24");
  equal(formatCidr(cidr("0.0.0.0/0")), "0.0.0.0/0");
  equal(formatCidr(cidr("fd00:97::5/128")), "fd00:97::5/128");
  const wrong = ["10.97.1.0", "10.97.1.0/33", "fd00::/129", "10.97.1.0/", "10.97.1.0/024", "/24", "10.97.1.0/-1"];
  for (const text of [...wrong, "10.97.1.0/24/24", "10.97.1.0/ 24", "10.97.1/24"]) {
    equal(parseCidr(text), undefined, text);
  }
});

Deno.test("prefixOf() clears the host part", () => {
  equal(formatCidr(prefixOf(cidr("10.97.1.205/29"))), "10.97.1.200/29");
  equal(formatCidr(prefixOf(cidr("10.97.1.205/32"))), "10.97.1.205/32");
  equal(formatCidr(prefixOf(cidr("10.97.1.205/0"))), "0.0.0.0/0");
  equal(formatCidr(prefixOf(cidr("fd00:97:1:2:3::5/64"))), "fd00:97:1:2::/64");
});

Deno.test("contains() knows both edges of a prefix, and families apart", () => {
  const prefix = cidr("10.97.1.64/26");
  for (const inside of ["10.97.1.64", "10.97.1.127"]) ok(contains(prefix, ip(inside)));
  for (const outside of ["10.97.1.63", "10.97.1.128", "::a61:140"]) ok(!contains(prefix, ip(outside)));
  ok(contains(cidr("::/0"), ip("ffff::")));
  ok(!contains(cidr("::/0"), ip("0.0.0.0")));
});

Deno.test("ipToBytes() and ipFromBytes() are inverse, in network order", () => {
  deepEqual(ipToBytes(ip("10.97.1.202")), Uint8Array.of(10, 97, 1, 202));
  deepEqual(ipToBytes(ip("fd00::1")), Uint8Array.of(0xfd, ...Array(14).fill(0), 1));
  for (const text of ["0.0.0.0", "255.255.255.255", "::", "fd00:97:1::ffff"]) {
    equal(formatIp(ipFromBytes(ipToBytes(ip(text)))), text);
  }
  for (const length of [0, 3, 5, 15, 17]) throws(() => ipFromBytes(new Uint8Array(length)), RangeError);
});

Deno.test("the small predicates tell families apart", () => {
  ok(sameIp(ip("10.0.0.1"), ip("10.0.0.1")));
  ok(!sameIp(ip("0.0.0.1"), ip("::1")));
  deepEqual([bits(4), bits(6)], [32, 128]);
  equal(formatCidr(hostPrefix(ip("10.0.0.1"))), "10.0.0.1/32");
  equal(formatCidr(hostPrefix(ip("fd00::1"))), "fd00::1/128");
  deepEqual([formatCidr(defaultPrefix(4)), formatCidr(defaultPrefix(6))], ["0.0.0.0/0", "::/0"]);
});
