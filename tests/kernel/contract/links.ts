/** Links: made, refused, read, and what goes with them. */
import { newAddress } from "../../../src/netlink/address.ts";
import { delLink, IFF_UP, type Link, newLink, type VxlanData } from "../../../src/netlink/link.ts";
import type { Request } from "../../../src/netlink/message.ts";
import { newRoute } from "../../../src/netlink/route.ts";
import { cidr, ip } from "../../lib/parsed.ts";
import type { Scenarios } from "./scenarios.ts";
import { linkText } from "./side.ts";

const up = { flags: IFF_UP, change: IFF_UP };

export function vxlan(name: string, data: VxlanData, more: Link = {}): Request {
  return newLink({ name, ...up, ...more, info: { kind: "vxlan", vxlan: data } });
}

function macvlan(name: string, parent: number, more: Link = {}): Request {
  return newLink({ name, ...up, link: parent, ...more, info: { kind: "macvlan", macvlan: { mode: 4 } } });
}

export const LINKS: Scenarios = {
  "a fresh namespace": (side) => {
    side.showAll();
    side.show("no link of that name", () => side.node.link("none"));
    side.show("no link of that index", () => side.node.link(99));
    side.show("lo", () => [side.node.link("lo")?.index, side.node.link(1)?.name]);
  },
  "a vxlan that is given little": (side) => {
    side.tell(vxlan("vx_a", { id: 1 }), newLink({ name: "vx_down", info: { kind: "vxlan", vxlan: { id: 2 } } }));
    side.showAll();
    side.show("by index", () => side.node.link(side.at("vx_down"))?.name);
  },
  "a vxlan with every option": (side) => {
    side.tell(vxlan("ul0", { id: 1 }, { mtu: 1400 }));
    const switches = { learning: false, proxy: true, rsc: true, l2miss: true, l3miss: true };
    const numbers = { ttl: 7, tos: 22, ageing: 99, limit: 1000, port: 4790, portRange: { low: 40000, high: 50000 } };
    const data = {
      id: 2,
      link: side.at("ul0"),
      group: ip("239.1.1.9"),
      local: ip("192.0.2.1"),
      ...switches,
      ...numbers,
    };
    side.tell(vxlan("vx_a", data, { mac: "02:00:5e:10:00:01", txqlen: 77, mtu: 1300 }));
    const six = { id: 3, link: side.at("ul0"), group6: ip("ff05::9"), local6: ip("fd00::1"), gbp: true as const };
    side.tell(vxlan("vx_b", { ...six, port: 4791 }));
    side.showAll();
  },
  "the MTU of a vxlan is what the underlay allows": (side) => {
    side.tell(vxlan("ul0", { id: 1, port: 1001 }, { mtu: 1400 }));
    const link = side.at("ul0");
    side.tell(
      vxlan("vx_a", { id: 2, link }),
      vxlan("vx_b", { id: 3, link, group6: ip("ff05::9"), port: 1002 }),
      vxlan("vx_c", { id: 4, link }, { mtu: 1350 }),
      vxlan("vx_d", { id: 5, link }, { mtu: 1351 }),
      vxlan("vx_e", { id: 6, link }, { mtu: 9000 }),
      vxlan("vx_f", { id: 7 }, { mtu: 9000 }),
    );
    side.show("MTUs", () => side.node.links().map(({ name, mtu }) => [name, mtu]));
  },
  "names, VNIs and ports are taken once": (side) => {
    side.tell(
      vxlan("ul0", { id: 9, port: 1001 }),
      vxlan("vx_a", { id: 1 }),
      vxlan("vx_a", { id: 2 }),
      vxlan("vx_b", { id: 1 }),
      vxlan("vx_c", { id: 1, port: 8472 }),
      vxlan("vx_d", { id: 1, port: 4789 }),
      vxlan("vx_e", { id: 1, local: ip("192.0.2.1") }),
      vxlan("vx_f", { id: 1, local6: ip("fd00::1") }),
      vxlan("vx_g", { id: 1, local6: ip("fd00::2") }),
    );
    side.tell(vxlan("vx_h", { id: 1, link: side.at("ul0") }));
    side.showAll();
  },
  "what makes no vxlan": (side) => {
    side.tell(
      vxlan("vx_a", { id: 1, group: ip("239.1.1.1") }),
      vxlan("vx_a", { id: 1, group6: ip("ff05::1") }),
      vxlan("vx_a", { id: 1, group: ip("239.1.1.1"), link: 99 }),
      vxlan("vx_a", { id: 1, link: 99 }),
      vxlan("vx_a", { id: 1, portRange: { low: 6000, high: 5000 } }),
      vxlan("vx_a", { id: 16777216 }),
      vxlan("vx_a", { id: 1 }, { mac: "01:00:5e:10:00:01" }),
      vxlan("vx_a", { id: 1 }, { mtu: 10 }),
      newLink({ name: "vx_a", info: { kind: "nonsense" } }),
    );
    side.showAll();
  },
  "a macvlan on a vxlan": (side) => {
    side.tell(vxlan("vx_a", { id: 1 }, { mtu: 1400 }));
    const parent = side.at("vx_a");
    side.tell(
      macvlan("mv_a", parent),
      macvlan("mv_b", parent, { mtu: 1300, mac: "02:00:5e:10:00:01", txqlen: 5 }),
      macvlan("mv_a", parent),
      macvlan("mv_c", parent, { mtu: 1401 }),
      macvlan("mv_d", 99),
      newLink({ name: "mv_e", ...up, info: { kind: "macvlan", macvlan: { mode: 4 } } }),
    );
    side.showAll();
  },
  "a macvlan in another namespace": (side) => {
    side.tell(vxlan("vx_a", { id: 1 }), vxlan("eth0", { id: 2 }));
    const { netns: { fd: netnsFd } } = side.container;
    const parent = side.at("vx_a");
    side.tell(
      macvlan("eth0", parent, { netnsFd, mac: "02:00:5e:10:00:02" }),
      macvlan("eth0", parent, { netnsFd }),
      macvlan("eth1", 99, { netnsFd }),
      macvlan("eth1", parent, { netnsFd: 999_999 }),
    );
    side.showAll();
    side.showAll(side.container);
    side.show("its parent is the node's", () => side.container.link("eth0")?.link === side.at("vx_a"));
    side.tell(delLink("vx_a", side.at("vx_a")));
    side.showAll(side.container);
  },
  "a link takes with it what stands on it": (side) => {
    side.tell(vxlan("ul0", { id: 1, port: 1001 }));
    side.tell(vxlan("vx_a", { id: 2, link: side.at("ul0") }));
    side.tell(macvlan("mv_a", side.at("vx_a")));
    const index = side.at("mv_a");
    side.tell(
      newAddress({ cidr: cidr("10.97.1.1/24"), index, device: "mv_a" }),
      newRoute({ to: cidr("10.98.0.0/16"), oif: index, table: 192 }),
    );
    side.tell(delLink("ul0", side.at("ul0")));
    side.showAll();
  },
  "what is gone cannot be deleted, nor can lo": (side) => {
    side.tell(vxlan("vx_a", { id: 1 }));
    const index = side.at("vx_a");
    side.tell(delLink("vx_a", index), delLink("vx_a", index), delLink("lo", 1));
    side.tell(vxlan("vx_a", { id: 1 }));
    side.show("its successor has another index", () => side.at("vx_a") === index);
  },
  "one datagram with a request that fails in its middle": (side) => {
    side.tell(vxlan("vx_a", { id: 1 }), vxlan("vx_b", { id: 1 }), vxlan("vx_c", { id: 3 }));
    side.show("links", () => side.node.links().slice(1).map((one) => linkText(side.node, one)));
  },
};
