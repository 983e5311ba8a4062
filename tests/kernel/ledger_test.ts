/** Folders below /run/vxlan-cni: one for each network namespace, those of the dead are removed by whoever comes after them. */
import assert from "node:assert/strict";
import { Host } from "../lib/host.ts";

const STORE = new URL("../../src/system/store.ts", import.meta.url).href;

/** Does something with the ledger of an identity, as a process of the host. */
async function ledger(host: Host, identity: string, work: string): Promise<string> {
  const code = `import { ledgerOf } from "${STORE}"; const store = ledgerOf("${identity}"); ${work}`;
  return await host.must([Deno.execPath(), "eval", "--no-config", "--ext=ts", code]);
}

async function inode(host: Host): Promise<string> {
  return (await host.must(["stat", "-Lc%i", "/proc/self/ns/net"])).trim();
}

async function folders(host: Host): Promise<string[]> {
  return (await host.must(["ls", "/run/vxlan-cni"])).split("\n").filter((name) => name !== "");
}

Deno.test("a namespace's ledger is named by its inode and its identity, and gone with its last file", async () => {
  await using host = await Host.make("ledger");
  const own = `${await inode(host)}-4711`;
  await ledger(host, "4711", `store.write("claims/a", "one");`);
  assert.deepEqual(await folders(host), [own]);
  assert.equal(await host.must(["cat", `/run/vxlan-cni/${own}/claims/a`]), "one");
  assert.equal(
    await ledger(host, "4711", `console.log(store.read("claims/a"), store.list("claims"));`),
    'one [ "a" ]\n',
  );
  assert.equal(
    await ledger(host, "4712", `console.log(store.read("claims/a"), store.list("claims"));`),
    "undefined []\n",
  );
  assert.deepEqual(await folders(host), [own], "reading makes no folder");
  await ledger(host, "4711", `store.remove("claims/a");`);
  assert.deepEqual(await folders(host), []);
});

Deno.test("the first file of a namespace removes the ledgers of dead namespaces of its inode, and no others", async () => {
  await using host = await Host.make("ledger");
  const number = await inode(host);
  const [own, dead, other, longer] = [`${number}-4711`, `${number}-1`, `1${number}-1`, `${number}1-1`];
  const make = (...names: string[]) =>
    host.must([
      "sh",
      "-c",
      names.map((name) => `mkdir -p /run/vxlan-cni/${name}/claims/c1; touch /run/vxlan-cni/${name}/claims/c1/a`).join(
        ";",
      ),
    ]);
  await make(dead, other, longer);
  await ledger(host, "4711", `console.log(store.read("claims/a"));`);
  assert.deepEqual(await folders(host), [dead, other, longer].sort(), "who only reads removes nothing");
  await ledger(host, "4711", `store.tryLock("lock/red", true); store.write("claims/a", "one");`);
  assert.deepEqual(await folders(host), [own, other, longer].sort());
  await make(dead);
  await ledger(host, "4711", `store.write("claims/b", "two");`);
  assert.deepEqual(await folders(host), [own, dead, other, longer].sort(), "only the first file looks for them");
});
