import assert from "node:assert/strict";
import { fileStore } from "../../src/system/store.ts";

async function temporary() {
  const path = await Deno.makeTempDir();
  return {
    path,
    store: fileStore(`${path}/state`),
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

/** Another process that holds the lock of a file until it is told to end, or killed. */
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

Deno.test("files are written as a whole, for root only, and removed", async () => {
  await using folder = await temporary();
  const { store, path } = folder;
  assert.equal(store.read("a/b"), undefined);
  assert.deepEqual(store.list("a"), []);
  store.remove("a/b");
  store.write("a/c", "one");
  store.write("a/b", "two");
  store.write("a/b", "three");
  assert.equal(store.read("a/b"), "three");
  assert.deepEqual(store.list("a"), ["b", "c"]);
  assert.deepEqual(Array.from(Deno.readDirSync(`${path}/state/a`), ({ name }) => name).sort(), ["b", "c"]);
  assert.equal((Deno.statSync(`${path}/state/a/b`).mode ?? 0) & 0o777, 0o600);
  assert.equal((Deno.statSync(`${path}/state/a`).mode ?? 0) & 0o777, 0o700);
  store.rename("a/b", "a/d");
  store.remove("a/c");
  assert.deepEqual(store.list("a"), ["d"]);
});

Deno.test("a lock keeps other processes out, and theirs keep us out", async () => {
  await using folder = await temporary();
  const { store, path } = folder;
  const file = `${path}/state/lock/red`;
  assert.equal(store.tryLock("lock/red", false), undefined);
  const lock = store.tryLock("lock/red", true);
  assert.ok(lock !== undefined);
  assert.equal(await others(file), false);
  assert.equal(store.tryLock("lock/red", true), undefined);
  lock[Symbol.dispose]();
  assert.equal(await others(file), true);
  const other = await holder(file);
  assert.equal(store.tryLock("lock/red", true), undefined);
  let got = false;
  const waiting = store.lock("lock/red").then((taken) => {
    got = true;
    return taken;
  });
  assert.equal(got, false);
  await other.end();
  using _ = await waiting;
  assert.equal(await others(file), false);
});

Deno.test("a lock whose file was removed meanwhile counts for nobody", async () => {
  await using folder = await temporary();
  const { store, path } = folder;
  const file = `${path}/state/lock/red`;
  using first = store.tryLock("lock/red", true);
  assert.ok(first !== undefined);
  const waiting = store.lock("lock/red");
  store.remove("lock/red");
  first[Symbol.dispose]();
  using second = await waiting;
  assert.ok(second !== undefined);
  assert.ok(Deno.statSync(file).isFile, "the lock that was waited for has no file");
  assert.equal(store.tryLock("lock/red", true), undefined);
  assert.equal(await others(file), false);
});

Deno.test("a lock's file that is a symbolic link is not followed", async () => {
  await using folder = await temporary();
  const { store, path } = folder;
  Deno.mkdirSync(`${path}/state/lock`, { recursive: true });
  Deno.symlinkSync(`${path}/elsewhere`, `${path}/state/lock/red`);
  assert.throws(() => store.tryLock("lock/red", true));
  assert.throws(() => Deno.statSync(`${path}/elsewhere`), Deno.errors.NotFound);
});
