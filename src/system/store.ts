/** Files and locks below `/run/vxlan-cni`: for root only, gone at reboot together with the routes they tell of. */
import { EAGAIN, EEXIST, ENOENT, failedWith, KernelError } from "../errno.ts";
import type { Lock, Store } from "../world.ts";
import { onFile } from "./file.ts";
import { check, close, errno, libc, libcWaiting, open } from "./libc.ts";

const ROOT = "/run/vxlan-cni";
/** Lock of whoever takes over the records of an earlier version, and the last that is left of them. */
export const UPGRADING = "upgrading";
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

/** Whether an earlier version of this program left records, which were not in folders of namespaces, or a call died that took them over. */
export function hasEarlierLedger(): boolean {
  return ["hosts", "claims", UPGRADING].some((name) => exists(`${ROOT}/${name}`));
}

/** Takes away those folders of an earlier version that are empty: it left them. */
export function removeEarlierFolders(): void {
  for (const name of ["hosts", "attachments", "adding", "claims", "claiming", "reserved", "lock"]) {
    removeEmpty(`${ROOT}/${name}`);
  }
}

function removeEmpty(folder: string): void {
  try {
    for (const { name, isDirectory } of Deno.readDirSync(folder)) if (isDirectory) removeEmpty(`${folder}/${name}`);
    Deno.removeSync(folder);
  } catch { /* It is not there, or holds something. */ }
}

export function earlierStore(): Store {
  return fileStore(ROOT);
}

/** `begun` is called once the root folder has been made. */
export function fileStore(root: string, begun: () => void = () => {}): Store {
  const path = (name: string) => `${root}/${name}`;

  /** Does something with a file; an error says what, and of which one. */
  function on<T>(name: string, verb: string, work: (file: string) => T): T {
    return onFile(`${verb} "${path(name)}"`, () => work(path(name)));
  }

  /** As on(); undefined when there is no such file. */
  function onThere<T>(name: string, verb: string, work: (file: string) => T): T | undefined {
    return ifThere(() => on(name, verb, work));
  }

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

  function inodeOf(name: string): number | null | undefined {
    return onThere(name, "look at", Deno.statSync)?.ino;
  }

  function openOrMake(name: string): number {
    return inFolder(path(name), () => open(path(name), O_RDWR | O_CREAT | O_NOFOLLOW, 0o600));
  }

  /** The lock of an open file. It counts only while the file still has its name, which the holder before us may have taken away: else undefined. */
  function currentLock(fd: number, name: string): Lock | undefined {
    let isCurrent = false;
    try {
      isCurrent = inodeOf(name) === onFile("look at a lock", () => Deno.statSync(`/proc/self/fd/${fd}`)).ino;
    } finally {
      if (!isCurrent) close(fd);
    }
    return isCurrent ? { [Symbol.dispose]: () => close(fd) } : undefined;
  }

  /** Takes the lock of an open file at once; undefined when somebody holds it. */
  function takeLock(fd: number, name: string): Lock | "stale" | undefined {
    if (libc().flock(fd, LOCK_EX | LOCK_NB) === 0) return currentLock(fd, name) ?? "stale";
    const failure = errno();
    close(fd);
    if (failure === EAGAIN) return undefined;
    throw new KernelError(`lock "${path(name)}"`, failure, { file: true });
  }

  /** A file that is to get a name, held by its maker: of one that nobody holds the maker died. Undefined when others hold it all the time. */
  function makeHeld(name: string): Lock | undefined {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const fd = openOrMake(name);
      const lock = takeLock(fd, name);
      if (typeof lock === "object") return lock;
    }
    return undefined;
  }

  /** Takes a file away that its maker left, as it died before it got its name. */
  function sweep(name: string): void {
    const fd = ifThere(() => open(path(name), O_RDWR | O_NOFOLLOW));
    const lock = fd === undefined ? undefined : takeLock(fd, name);
    if (typeof lock !== "object") return;
    removeFile(name);
    lock[Symbol.dispose]();
  }

  /** Makes a lock's file, which is held before it has its name: who looks for locks that nobody holds must not find it in between. */
  function makeLocked(name: string): Lock | "stale" | undefined {
    const lock = makeHeld(`${name}~`);
    if (lock === undefined) return undefined;
    const isMade = link(`${name}~`, name);
    removeFile(`${name}~`);
    if (isMade) return lock;
    lock[Symbol.dispose]();
    return "stale";
  }

  function link(from: string, to: string): boolean {
    return inFolder(path(to), () => {
      try {
        on(to, "link", (file) => Deno.linkSync(path(from), file));
        return true;
      } catch (error) {
        if (failedWith(error, EEXIST)) return false;
        throw error;
      }
    });
  }

  /** Takes the file away, and every folder that is empty then. */
  function removeFile(name: string): boolean {
    if (onThere(name, "remove", (file) => (Deno.removeSync(file), true)) === undefined) return false;
    removeFolders(path(name));
    return true;
  }

  /** Takes away every folder that a file has left empty. */
  function removeFolders(file: string): void {
    for (let at = folderOf(file); at.length >= root.length; at = folderOf(at)) {
      try {
        Deno.removeSync(at);
      } catch {
        break;
      }
    }
  }

  return {
    read: (name) => onThere(name, "read", (file) => Deno.readTextFileSync(file)),
    write(name, content) {
      using _ = makeHeld(`${name}~`);
      try {
        on(name, "write", (file) => {
          Deno.writeTextFileSync(`${file}~`, content);
          Deno.renameSync(`${file}~`, file);
        });
      } catch (error) {
        removeFile(`${name}~`);
        throw error;
      }
    },
    remove(name) {
      removeFile(`${name}~`);
      return removeFile(name);
    },
    rename(from, to) {
      return inFolder(path(to), () => {
        try {
          on(from, "rename", (file) => Deno.renameSync(file, path(to)));
          removeFolders(path(from));
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
      const [one, other] = [inodeOf(a), inodeOf(b)];
      return one !== undefined && one === other;
    },
    list(name) {
      const entries = onThere(name, "list", (folder) => Array.from(Deno.readDirSync(folder), (one) => one.name)) ?? [];
      for (const entry of entries) if (entry.endsWith("~")) sweep(`${name}/${entry}`);
      return entries.filter((entry) => !entry.endsWith("~")).sort();
    },
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
        const fd = openOrMake(name);
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
