/** Files and locks below `/run/vxlan-cni`: for root only, gone at reboot together with the routes they tell of. */
import { EAGAIN, EEXIST, ENOENT, failedWith, KernelError } from "../errno.ts";
import type { Lock, Store } from "../world.ts";
import { onFile } from "./file.ts";
import { check, close, errno, libc, libcWaiting, open } from "./libc.ts";

const ROOT = "/run/vxlan-cni";
const O_RDWR = 2;
const O_CREAT = 0o100;
const O_NOFOLLOW = 0o400000;
const LOCK_EX = 2;
const LOCK_NB = 4;
/** A folder can go between its making and its use, when another process takes its last file away: tried again this often. */
const ATTEMPTS = 100;

/**
 * The files that belong to this process's network namespace. Its folder is named by the namespace's inode, which another one gets
 * when it is gone, and by its identity, which no other one gets: folders of the same inode and another identity are those of the dead.
 */
export function ledgerOf(identity: string): Store {
  const link = onFile("read the own network namespace", () => Deno.readLinkSync("/proc/thread-self/ns/net"));
  const inode = link.replace(/\D/g, "");
  const own = `${inode}-${identity}`;
  return fileStore(`${ROOT}/${own}`, () => {
    for (const { name } of Deno.readDirSync(ROOT)) {
      if (name.startsWith(`${inode}-`) && name !== own) Deno.removeSync(`${ROOT}/${name}`, { recursive: true });
    }
  });
}

/** Whether an earlier version of this program left records, which were not in folders of namespaces. */
export function hasEarlierLedger(): boolean {
  return exists(`${ROOT}/hosts`) || exists(`${ROOT}/claims`);
}

export function earlierStore(): Store {
  return fileStore(ROOT);
}

/** `begun` is called once the root folder has been made. */
export function fileStore(root: string, begun: () => void = () => {}): Store {
  const path = (name: string) => `${root}/${name}`;

  /** Does something with a file; where its folder is missing, makes the folder and does it again. */
  function inFolder<T>(file: string, work: () => T): T {
    for (let attempt = 0;; attempt++) {
      try {
        return work();
      } catch (error) {
        if (!failedWith(error, ENOENT) || attempt === ATTEMPTS) throw error;
        const isFirst = !exists(root);
        const folder = folderOf(file);
        onFile(`make "${folder}"`, () => Deno.mkdirSync(folder, { recursive: true, mode: 0o700 }));
        if (isFirst) begun();
      }
    }
  }

  /** A lock counts only while its file still has its name: the holder before us may have removed it. */
  function isCurrent(fd: number, name: string): boolean {
    const file = ifThere(() => onFile(`look at "${path(name)}"`, () => Deno.statSync(path(name))));
    return file !== undefined &&
      file.ino === onFile(`look at a lock`, () => Deno.statSync(`/proc/self/fd/${fd}`)).ino;
  }

  /** The lock of an open file; undefined when the file is not the one of that name any more. */
  function currentLock(fd: number, name: string): Lock | undefined {
    try {
      if (isCurrent(fd, name)) return { [Symbol.dispose]: () => close(fd) };
    } catch (error) {
      close(fd);
      throw error;
    }
    close(fd);
    return undefined;
  }

  /** Takes the lock of an open file at once; undefined when somebody holds it. */
  function takeLock(fd: number, name: string): Lock | "stale" | undefined {
    if (libc().flock(fd, LOCK_EX | LOCK_NB) === 0) return currentLock(fd, name) ?? "stale";
    const failure = errno();
    close(fd);
    if (failure === EAGAIN) return undefined;
    throw new KernelError(`lock "${path(name)}"`, failure, { file: true });
  }

  /** Makes a lock's file, which is held before it has its name: who looks for locks that nobody holds must not find it in between. */
  function makeLocked(name: string): Lock | "stale" | undefined {
    const temporary = `${name}~`;
    const fd = inFolder(path(temporary), () => open(path(temporary), O_RDWR | O_CREAT | O_NOFOLLOW, 0o600));
    const lock = takeLock(fd, temporary);
    if (typeof lock !== "object") return lock;
    const isMade = link(temporary, name);
    ifThere(() => onFile(`remove "${path(temporary)}"`, () => Deno.removeSync(path(temporary))));
    if (isMade) return lock;
    lock[Symbol.dispose]();
    return "stale";
  }

  function link(from: string, to: string): boolean {
    return inFolder(path(to), () => {
      try {
        onFile(`link "${path(to)}"`, () => Deno.linkSync(path(from), path(to)));
        return true;
      } catch (error) {
        if (failedWith(error, EEXIST)) return false;
        throw error;
      }
    });
  }

  /** Takes the file away, and every folder that is empty then. */
  function removeFile(name: string): boolean {
    const file = path(name);
    if (ifThere(() => onFile(`remove "${file}"`, () => (Deno.removeSync(file), true))) === undefined) return false;
    for (let at = folderOf(file); at.length >= root.length; at = folderOf(at)) {
      try {
        Deno.removeSync(at);
      } catch {
        break;
      }
    }
    return true;
  }

  return {
    read: (name) => ifThere(() => onFile(`read "${path(name)}"`, () => Deno.readTextFileSync(path(name)))),
    write(name, content) {
      const temporary = `${path(name)}~`;
      try {
        inFolder(
          temporary,
          () => onFile(`write "${path(name)}"`, () => Deno.writeTextFileSync(temporary, content, { mode: 0o600 })),
        );
        onFile(`write "${path(name)}"`, () => Deno.renameSync(temporary, path(name)));
      } catch (error) {
        try {
          Deno.removeSync(temporary);
        } catch { /* It was not even made. */ }
        throw error;
      }
    },
    remove(name) {
      ifThere(() => onFile(`remove "${path(name)}~"`, () => Deno.removeSync(`${path(name)}~`)));
      return removeFile(name);
    },
    rename(from, to) {
      return inFolder(path(to), () => {
        try {
          onFile(`rename "${path(from)}"`, () => Deno.renameSync(path(from), path(to)));
          return true;
        } catch (error) {
          // Either the file or the folder that it is to go into is not there.
          if (failedWith(error, ENOENT) && !exists(path(from))) return false;
          throw error;
        }
      });
    },
    link,
    same(a, b) {
      const [one, other] = [a, b].map((name) =>
        ifThere(() => onFile(`look at "${path(name)}"`, () => Deno.statSync(path(name)).ino))
      );
      return one !== undefined && one === other;
    },
    list: (name) =>
      ifThere(() => onFile(`list "${path(name)}"`, () => Array.from(Deno.readDirSync(path(name)), (one) => one.name)))
        ?.filter((entry) => !entry.endsWith("~")).sort() ?? [],
    tryLock(name, create) {
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const fd = ifThere(() => open(path(name), O_RDWR | O_NOFOLLOW));
        if (fd === undefined && !create) return undefined;
        const lock = fd === undefined ? makeLocked(name) : takeLock(fd, name);
        if (lock !== "stale") return lock;
      }
      return undefined;
    },
    async lock(name) {
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const fd = inFolder(path(name), () => open(path(name), O_RDWR | O_CREAT | O_NOFOLLOW, 0o600));
        if (libc().flock(fd, LOCK_EX | LOCK_NB) !== 0) {
          check(`lock "${path(name)}"`, await libcWaiting().flock(fd, LOCK_EX));
        }
        const lock = currentLock(fd, name);
        if (lock !== undefined) return lock;
      }
      throw new KernelError(`lock "${path(name)}"`, EAGAIN, { file: true });
    },
  };
}

function folderOf(file: string): string {
  return file.slice(0, file.lastIndexOf("/"));
}

function exists(file: string): boolean {
  return ifThere(() => onFile(`look at "${file}"`, () => Deno.lstatSync(file))) !== undefined;
}

function ifThere<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (failedWith(error, ENOENT)) return undefined;
    throw error;
  }
}
