/** A world in which the kernel refuses the k-th thing that it is asked to change; over the fake world as over the real one. */
import { decodeMessages, encodeMessage, type Message } from "../../src/netlink/message.ts";
import type { Netns, Socket, World } from "../../src/world.ts";

export interface Writes {
  /** How many there were so far. */
  count: number;
  /** Which one fails, from 1; 0: none. */
  fail: number;
}

const EIO = 5;
const RTM_BASE = 16;

/** Counts requests that change something in `writes`, and answers the chosen one with EIO instead of passing it on. */
export function failingWorld<W extends World>(world: W, writes: Writes): W {
  const originals = new Map<Socket, Socket>();

  function wrapNetns(netns: Netns): Netns {
    return {
      path: netns.path,
      fd: netns.fd,
      identity: netns.identity,
      rtnetlink: wrapSocket(netns.rtnetlink),
      events: (groups) => netns.events(groups),
      icmp6: (source, ifindex) => netns.icmp6(source, ifindex),
      packet: (ethertype, ifindex) => netns.packet(ethertype, ifindex),
      sysctl: (key) => netns.sysctl(key),
      setSysctl: (key, value) => netns.setSysctl(key, value),
      [Symbol.dispose]: () => netns[Symbol.dispose](),
    };
  }

  function wrapSocket(socket: Socket): Socket {
    const refusals: Uint8Array[] = [];
    const wrapped: Socket = {
      send(datagram) {
        const passed = decodeMessages(datagram).filter((message) => {
          if (!changes(message) || ++writes.count !== writes.fail) return true;
          refusals.push(refusal(message));
          return false;
        });
        if (passed.length > 0) socket.send(Uint8Array.from(passed.flatMap((message) => [...encodeMessage(message)])));
      },
      receive: (wait) => refusals.shift() ?? socket.receive(wait),
      [Symbol.dispose]: () => socket[Symbol.dispose](),
    };
    originals.set(wrapped, socket);
    return wrapped;
  }

  return {
    ...world,
    host: () => wrapNetns(world.host()),
    netns: (path: string) => wrapNetns(world.netns(path)),
    readable: (sockets: readonly Socket[], timeout: number) =>
      world.readable(sockets.map((socket) => originals.get(socket) ?? socket), timeout),
  };
}

/** NEW, DEL and SET; not GET. */
function changes({ type }: Message): boolean {
  return type >= RTM_BASE && type % 4 !== 2;
}

/** `struct nlmsgerr` with the request's header. */
function refusal({ sequence }: Message): Uint8Array {
  const payload = new Uint8Array(20);
  const view = new DataView(payload.buffer);
  view.setInt32(0, -EIO, true);
  view.setUint32(4, 16, true);
  return encodeMessage({ type: 2, flags: 0x100, sequence, payload });
}
