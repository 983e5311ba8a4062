/** A world that dies: what it does from then on has no effect, as when the kernel has killed the process. */
import { decodeMessages } from "../../src/netlink/message.ts";
import type { Netns, Store, World } from "../../src/world.ts";
import { changes } from "./failing.ts";
import { wrapSockets } from "./wrapped.ts";

interface Steps {
  /** How many there were so far: datagrams that change something, settings, and changes of files. */
  count: number;
  /** It dies before this one, from 1; 0: never. */
  last: number;
}

const FILE_CHANGES: readonly string[] = ["write", "remove", "rename", "link", "tryLock", "lock"];

/** Its locks are given back by whoever set the stage, when all is quiet. */
export function dyingWorld(world: World, steps: Steps): World {
  let isDead = false;

  function look(): void {
    if (isDead) throw new Error("Cannot do anything: this process was killed");
  }

  function step(): void {
    look();
    isDead = ++steps.count === steps.last;
    look();
  }

  const wrapped = wrapSockets(world, (socket) => ({
    ...socket,
    send(datagram) {
      if (decodeMessages(datagram).some(changes)) step();
      else look();
      socket.send(datagram);
    },
  }));

  function mortal(netns: Netns): Netns {
    return {
      ...netns,
      setSysctl(key, value) {
        step();
        netns.setSysctl(key, value);
      },
    };
  }

  function mortalStore(store: Store): Store {
    const methods = Object.entries(store).map(([name, method]) => [name, (...given: unknown[]) => {
      if (FILE_CHANGES.includes(name)) step();
      else look();
      return method(...given);
    }]);
    return Object.fromEntries(methods) as Store;
  }

  return {
    ...wrapped,
    host: () => mortal(wrapped.host()),
    netns: (path) => mortal(wrapped.netns(path)),
    store: (identity) => mortalStore(world.store(identity)),
    async readable(sockets, timeout) {
      look();
      const ready = await wrapped.readable(sockets, timeout);
      look();
      return ready;
    },
  };
}
