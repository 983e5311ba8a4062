/** The outside world as a test wants it: a fake kernel, files and locks in memory, a clock that moves when everybody waits. */
import { KernelError } from "../../src/errno.ts";
import { macFromBytes } from "../../src/bytes.ts";
import type { Lock, Netns, Socket, Store, World } from "../../src/world.ts";
import { type FakeKernel, fakeKernel, type FakeSocket } from "./kernel.ts";
import type { Space } from "./space.ts";
import { HOST, type Program } from "../lib/stage.ts";
import { announcement } from "./frames.ts";

export interface FakeWorld extends World {
  readonly kernel: FakeKernel;
  /** The node's own namespace. */
  readonly node: Space;
  /** Below /run/vxlan-cni. */
  readonly files: Map<string, string>;
  /** Executables by full path. */
  readonly programs: Map<string, Program>;
  /** What the program warned of. */
  readonly warnings: string[];
  /** Paths of files that are no namespaces. */
  readonly notNamespaces: Set<string>;
  /** Does something at a time of the clock (milliseconds). */
  at(time: number, work: () => void): void;
}

export function fakeWorld(): FakeWorld {
  const kernel = fakeKernel();
  const node = kernel.space(HOST);
  const files = new Map<string, string>();
  const programs = new Map<string, Program>();
  const notNamespaces = new Set(["/etc/passwd"]);
  const warnings: string[] = [];
  const store = fakeStore(files);
  const clock = fakeClock();
  let seed = 1;

  function netns(path: string): Netns {
    if (notNamespaces.has(path)) throw new KernelError(`enter network namespace "${path}"`, 22);
    if (!kernel.exists(path)) throw new KernelError(`open "${path}"`, 2);
    const space = kernel.space(path);
    return {
      path,
      fd: space.fd,
      identity: `${space.fd}`,
      rtnetlink: kernel.netlink(space),
      events: (groups) => kernel.netlink(space, groups),
      packet: (_, ifindex) => kernel.packet(space, ifindex),
      icmp6: (source, ifindex) => ({
        ...kernel.packet(space, ifindex),
        send: (message) =>
          void space.frames.push({ index: ifindex, frame: announcement(source, macFromBytes(message.slice(26, 32))) }),
      }),
      sysctl(key) {
        const [, , device = ""] = key.split("/");
        const isThere = device === "all" || space.links.some(({ name }) => name === device);
        return space.sysctls.get(key) ?? (isThere ? "1" : undefined);
      },
      setSysctl: (key, value) => void space.sysctls.set(key, value),
      [Symbol.dispose]() {},
    };
  }

  return {
    ...{ kernel, node, files, programs, notNamespaces, netns },
    store: () => store,
    warnings,
    warn: (text) => void warnings.push(text),
    environment: {},
    now: clock.now,
    uptime: clock.now,
    at: clock.at,
    readable: clock.readable,
    random: (length) =>
      Uint8Array.from({ length }, () => {
        // A linear congruential generator (Numerical Recipes): the same numbers in every run.
        seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
        return seed >>> 24;
      }),
    log: undefined,
    interrupted: new AbortController().signal,
    host: () => netns(HOST),
    find(name, folders) {
      const path = folders.map((folder) => `${folder}/${name}`).find((one) => programs.has(one));
      return path === undefined ? undefined : { path, self: false };
    },
    async execute(path, environment, stdin) {
      const program = programs.get(path);
      if (program === undefined) throw new Error(`Cannot run "${path}": no such program`);
      return await program(environment, stdin);
    },
  };
}

/** A clock that goes on to the next event as soon as everybody waits. */
function fakeClock() {
  let now = 1000;
  let ticking = false;
  const events: { time: number; work: () => void }[] = [];
  const sleepers: { sockets: readonly Socket[]; end: number; wake: (ready: boolean) => void }[] = [];
  const hasData = (one: Socket) => (one as FakeSocket).waiting > 0;

  function tick(): void {
    ticking = false;
    for (const sleeper of [...sleepers]) if (sleeper.sockets.some(hasData)) wake(sleeper, true);
    if (sleepers.length === 0) return;
    const next = Math.min(...sleepers.map(({ end }) => end), ...events.map(({ time }) => time));
    now = Math.max(now, next);
    for (const event of events.filter(({ time }) => time <= now)) {
      events.splice(events.indexOf(event), 1);
      event.work();
    }
    for (const sleeper of [...sleepers]) {
      if (sleeper.sockets.some(hasData) || sleeper.end <= now) wake(sleeper, sleeper.sockets.some(hasData));
    }
    if (sleepers.length > 0) schedule();
  }

  function wake(sleeper: typeof sleepers[number], ready: boolean): void {
    sleepers.splice(sleepers.indexOf(sleeper), 1);
    sleeper.wake(ready);
  }

  function schedule(): void {
    // After all that is ready to run has run.
    if (!ticking) setTimeout(tick, 0);
    ticking = true;
  }

  return {
    now: () => now,
    at: (time: number, work: () => void) => void events.push({ time, work }),
    readable(sockets: readonly Socket[], timeout: number): Promise<boolean> {
      const { promise, resolve } = Promise.withResolvers<boolean>();
      sleepers.push({ sockets, end: now + timeout, wake: resolve });
      schedule();
      return promise;
    },
  };
}

function fakeStore(files: Map<string, string>): Store {
  const held = new Map<string, { next: (() => void)[] }>();
  /** Files with several names: each name, and which file it is of. */
  const inodes = new Map<string, number>();
  let inode = 0;
  const inodeOf = (name: string) => {
    const known = inodes.get(name) ?? ++inode;
    inodes.set(name, known);
    return known;
  };

  function take(name: string): Lock {
    const entry = { next: [] as (() => void)[] };
    held.set(name, entry);
    return {
      [Symbol.dispose]() {
        if (held.get(name) !== entry) return;
        held.delete(name);
        for (const wake of entry.next) wake();
      },
    };
  }

  const store: Store = {
    read: (name) => files.get(name),
    write(name, content) {
      inodes.delete(name);
      files.set(name, content);
    },
    remove(name) {
      inodes.delete(name);
      return files.delete(name);
    },
    rename(from, to) {
      const content = files.get(from);
      if (content === undefined) return false;
      files.set(to, content);
      inodes.set(to, inodeOf(from));
      store.remove(from);
      return true;
    },
    link(from, to) {
      const content = files.get(from);
      if (content === undefined) throw new KernelError(`link "${to}"`, 2, { file: true });
      if (files.has(to)) return false;
      files.set(to, content);
      inodes.set(to, inodeOf(from));
      return true;
    },
    same: (a, b) => files.has(a) && files.has(b) && inodeOf(a) === inodeOf(b),
    list(folder) {
      const inside = [...files.keys()].filter((name) => name.startsWith(`${folder}/`));
      return [...new Set(inside.map((name) => name.slice(folder.length + 1).split("/")[0] ?? ""))].sort();
    },
    tryLock(name, create) {
      if (held.has(name) || (!create && !files.has(name))) return undefined;
      if (!files.has(name)) files.set(name, "");
      return take(name);
    },
    async lock(name) {
      for (let holder = held.get(name); holder !== undefined; holder = held.get(name)) {
        const { promise, resolve } = Promise.withResolvers<void>();
        holder.next.push(resolve);
        await promise;
      }
      if (!files.has(name)) files.set(name, "");
      return take(name);
    },
  };
  return store;
}
