/**
 * The fake kernel: a function from requests to replies over a `Socket`, for several network namespaces.
 *
 * Its bytes are those of src/netlink/, which the golden tests hold against a real kernel's; its errno values are what Linux answers.
 */
import { KernelError } from "../../src/errno.ts";
import { sameIp } from "../../src/ip.ts";
import { decode, encode } from "../../src/bytes.ts";
import { address } from "../../src/netlink/address.ts";
import { type Link, link } from "../../src/netlink/link.ts";
import { neighbour } from "../../src/netlink/neighbour.ts";
import { route } from "../../src/netlink/route.ts";
import { rule } from "../../src/netlink/rule.ts";
import { decodeMessages, encodeMessage, type Message } from "../../src/netlink/message.ts";
import type { Socket } from "../../src/world.ts";
import { announcement } from "./frames.ts";
import { newAddress, removeAddress } from "./addresses.ts";
import { newLink, removeLink } from "./links.ts";
import { dumpRoutes, lookup, newRoute, removeRoute } from "./routes.ts";
import { newRule, removeRule } from "./rules.ts";
import { type FakeLink, linkByIndex, no, type Space } from "./space.ts";

export interface FakeKernel {
  /** The namespace of this path; made when there is none yet. */
  space(path: string): Space;
  exists(path: string): boolean;
  spaces(): Space[];
  /** Takes a namespace away, its links included. */
  removeSpace(path: string): void;
  netlink(space: Space, groups?: readonly number[]): FakeSocket;
  packet(space: Space, index: number): FakeSocket;
  /** A frame comes in at a link. */
  deliver(space: Space, index: number, frame: Uint8Array): void;
}

export interface FakeSocket extends Socket {
  readonly waiting: number;
}

const NLM_F_ACK = 4;
const NLM_F_MULTI = 2;
const NLM_F_DUMP = 0x300;
const NLM_F_CAPPED_TLVS = 0x300;
const RTNLGRP = { 7: 2, 11: 10 } as Readonly<Record<number, number>>;
const RULES = [[2, 0, 255], [2, 32766, 254], [2, 32767, 253], [10, 0, 255], [10, 32766, 254]] as const;

export function fakeKernel(): FakeKernel {
  const spaces = new Map<string, Space>();
  const listeners: { space: Space; families: number[]; queue: Uint8Array[] }[] = [];
  const taps: { space: Space; index: number; queue: Uint8Array[] }[] = [];
  let macs = 0;
  let nextFd = 100;

  function makeSpace(name: string): Space {
    const space: Space = {
      name,
      fd: nextFd++,
      links: [{ index: 1, name: "lo", kind: "", mac: "00:00:00:00:00:00", mtu: 65536, txqlen: 1000, up: false }],
      lastIndex: 1,
      addresses: [],
      routes: [],
      rules: RULES.map(([family, priority, table]) => ({
        ...{ family, priority, table, action: 1, toLength: 0, fromLength: 0 },
      })),
      split: false,
      sysctls: new Map(),
      frames: [],
      changed(added, changed) {
        const payload = encode(route, changed);
        const event = encodeMessage({ type: added ? 24 : 25, flags: 0, sequence: 0, payload });
        for (const one of listeners) {
          if (one.space === space && one.families.includes(changed.family ?? 0)) one.queue.push(event);
        }
      },
    };
    spaces.set(name, space);
    return space;
  }

  const kernel: FakeKernel = {
    space: (path) => spaces.get(path) ?? makeSpace(path),
    exists: (path) => spaces.has(path),
    spaces: () => [...spaces.values()],
    removeSpace(path) {
      const space = spaces.get(path);
      for (const one of [...space?.links ?? []].filter(({ name }) => name !== "lo")) {
        if (space !== undefined) removeLink([...spaces.values()], space, one);
      }
      spaces.delete(path);
    },
    netlink(space, groups = []) {
      const listener = { space, families: groups.map((group) => RTNLGRP[group] ?? 0), queue: [] as Uint8Array[] };
      listeners.push(listener);
      return socket(listener.queue, (datagram) => {
        for (const request of decodeMessages(datagram)) listener.queue.push(...answer(space, request));
      }, () => listeners.splice(listeners.indexOf(listener), 1));
    },
    packet(space, index) {
      const tap = { space, index, queue: [] as Uint8Array[] };
      taps.push(tap);
      linkByIndex(space, index);
      return socket(tap.queue, (frame) => space.frames.push({ index, frame }), () => taps.splice(taps.indexOf(tap), 1));
    },
    deliver(space, index, frame) {
      for (const tap of taps) if (tap.space === space && tap.index === index) tap.queue.push(frame);
    },
  };

  function answer(space: Space, request: Message): Uint8Array[] {
    const { sequence, flags, type } = request;
    const isDump = (flags & NLM_F_DUMP) === NLM_F_DUMP && type % 4 === 2;
    const reply = (type: number, payload: Uint8Array, flags: number) =>
      encodeMessage({ type, flags, sequence, payload });
    try {
      // A socket's answers come one by one: a list in several datagrams.
      const found = handle(space, request, isDump).map((payload) => reply(type - 2, payload, isDump ? NLM_F_MULTI : 0));
      if (isDump) return [...found, reply(3, new Uint8Array(4), NLM_F_MULTI)];
      return (flags & NLM_F_ACK) === 0 ? found : [...found, reply(2, new Uint8Array(20), 0x100)];
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      return [reply(2, verdict(error), NLM_F_CAPPED_TLVS)];
    }
  }

  function handle(space: Space, { type, payload }: Message, isDump: boolean): Uint8Array[] {
    switch (type) {
      case 16: {
        const wanted = decode(link, payload);
        const target = wanted.netnsFd === undefined
          ? space
          : [...spaces.values()].find(({ fd }) => fd === wanted.netnsFd);
        if (target === undefined) throw no(9);
        newLink(space, target, wanted, `02:fa:00:00:00:${(++macs).toString(16).padStart(2, "0")}`);
        return [];
      }
      case 17:
        removeLink([...spaces.values()], space, linkByIndex(space, decode(link, payload).index));
        return [];
      case 18:
        return (isDump ? space.links : [findLink(space, decode(link, payload))]).map((one) =>
          encode(link, asMessage(one))
        );
      case 20:
        return nothing(newAddress(space, decode(address, payload)));
      case 21:
        return nothing(removeAddress(space, decode(address, payload)));
      case 22: {
        const { index } = linkByIndex(space, decode(address, payload).index);
        return space.addresses.filter((one) => one.index === index).map(({ cidr: { ip, length } }) =>
          encode(address, { family: ip.version === 4 ? 2 : 10, length, index, address: ip, local: ip })
        );
      }
      case 24:
        return nothing(newRoute(space, decode(route, payload)));
      case 25:
        return nothing(removeRoute(space, decode(route, payload)));
      case 26: {
        const wanted = decode(route, payload);
        const { to, oif, flags } = wanted;
        if (!isDump && to !== undefined) return [encode(route, lookup(space, to, oif, flags))];
        return dumpRoutes(space, wanted).map((one) => encode(route, one));
      }
      case 28: {
        // NTF_USE for an address of the link's own: the kernel asks for it, which is a gratuitous ARP.
        const { index = 0, to } = decode(neighbour, payload);
        const { mac } = linkByIndex(space, index);
        const own = space.addresses.some((one) => one.index === index && to !== undefined && sameIp(one.cidr.ip, to));
        if (own && to !== undefined) {
          space.frames.push({ index, frame: announcement(to, mac) });
        }
        return [];
      }
      case 32:
        return nothing(newRule(space, decode(rule, payload)));
      case 33:
        return nothing(removeRule(space, decode(rule, payload)));
      case 34: {
        const { family } = decode(rule, payload);
        return space.rules.filter((one) => one.family === family).map((one) => encode(rule, one));
      }
      default:
        throw no(95);
    }
  }

  return kernel;
}

const nothing = (_: void): Uint8Array[] => [];

function socket(queue: Uint8Array[], send: (datagram: Uint8Array) => void, close: () => void): FakeSocket {
  return {
    send,
    receive: () => queue.shift(),
    get waiting() {
      return queue.length;
    },
    [Symbol.dispose]: close,
  };
}

function verdict({ errno, refusal: { words = "" } }: KernelError): Uint8Array {
  const head = new Uint8Array(20);
  const view = new DataView(head.buffer);
  view.setInt32(0, -errno, true);
  view.setUint32(4, 16, true);
  const text = new TextEncoder().encode(`${words}\0`);
  return words === "" ? head : Uint8Array.of(...head, text.length + 4, 0, 1, 0, ...text);
}

function findLink(space: Space, { name, index }: Link): FakeLink {
  const found = space.links.find((one) => name === undefined ? one.index === index : one.name === name);
  if (found === undefined) throw no(19);
  return found;
}

function asMessage({ index, name, kind, mac, mtu, txqlen, up, parent, vxlan }: FakeLink): Link {
  const info = kind === "" ? {} : {
    info: kind === "vxlan" ? { kind, vxlan } : kind === "macvlan" ? { kind, macvlan: { mode: 4 } } : { kind },
  };
  const flags = (up ? 1 : 0) | (name === "lo" ? 8 : 0);
  return { index, name, mac, mtu, txqlen, flags, ...(parent === undefined ? {} : { link: parent.index }), ...info };
}
