/** A world whose sockets for requests are others; over the fake world as over the real one. */
import type { Netns, Socket, World } from "../../src/world.ts";

/** Puts something between the program and the kernel of every namespace. */
export function wrapSockets<W extends World>(world: W, wrap: (socket: Socket) => Socket): W {
  const originals = new Map<Socket, Socket>();

  function wrapNetns(netns: Netns): Netns {
    const rtnetlink = wrap(netns.rtnetlink);
    originals.set(rtnetlink, netns.rtnetlink);
    return { ...netns, rtnetlink };
  }

  return {
    ...world,
    host: () => wrapNetns(world.host()),
    netns: (path: string) => wrapNetns(world.netns(path)),
    readable: (sockets: readonly Socket[], timeout: number) =>
      world.readable(sockets.map((socket) => originals.get(socket) ?? socket), timeout),
  };
}
