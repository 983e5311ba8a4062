/** Addresses, and the routes that come and go with them. */
import { delAddress, newAddress } from "../../../src/netlink/address.ts";
import { delLink, newLink } from "../../../src/netlink/link.ts";
import { announceAddress } from "../../../src/netlink/neighbour.ts";
import { newRoute } from "../../../src/netlink/route.ts";
import { cidr, ip } from "../../lib/parsed.ts";
import { vxlan } from "./links.ts";
import type { Scenarios } from "./scenarios.ts";
import type { Side } from "./side.ts";

/** Where an address goes: on a link of this name. */
export const on = (side: Side, device: string, text: string) => ({ cidr: cidr(text), index: side.at(device), device });

/** Adds addresses to a link and waits until they are in use. */
export async function addresses(side: Side, device: string, ...texts: string[]): Promise<void> {
  side.tell(...texts.map((text) => newAddress(on(side, device, text))));
  for (const text of texts) await side.used(cidr(text).ip);
}

export const ADDRESSES: Scenarios = {
  "addresses of all lengths, with the routes that they bring": async (side) => {
    side.tell(vxlan("a", { id: 1 }));
    await addresses(side, "a", "10.97.1.5/24", "10.97.2.4/31", "10.97.3.5/32", "10.97.4.5/30");
    await addresses(side, "a", "fd00:97::5/64", "fd00:98::4/127", "fd00:99::5/128");
    side.showAll();
    for (const text of ["10.97.1.5/24", "10.97.2.4/31", "10.97.4.5/30", "fd00:97::5/64", "fd00:99::5/128"]) {
      side.tell(delAddress(on(side, "a", text)));
    }
    side.showAll();
  },
  "an address is there once": async (side) => {
    side.tell(vxlan("a", { id: 1 }), vxlan("b", { id: 2 }));
    await addresses(side, "a", "10.97.1.5/24", "fd00:97::5/64");
    for (const device of ["a", "b"]) {
      for (const text of ["10.97.1.5/24", "10.97.1.5/32", "fd00:97::5/64", "fd00:97::5/128"]) {
        side.tell(newAddress(on(side, device, text)));
      }
    }
    await side.used(ip("fd00:97::5"));
    for (const device of ["a", "b"]) side.show(device, () => side.node.addresses(side.at(device)).length);
  },
  "a second address of a prefix brings no second route to it": async (side) => {
    side.tell(vxlan("a", { id: 1 }));
    await addresses(side, "a", "10.97.1.5/24", "10.97.1.6/24", "fd00:97::5/64", "fd00:97::6/64");
    side.showAll();
    for (const text of ["10.97.1.6/24", "fd00:97::6/64"]) side.tell(delAddress(on(side, "a", text)));
    side.showAll();
  },
  "the first address of an IPv4 prefix takes the others along": async (side) => {
    side.tell(vxlan("a", { id: 1 }));
    await addresses(side, "a", "10.97.1.5/24", "10.97.1.6/24", "10.97.1.7/32", "10.97.2.5/24");
    await addresses(side, "a", "fd00:97::5/64", "fd00:97::6/64");
    for (const text of ["10.97.1.5/24", "fd00:97::5/64"]) side.tell(delAddress(on(side, "a", text)));
    side.showAll();
  },
  "the prefix of two links is reached by both": async (side) => {
    side.tell(vxlan("a", { id: 1 }), vxlan("b", { id: 2 }));
    await addresses(side, "a", "10.97.1.5/24", "fd00:97::5/64");
    await addresses(side, "b", "10.97.1.6/24", "fd00:97::6/64");
    side.showAll();
    side.tell(delAddress(on(side, "a", "10.97.1.5/24")), delAddress(on(side, "a", "fd00:97::5/64")));
    side.showAll();
  },
  "bare addresses bring no route to their prefix": async (side) => {
    side.tell(vxlan("a", { id: 1 }));
    side.tell(newAddress(on(side, "a", "fd00:97::5/128"), true), newAddress(on(side, "a", "fd00:98::5/64"), true));
    await side.used(ip("fd00:97::5"));
    await side.used(ip("fd00:98::5"));
    side.showAll();
    side.tell(delAddress(on(side, "a", "fd00:97::5/128")), delAddress(on(side, "a", "fd00:98::5/64")));
    side.showAll();
  },
  "an address that is not there cannot be deleted": async (side) => {
    side.tell(vxlan("a", { id: 1 }), vxlan("b", { id: 2 }));
    await addresses(side, "a", "10.97.1.5/24", "fd00:97::5/64");
    for (const text of ["10.97.1.5/25", "10.97.1.6/24", "fd00:97::5/65", "fd00:97::6/64"]) {
      side.tell(delAddress(on(side, "a", text)));
    }
    for (const text of ["10.97.1.5/24", "fd00:97::5/64"]) side.tell(delAddress(on(side, "b", text)));
    for (const text of ["10.97.1.5/24", "fd00:97::5/64"]) {
      side.tell(delAddress(on(side, "a", text)), delAddress(on(side, "a", text)));
    }
    side.showAll();
  },
  "a link that is gone has no addresses": (side) => {
    for (const text of ["10.97.1.5/24", "fd00:97::5/64"]) {
      side.tell(newAddress(on(side, "none", text)), delAddress(on(side, "none", text)));
    }
    side.show("addresses", () => side.node.addresses(99));
    side.show("addresses of lo", () => side.node.addresses(1));
  },
  "the last IPv4 address of a link takes its IPv4 routes along": async (side) => {
    side.tell(vxlan("a", { id: 1 }));
    await addresses(side, "a", "10.97.1.5/24", "10.97.2.5/24", "fd00:97::5/64");
    const oif = side.at("a");
    side.tell(...["10.97.1.77/32", "10.98.0.0/16", "fd00:97::77/128"].map((to) => newRoute({ to: cidr(to), oif })));
    side.tell(newRoute({ to: cidr("10.97.1.0/24"), oif, table: 192 }));
    side.tell(delAddress(on(side, "a", "10.97.1.5/24")));
    side.showAll();
    side.tell(delAddress(on(side, "a", "10.97.2.5/24")), delAddress(on(side, "a", "fd00:97::5/64")));
    side.showAll();
  },
  "addresses of a link that is down have no routes to their prefixes": async (side) => {
    side.tell(newLink({ name: "a", info: { kind: "vxlan", vxlan: { id: 1 } } }));
    await addresses(side, "a", "10.97.1.5/24", "fd00:97::5/64");
    side.showAll();
  },
  "an announcement needs a link": async (side) => {
    side.tell(vxlan("a", { id: 1 }));
    await addresses(side, "a", "10.97.1.5/24");
    side.tell(announceAddress(side.at("a"), ip("10.97.1.5")), announceAddress(99, ip("10.97.1.5")));
    side.tell(delLink("a", side.at("a")));
    side.showAll();
  },
};
