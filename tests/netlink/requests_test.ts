/** Our requests against those of `ip` (`fixtures/netlink/*.hex`): the same, but for what is said in each test. */
import { deepEqual, equal } from "node:assert/strict";
import { decode } from "../../src/bytes.ts";
import { ENODEV } from "../../src/errno.ts";
import { delAddress, newAddress, RTM_ADDR } from "../../src/netlink/address.ts";
import { type Kernel, openKernel } from "../../src/netlink/kernel.ts";
import { delLink, IFF_UP, link, newLink, RTM_LINK } from "../../src/netlink/link.ts";
import { decodeMessages, encodeMessage, type Message, type Request, request } from "../../src/netlink/message.ts";
import { announceAddress } from "../../src/netlink/neighbour.ts";
import { delRoute, newRoute, RT_SCOPE_HOST, RT_TABLE_LOCAL, RTM_ROUTE, RTN_LOCAL } from "../../src/netlink/route.ts";
import { delRule, newRule, RTM_RULE } from "../../src/netlink/rule.ts";
import type { Netns, Socket } from "../../src/world.ts";
import { attributesOf, message, toHex } from "../lib/golden.ts";
import { cidr, ip } from "../lib/parsed.ts";

const IFLA_LINKINFO = 18;
const IFLA_INFO_DATA = 2;
const NESTED = { [IFLA_LINKINFO]: { [IFLA_INFO_DATA]: {} } };
/** NLM_F_REQUEST | NLM_F_ACK: added when a request is sent. */
const SENT = 5;

/** The indexes that links had when `ip` was recorded. */
const index = Object.fromEntries(["vx_red", "mv_red", "ul0"].map((name) => [name, recordedIndex(name)]));

function recordedIndex(name: string): number {
  const sent = name === "vx_red"
    ? decode(link, message("link_add_macvlan").payload).link
    : name === "mv_red"
    ? decode(link, message("link_set").payload).index
    : decode(link, message("link_add_vxlan").payload).info?.vxlan?.link;
  if (sent === undefined) throw new Error(`Cannot find the index of "${name}" in the fixtures`);
  return sent;
}

const at = (name: string) => index[name] ?? 0;
/** The device of most fixtures. */
const mv = { index: at("mv_red"), device: "mv_red" };

/** The same type, flags, header and attributes in any order; `more` are attributes of ours that `ip` leaves out, `less` the reverse. */
function alike(
  request: Request,
  name: string,
  header: number,
  { more = [], less = [] }: { more?: number[]; less?: number[] } = {},
): void {
  const wanted = message(name);
  equal(request.type, wanted.type);
  equal((request.flags | SENT).toString(16), wanted.flags.toString(16));
  equal(toHex(request.payload.subarray(0, header)), toHex(wanted.payload.subarray(0, header)));
  const [ours, theirs] = [request.payload, wanted.payload].map((bytes) => attributesOf(bytes.subarray(header), NESTED));
  for (const type of more) delete ours?.[type];
  for (const type of less) delete theirs?.[type];
  deepEqual(kindWithoutNul(ours), kindWithoutNul(theirs));
}

/** `ip` sends the kind of a link without its NUL; the kernel takes both. Also IFLA_IFNAME, where `ip` counts it. */
function kindWithoutNul(attributes: ReturnType<typeof attributesOf> | undefined) {
  const info = attributes?.[IFLA_LINKINFO];
  if (typeof info === "object" && typeof info[1] === "string") info[1] = info[1].replace(/00$/, "");
  return attributes;
}

Deno.test("newLink(): a vxlan, but for learning, which `ip` always sends", () => {
  const vxlan = { id: 101, group: ip("239.1.1.101"), link: at("ul0"), port: 4789, ttl: 4, learning: true };
  alike(
    newLink({ name: "vx_red", flags: IFF_UP, change: IFF_UP, info: { kind: "vxlan", vxlan } }),
    "link_add_vxlan",
    16,
  );
});

Deno.test("newLink(): a vxlan over IPv6", () => {
  const addresses = { group6: ip("ff05::101"), local6: ip("fd00:ff::1") };
  const vxlan = { id: 106, ...addresses, link: at("ul0"), port: 8472, learning: true };
  alike(newLink({ name: "vx_six", info: { kind: "vxlan", vxlan } }), "link_add_vxlan_v6", 16);
});

Deno.test("newLink(): a vxlan with every option", () => {
  const vxlan = {
    ...{ id: 99, local: ip("192.0.2.1"), link: at("ul0"), port: 4790, portRange: { low: 5000, high: 6000 } },
    ...{ ttl: 4, tos: 0x16, learning: false, proxy: true, rsc: true, l2miss: true, l3miss: true },
    ...{ ageing: 120, limit: 100, gbp: true as const },
  };
  const own = { name: "vx_opt", mtu: 1400, txqlen: 500, mac: "02:00:5e:10:00:63" };
  alike(newLink({ ...own, info: { kind: "vxlan", vxlan } }), "link_add_vxlan_options", 16);
});

Deno.test("newLink(): a macvlan, here and in another namespace", () => {
  const info = { kind: "macvlan", macvlan: { mode: 4 } };
  const parent = at("vx_red");
  alike(newLink({ name: "mv_red", flags: IFF_UP, change: IFF_UP, link: parent, info }), "link_add_macvlan", 16);
  const { netnsFd } = decode(link, message("link_add_macvlan_netns").payload);
  const inside = { name: "eth0", mac: "02:00:5e:10:00:02", mtu: 1400, netnsFd, link: parent, info };
  alike(newLink(inside), "link_add_macvlan_netns", 16);
});

Deno.test("a change of a link: state, MTU and hardware address, and without NLM_F_CREATE nothing is created", () => {
  const value = { index: at("mv_red"), flags: IFF_UP, change: IFF_UP, mtu: 1400, mac: "02:00:5e:10:00:03" };
  alike(request("change link", link, { type: RTM_LINK.new, value }), "link_set", 16);
});

Deno.test("newAddress(): as `ip`, and without duplicate address detection, said in IFA_FLAGS, which IPv4 ignores", () => {
  const IFA_FLAGS = 8;
  alike(newAddress({ cidr: cidr("10.97.1.105/24"), ...mv }), "address_add", 8, { more: [IFA_FLAGS] });
  const request = newAddress({ cidr: cidr("fd00:97:1::105/64"), ...mv });
  equal(attributesOf(request.payload.subarray(8))[IFA_FLAGS], "02000000");
  // `ip` says IFA_F_NODAD in the header's flags; the kernel takes IFA_FLAGS for the whole of them where it is given.
  const payload = request.payload.slice();
  payload[2] = 2;
  alike({ ...request, payload }, "address_add_v6", 8, { more: [IFA_FLAGS] });
});

Deno.test("newAddress(): a bare address is without a route to its prefix, and deprecated at once", () => {
  alike(newAddress({ cidr: cidr("fd00:97:1::203/128"), ...mv }, true), "address_add_bare", 8);
});

Deno.test("newRoute(): claims, a default route, the bypass; with the table also as attribute, as tables beyond 255 need it", () => {
  const RTA_TABLE = 15;
  const claim = { oif: at("mv_red"), protocol: 192, scope: 0 };
  alike(newRoute({ ...claim, to: cidr("10.97.1.202/32") }), "route_add_host", 12, { more: [RTA_TABLE] });
  alike(newRoute({ ...claim, to: cidr("fd00:97:1::202/128"), metric: 77 }), "route_add_host_metric", 12, {
    more: [RTA_TABLE],
  });
  const byDefault = { to: cidr("0.0.0.0/0"), gateway: ip("192.0.2.254"), oif: at("ul0") };
  alike(newRoute(byDefault), "route_add_default", 12, { more: [RTA_TABLE] });
  const bypass = { to: cidr("10.97.1.0/24"), oif: at("mv_red"), table: 192 };
  alike(newRoute(bypass), "route_add_table", 12, { more: [RTA_TABLE] });
});

Deno.test("newRoute(): a table beyond 255 is RT_TABLE_COMPAT in the header, where `ip` says nothing", () => {
  const RT_TABLE_COMPAT = 252;
  const request = newRoute({ to: cidr("fd00:97:1::/64"), oif: at("mv_red"), table: 70000 });
  equal(request.payload[4], RT_TABLE_COMPAT);
  const payload = request.payload.slice();
  payload[4] = 0;
  alike({ ...request, payload }, "route_add_table_large", 12);
});

Deno.test("newRoute() and delRoute(): a local route; to delete, `ip` leaves the protocol open, we say whose it is", () => {
  const RTA_TABLE = 15;
  const local = { table: RT_TABLE_LOCAL, scope: RT_SCOPE_HOST, type: RTN_LOCAL };
  const route = { to: cidr("10.97.1.203/32"), oif: at("mv_red"), ...local };
  alike(newRoute(route), "route_add_local", 12, { more: [RTA_TABLE] });
  const request = delRoute(route);
  const PROTOCOL = 5;
  equal(request.payload[PROTOCOL], 3);
  const payload = request.payload.slice();
  payload[PROTOCOL] = 0;
  alike({ ...request, payload }, "route_del_local", 12, { more: [RTA_TABLE] });
});

Deno.test("newRoute(): what a packet may be as long as", () => {
  const RTA_TABLE = 15;
  const [to, gateway] = [cidr("10.98.0.0/16"), ip("10.97.1.254")];
  const route = { to, gateway, oif: at("mv_red"), metric: 5, mtu: 1300, advmss: 1260 };
  alike(newRoute(route), "route_add_metrics", 12, { more: [RTA_TABLE] });
});

Deno.test("newRule(): from and to a prefix; with the table also as attribute", () => {
  const FRA_TABLE = 15;
  const priority = 32765;
  const both = (text: string) => ({ from: cidr(text), to: cidr(text) });
  alike(newRule({ ...both("10.97.1.0/24"), table: 192, priority }), "rule_add", 12, { more: [FRA_TABLE] });
  alike(newRule({ ...both("fd00:97:1::/64"), table: 70000, priority }), "rule_add_v6", 12);
});

Deno.test("announceAddress(): use of a neighbour entry, also when there is one", () => {
  const NLM_F_EXCL = 0x200;
  const request = announceAddress(at("mv_red"), ip("10.97.1.105"));
  alike({ ...request, flags: request.flags | NLM_F_EXCL }, "neighbour_use", 12);
});

Deno.test("what is deleted is said as it was when it was made", () => {
  const route = { to: cidr("10.97.1.0/24"), oif: 5, gateway: ip("192.0.2.254"), table: 192, metric: 7, mtu: 1300 };
  const rule = { from: cidr("10.97.1.0/24"), to: cidr("10.97.1.0/24"), table: 70000, priority: 32765 };
  deepEqual([delRoute(route).type, delRoute(route).payload], [RTM_ROUTE.del, newRoute(route).payload]);
  deepEqual([delRule(rule).type, delRule(rule).payload], [RTM_RULE.del, newRule(rule).payload]);
  const { type, payload } = delAddress({ cidr: cidr("fd00::5/64"), ...mv });
  const IFA = { address: 1, local: 2 };
  const bytes = `fd${"00".repeat(14)}05`;
  equal(type, RTM_ADDR.del);
  deepEqual(attributesOf(payload.subarray(8)), { [IFA.local]: bytes, [IFA.address]: bytes });
  deepEqual([delLink("vx_red", 5).type, toHex(delLink("vx_red", 5).payload)], [
    RTM_LINK.del,
    "00000000" + "05000000" + "00000000" + "00000000",
  ]);
});

Deno.test("every request says in words what it is for", () => {
  const [to, rule] = [cidr("10.97.1.0/24"), { from: cidr("10.97.1.0/24"), to: cidr("10.97.1.0/24"), priority: 1 }];
  const actions: [Request, string][] = [
    [newLink({ name: "vx_red" }), 'create link "vx_red"'],
    [delLink("vx_red", 5), 'delete link "vx_red"'],
    [newAddress({ cidr: cidr("10.97.1.5/24"), ...mv }), 'add address 10.97.1.5/24 to "mv_red"'],
    [delAddress({ cidr: cidr("10.97.1.5/24"), ...mv }), 'delete address 10.97.1.5/24 of "mv_red"'],
    [newRoute({ to, oif: 5 }), "add route 10.97.1.0/24"],
    [newRoute({ to, oif: 5, table: 254 }), "add route 10.97.1.0/24"],
    [delRoute({ to, oif: 5, table: 192 }), "delete route 10.97.1.0/24 in table 192"],
    [newRule({ ...rule, table: 192 }), "add rule for 10.97.1.0/24 lookup 192"],
    [delRule({ ...rule, table: 192 }), "delete rule for 10.97.1.0/24 lookup 192"],
    [announceAddress(5, ip("10.97.1.5")), "announce address 10.97.1.5"],
  ];
  for (const [{ action }, words] of actions) equal(action, words);
});

/** What a question looks like on the wire; the kernel answers "no such device". */
function asked(question: (kernel: Kernel) => unknown): Message {
  const sent: Message[] = [];
  const rtnetlink: Socket = {
    send: (datagram) => void sent.push(...decodeMessages(datagram)),
    receive() {
      const { sequence = 0 } = sent.at(-1) ?? {};
      const payload = new Uint8Array(20);
      new DataView(payload.buffer).setInt32(0, -ENODEV, true);
      return encodeMessage({ type: 2, flags: 0, sequence, payload });
    },
    [Symbol.dispose]() {},
  };
  try {
    question(openKernel({ rtnetlink } as Netns));
  } catch {
    // The answer does not matter here.
  }
  const [first] = sent;
  if (first === undefined) throw new Error("Cannot test: nothing was asked");
  return first;
}

Deno.test("lookup() asks as `ip route get fibmatch` does, but for its flag LOOKUP_TABLE, which changes nothing of a full match", () => {
  const { type, payload } = asked((kernel) => kernel.lookup(ip("10.97.1.202")));
  const wanted = message("route_get_fibmatch");
  equal(type, wanted.type);
  const RTM_F_LOOKUP_TABLE = 0x1000;
  const [ours, theirs] = [payload, wanted.payload].map((bytes) => bytes.slice());
  new DataView(theirs?.buffer ?? new ArrayBuffer(0)).setUint32(8, 0x2000, true);
  equal(new DataView(wanted.payload.slice().buffer).getUint32(8, true), 0x2000 | RTM_F_LOOKUP_TABLE);
  equal(toHex(ours ?? payload), toHex(theirs ?? payload));
});

Deno.test("rules(): the question of `ip rule show`, to the byte", () => {
  const { type, flags, payload } = asked((kernel) => kernel.rules(4));
  const wanted = message("rule_dump");
  deepEqual([type, flags, toHex(payload)], [wanted.type, wanted.flags, toHex(wanted.payload)]);
});

Deno.test("routes(): the question of `ip route show table 192`, without the zeros that `ip` leaves behind it", () => {
  const { type, flags, payload } = asked((kernel) => kernel.routes(4, { table: 192 }));
  const wanted = message("route_dump");
  deepEqual([type, flags, toHex(payload)], [wanted.type, wanted.flags, toHex(wanted.payload)]);
});

Deno.test("addresses(): the question of `ip addr show dev mv_red`, without the zeros that `ip` leaves behind it", () => {
  const { type, flags, payload } = asked((kernel) => kernel.addresses(at("mv_red")));
  const wanted = message("address_dump");
  deepEqual([type, flags, toHex(payload)], [wanted.type, wanted.flags, toHex(wanted.payload)]);
});

Deno.test("links(): the question of `ip link show`, for every family and without statistics", () => {
  const { type, flags, payload } = asked((kernel) => kernel.links());
  const wanted = message("link_dump");
  deepEqual([type, flags], [wanted.type, wanted.flags]);
  const IFLA_EXT_MASK = 29;
  const RTEXT_FILTER_SKIP_STATS = 8;
  deepEqual(attributesOf(payload.subarray(16)), { [IFLA_EXT_MASK]: `0${RTEXT_FILTER_SKIP_STATS}000000` });
});
