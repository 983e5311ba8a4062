import assert from "node:assert/strict";
import { install, PLUGIN_NAMES } from "../../src/system/install.ts";
import { must } from "../lib/run.ts";

Deno.test("install() makes one file with three names, executable by all", async () => {
  await using bin = await folder();
  const paths = await install("/bin/cat", bin.path);
  assert.deepEqual(paths, PLUGIN_NAMES.map((name) => `${bin.path}/${name}`));
  const found = await Promise.all(paths.map((path) => Deno.stat(path)));
  assert.equal(new Set(found.map(({ ino }) => ino)).size, 1);
  for (const { mode, nlink } of found) assert.deepEqual([(mode ?? 0) & 0o7777, nlink], [0o755, 3]);
  assert.deepEqual(await Deno.readFile(`${bin.path}/vxlan`), await Deno.readFile("/bin/cat"));
  assert.deepEqual(bin.entries(), [...PLUGIN_NAMES].sort());
});

Deno.test("install() replaces a program that runs, which goes on with the old file", async () => {
  await using bin = await folder();
  await install("/bin/cat", bin.path);
  const command = new Deno.Command(`${bin.path}/vxlan`, { stdin: "piped", stdout: "piped" });
  await using running = command.spawn();
  const [to, from] = [running.stdin.getWriter(), running.stdout.getReader()];
  const echo = async (text: string) => {
    await to.write(new TextEncoder().encode(text));
    return new TextDecoder().decode((await from.read()).value);
  };
  assert.equal(await echo("before"), "before");
  await install("/bin/echo", bin.path);
  assert.equal(await must([`${bin.path}/vxlan`, "new"]), "new\n");
  assert.equal(await echo("after"), "after");
  await to.close();
  await from.cancel();
  assert.deepEqual(bin.entries(), [...PLUGIN_NAMES].sort());
});

Deno.test("install() replaces the very file it copies from", async () => {
  await using bin = await folder();
  await install("/bin/echo", bin.path);
  await install(`${bin.path}/vxlan`, `${bin.path}/`);
  await install(`${bin.path}/vxlan`, bin.path, ["vxlan", "vxlan"]);
  for (const name of PLUGIN_NAMES) assert.equal(await must([`${bin.path}/${name}`, name]), `${name}\n`);
  assert.deepEqual(bin.entries(), [...PLUGIN_NAMES].sort());
});

Deno.test("install() leaves nothing half done when a name cannot be replaced", async () => {
  await using bin = await folder();
  await install("/bin/cat", bin.path, ["route-table"]);
  await Deno.mkdir(`${bin.path}/vxlan`);
  await assert.rejects(install("/bin/echo", bin.path), { message: /^Cannot install into ".*": Is a directory/ });
  assert.deepEqual(bin.entries(), ["route-table", "vxlan"]);
  assert.deepEqual(await Deno.readFile(`${bin.path}/route-table`), await Deno.readFile("/bin/cat"));
});

Deno.test("install() says which directory or file is missing", async () => {
  await using bin = await folder();
  const [missing, executable] = [`${bin.path}/missing`, `${bin.path}/program`];
  const noDirectory = `Cannot install into "${missing}": it is no directory; create it first`;
  await assert.rejects(install("/bin/cat", missing), { message: noDirectory });
  await assert.rejects(install(executable, bin.path), { message: /^Cannot install into ".*": No such file.*program/ });
  await assert.rejects(install("/bin/cat", bin.path, ["../vxlan"]), /it is no plain file name/);
  assert.deepEqual(bin.entries(), []);
});

async function folder(): Promise<AsyncDisposable & { path: string; entries: () => string[] }> {
  const path = await Deno.makeTempDir({ prefix: "vxlan-cni-install-" });
  const entries = () => [...Deno.readDirSync(path)].map(({ name }) => name).sort();
  return { path, entries, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}
