/** A world in which the kernel refuses some of what it is asked to change. */
import { EIO } from "../../src/errno.ts";
import { decodeMessages, encodeMessage, type Message } from "../../src/netlink/message.ts";
import type { World } from "../../src/world.ts";
import { wrapSockets } from "./wrapped.ts";

interface Writes {
  /** How many there were so far. */
  count: number;
  /** Which one fails, from 1; 0: none. Or those of which it is true. */
  fail: number | ((message: Message) => boolean);
}

const RTM_BASE = 16;

/** Counts requests that change something in `writes`, and answers the chosen ones with EIO instead of passing them on. */
export function failingWorld<W extends World>(world: W, writes: Writes): W {
  return wrapSockets(world, (socket) => {
    const refusals: Uint8Array[] = [];
    return {
      send(datagram) {
        const passed = decodeMessages(datagram).filter((message) => {
          if (!changes(message) || !isRefused(message)) return true;
          refusals.push(refusal(message));
          return false;
        });
        if (passed.length > 0) socket.send(Uint8Array.from(passed.flatMap((message) => [...encodeMessage(message)])));
      },
      receive: (wait) => refusals.shift() ?? socket.receive(wait),
      [Symbol.dispose]: () => socket[Symbol.dispose](),
    };
  });

  function isRefused(message: Message): boolean {
    writes.count++;
    return typeof writes.fail === "number" ? writes.count === writes.fail : writes.fail(message);
  }
}

/** NEW, DEL and SET; not GET. */
export function changes({ type }: Message): boolean {
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
