/** Files and locks: what every store must do, asked of the real one and of the tests' own; and what only files on a disk can do. */
import assert from "node:assert/strict";
import { ENOENT, ENOTDIR, failedWith, KernelError } from "../../src/errno.ts";
import { fileStore } from "../../src/system/store.ts";
import type { Lock, Store } from "../../src/world.ts";
import { fakeWorld } from "../fake/world.ts";

interface Opened extends AsyncDisposable {
  store: Store;
  /** Folder of the real store's files. */
  path: string;
}

async function onDisk(): Promise<Opened> {
  const path = await Deno.makeTempDir({ prefix: "vxlan-cni-store-" });
  return {
    path: `${path}/state`,
    store: fileStore(`${path}/state`),
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

const inMemory = (): Promise<Opened> =>
  Promise.resolve({ path: "", store: fakeWorld().store(""), [Symbol.asyncDispose]: () => Promise.resolve() });

function taken(lock: Lock | undefined): Lock {
  if (lock === undefined) throw new Error("Cannot go on: the lock is held");
  return lock;
}

for (const [where, open] of [["on disk", onDisk], ["in memory", inMemory]] as const) {
  Deno.test(`store ${where}: files are written as a whole, and removed once`, async () => {
    await using opened = await open();
    const { store } = opened;
    assert.deepEqual([store.read("a/b"), store.list("a"), store.remove("a/b")], [undefined, [], false]);
    store.write("a/c", "one");
    store.write("a/b", "two");
    store.write("a/b", "three");
    store.write("a/d/e", "deep");
    assert.deepEqual([store.read("a/b"), store.list("a"), store.list("a/d")], ["three", ["b", "c", "d"], ["e"]]);
    assert.deepEqual([store.remove("a/c"), store.remove("a/c")], [true, false]);
    assert.deepEqual([store.remove("a/d/e"), store.list("a")], [true, ["b"]]);
  });

  Deno.test(`store ${where}: a file gets another name, once; what had that name is gone`, async () => {
    await using opened = await open();
    const { store } = opened;
    store.write("a/b", "one");
    assert.deepEqual([store.rename("a/b", "c/d"), store.rename("a/b", "c/d")], [true, false]);
    assert.deepEqual([store.read("a/b"), store.read("c/d"), store.list("a")], [undefined, "one", []]);
    store.write("a/b", "two");
    assert.equal(store.rename("a/b", "c/d"), true);
    assert.equal(store.read("c/d"), "two");
    assert.deepEqual([store.rename("none", "c/d"), store.read("c/d")], [false, "two"]);
  });

  Deno.test(`store ${where}: a file has two names, until one of them is written anew`, async () => {
    await using opened = await open();
    const { store } = opened;
    store.write("a/b", "one");
    store.write("other", "one");
    assert.deepEqual([store.link("a/b", "c/d"), store.link("other", "c/d"), store.link("a/b", "c/d")], [
      true,
      false,
      false,
    ]);
    assert.deepEqual([store.read("c/d"), store.same("a/b", "c/d"), store.same("a/b", "a/b")], ["one", true, true]);
    assert.deepEqual([store.same("a/b", "other"), store.same("a/b", "none"), store.same("none", "none")], [
      false,
      false,
      false,
    ]);
    store.rename("a/b", "e/f");
    assert.deepEqual([store.same("e/f", "c/d"), store.same("a/b", "c/d")], [true, false]);
    store.write("e/f", "two");
    assert.deepEqual([store.same("e/f", "c/d"), store.read("c/d")], [false, "one"]);
    assert.throws(() => store.link("none", "x"), (error) => failedWith(error, ENOENT));
  });

  Deno.test(`store ${where}: of a file with two names one is removed, the other stays`, async () => {
    await using opened = await open();
    const { store } = opened;
    store.write("a", "one");
    store.link("a", "b");
    assert.deepEqual([store.remove("a"), store.read("b"), store.same("a", "b")], [true, "one", false]);
    assert.equal(store.link("b", "a"), true);
  });

  Deno.test(`store ${where}: a lock has one holder, and is a file`, async () => {
    await using opened = await open();
    const { store } = opened;
    assert.equal(store.tryLock("lock/red", false), undefined);
    const lock = taken(store.tryLock("lock/red", true));
    assert.deepEqual(store.list("lock"), ["red"]);
    assert.deepEqual([store.tryLock("lock/red", true), store.tryLock("lock/red", false)], [undefined, undefined]);
    using _ = taken(store.tryLock("lock/blue", true));
    lock[Symbol.dispose]();
    using _again = taken(store.tryLock("lock/red", false));
    assert.deepEqual(store.list("lock"), ["blue", "red"]);
  });

  Deno.test(`store ${where}: whoever waits gets the lock when it is given back`, async () => {
    await using opened = await open();
    const { store } = opened;
    const lock = await store.lock("lock/red");
    let got = false;
    const waiting = store.lock("lock/red").then((next) => {
      got = true;
      return next;
    });
    await new Promise((resolve) => setTimeout(resolve));
    assert.equal(got, false);
    lock[Symbol.dispose]();
    using _ = await waiting;
    assert.equal(store.tryLock("lock/red", true), undefined);
  });

  Deno.test(`store ${where}: a lock whose file was removed meanwhile counts for nobody`, async () => {
    await using opened = await open();
    const { store } = opened;
    const first = taken(store.tryLock("lock/red", true));
    const waiting = store.lock("lock/red");
    store.remove("lock/red");
    first[Symbol.dispose]();
    using _ = await waiting;
    assert.deepEqual(store.list("lock"), ["red"], "the lock that was waited for has a file");
    assert.equal(store.tryLock("lock/red", true), undefined);
  });
}

/** Another process that holds the lock of a file until it is told to end. */
async function holder(file: string) {
  const child = new Deno.Command("flock", {
    args: ["--exclusive", file, "sh", "-c", "echo held; exec cat"],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  reader.releaseLock();
  return {
    async end() {
      await child.stdin.close();
      await child.stdout.cancel();
      await child.status;
    },
  };
}

/** Whether another process gets the lock at once. */
async function others(file: string): Promise<boolean> {
  const { code } = await new Deno.Command("flock", { args: ["--nonblock", "--exclusive", file, "true"] }).output();
  return code === 0;
}

const namesIn = (folder: string) => Array.from(Deno.readDirSync(folder), ({ name }) => name).sort();
const isThere = (path: string) => Deno.lstat(path).then(() => true, () => false);

Deno.test("files on disk are for root only; what is half written is nobody's", async () => {
  await using opened = await onDisk();
  const { store, path } = opened;
  store.write("a/b", "one");
  assert.deepEqual(["a/b", "a"].map((name) => (Deno.statSync(`${path}/${name}`).mode ?? 0) & 0o777), [0o600, 0o700]);
  assert.deepEqual(namesIn(`${path}/a`), ["b"]);
  // Being written by a process that lives: as yet nobody's.
  Deno.writeTextFileSync(`${path}/a/c~`, "half");
  const writer = await holder(`${path}/a/c~`);
  assert.deepEqual([store.list("a"), store.read("a/c")], [["b"], undefined]);
  assert.deepEqual(namesIn(`${path}/a`), ["b", "c~"]);
  // Left by a process that died between writing and renaming.
  await writer.end();
  assert.deepEqual(store.list("a"), ["b"]);
  assert.deepEqual(namesIn(`${path}/a`), ["b"]);
  Deno.writeTextFileSync(`${path}/a/b~`, "half");
  assert.equal(store.remove("a/b"), true);
  assert.equal(await isThere(`${path}/a`), false);
});

Deno.test("a folder on disk goes with its last file, the root folder too", async () => {
  await using opened = await onDisk();
  const { store, path } = opened;
  store.write("a/b/c", "one");
  store.write("a/d", "two");
  store.remove("a/b/c");
  assert.deepEqual(namesIn(`${path}/a`), ["d"]);
  store.remove("a/d");
  assert.equal(await isThere(path), false);
  store.write("a/b/c", "one");
  store.rename("a/b/c", "d");
  assert.deepEqual(namesIn(path), ["d"], "also when it got a name elsewhere");
  store.rename("d", "a/b/c");
  assert.deepEqual(namesIn(path), ["a"]);
  assert.equal(store.read("a/b/c"), "one", "and comes back");
});

Deno.test("what cannot be written is an error about a file, and leaves nothing behind", async () => {
  await using opened = await onDisk();
  const { store, path } = opened;
  store.write("file", "one");
  assert.throws(() => store.write("file/below", "two"), (error) => {
    assert.ok(error instanceof KernelError);
    assert.deepEqual([error.errno, error.refusal.file], [ENOTDIR, true]);
    return true;
  });
  Deno.mkdirSync(`${path}/folder`);
  assert.throws(() => store.write("folder", "two"), /Cannot write ".*folder": EISDIR/);
  assert.deepEqual(namesIn(path), ["file", "folder"]);
  assert.throws(() => store.read("folder"), /Cannot read ".*folder": EISDIR/);
});

Deno.test("a lock on disk keeps other processes out, and theirs keep us out", async () => {
  await using opened = await onDisk();
  const { store, path } = opened;
  const file = `${path}/lock/red`;
  const lock = taken(store.tryLock("lock/red", true));
  assert.equal(await others(file), false);
  lock[Symbol.dispose]();
  assert.equal(await others(file), true);
  const other = await holder(file);
  assert.equal(store.tryLock("lock/red", true), undefined);
  let got = false;
  const waiting = store.lock("lock/red").then((next) => {
    got = true;
    return next;
  });
  assert.equal(got, false);
  await other.end();
  using _ = await waiting;
  assert.equal(await others(file), false);
});

Deno.test("a lock that another process removes and gives back is taken on a new file", async () => {
  await using opened = await onDisk();
  const { store, path } = opened;
  const file = `${path}/lock/red`;
  store.write("lock/blue", "");
  const other = await holder(file);
  const waiting = store.lock("lock/red");
  Deno.removeSync(file);
  await other.end();
  using _ = await waiting;
  assert.ok(Deno.statSync(file).isFile, "the lock that was waited for has no file");
  assert.equal(await others(file), false);
});

Deno.test("a lock's file that is a symbolic link is not followed", async () => {
  await using opened = await onDisk();
  const { store, path } = opened;
  Deno.mkdirSync(`${path}/lock`, { recursive: true });
  Deno.symlinkSync(`${path}/elsewhere`, `${path}/lock/red`);
  assert.throws(() => store.tryLock("lock/red", true), /ELOOP/);
  assert.equal(await isThere(`${path}/elsewhere`), false);
});
