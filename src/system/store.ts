/** Files and locks below `/run/vxlan-cni`: for root only, gone at reboot together with the routes they tell of. */
import type { Lock, Store } from "../world.ts";
import { EAGAIN, ENOENT, failedWith, KernelError } from "../errno.ts";
import { check, close, errno, libc, libcWaiting, open } from "./libc.ts";

const ROOT = "/run/vxlan-cni";
const O_RDWR = 2;
const O_CREAT = 0o100;
const O_NOFOLLOW = 0o400000;
const LOCK_EX = 2;
const LOCK_NB = 4;

export function fileStore(root = ROOT): Store {
  const path = (name: string) => `${root}/${name}`;

  /** A lock counts only while its file still has its name: the holder before us may have removed it. */
  function current(fd: number, name: string): boolean {
    const file = missing(() => Deno.statSync(path(name)));
    return file !== undefined && file.ino === Deno.statSync(`/proc/self/fd/${fd}`).ino;
  }

  return {
    read: (name) => missing(() => Deno.readTextFileSync(path(name))),
    write(name, content) {
      const temporary = `${path(name)}.${Deno.pid}~`;
      folder(temporary);
      try {
        Deno.writeTextFileSync(temporary, content, { mode: 0o600 });
        Deno.renameSync(temporary, path(name));
      } catch (error) {
        missing(() => Deno.removeSync(temporary));
        throw error;
      }
    },
    remove: (name) => missing(() => (Deno.removeSync(path(name)), true)) ?? false,
    rename: (from, to) => Deno.renameSync(path(from), path(to)),
    list: (name) =>
      missing(() => Array.from(Deno.readDirSync(path(name)), (entry) => entry.name))
        ?.filter((entry) => !entry.endsWith("~")).sort() ?? [],
    tryLock(name, create) {
      if (create) folder(path(name));
      for (;;) {
        let fd: number;
        try {
          fd = open(path(name), O_RDWR | O_NOFOLLOW | (create ? O_CREAT : 0), 0o600);
        } catch (error) {
          if (!create && failedWith(error, ENOENT)) return undefined;
          throw error;
        }
        if (libc().flock(fd, LOCK_EX | LOCK_NB) === 0) {
          if (current(fd, name)) return held(fd);
          close(fd);
          continue;
        }
        const failure = errno();
        close(fd);
        if (failure === EAGAIN) return undefined;
        throw new KernelError(`lock "${path(name)}"`, failure);
      }
    },
    async lock(name) {
      folder(path(name));
      for (;;) {
        const fd = open(path(name), O_RDWR | O_CREAT | O_NOFOLLOW, 0o600);
        if (libc().flock(fd, LOCK_EX | LOCK_NB) !== 0) {
          check(`lock "${path(name)}"`, await libcWaiting().flock(fd, LOCK_EX));
        }
        if (current(fd, name)) return held(fd);
        close(fd);
      }
    },
  };
}

function held(fd: number): Lock {
  return { [Symbol.dispose]: () => close(fd) };
}

function folder(file: string): void {
  Deno.mkdirSync(file.slice(0, file.lastIndexOf("/")), { recursive: true, mode: 0o700 });
}

function missing<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
