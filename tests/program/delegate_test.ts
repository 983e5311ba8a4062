import assert from "node:assert/strict";
import { ensurePackages } from "../lib/packages.ts";
import { must } from "../lib/run.ts";
import { binDir } from "../lib/call.ts";
import { addresses } from "../lib/caller.ts";
import { IPAM, type NetConf, netConf, red } from "../lib/config.ts";
import { Recorder } from "../lib/recorder.ts";
import { Node } from "./node.ts";

const REFERENCE = "/usr/lib/cni";
const HOST_LOCAL = {
  type: "host-local",
  ranges: [[{ subnet: "10.97.1.0/24", rangeStart: "10.97.1.50", gateway: "10.97.1.1" }]],
  dataDir: "/run/host-local",
};
const STATIC = {
  type: "static",
  addresses: [{ address: "10.97.1.77/24", gateway: "10.97.1.1" }],
  routes: [{ dst: "0.0.0.0/0" }],
};

function conf(ipam: Record<string, unknown>, changes: Record<string, unknown> = {}): NetConf {
  return netConf({ cniVersion: "1.0.0", ipam, ...changes });
}

Deno.test("host-local gives the addresses", async () => {
  await ensurePackages(["containernetworking-plugins"]);
  await using node = await Node.make();
  const config = conf(HOST_LOCAL);
  const ids = await Promise.all([1, 2].map(() => node.container()));
  const path = REFERENCE;
  const held = async () =>
    (await node.host.must(["sh", "-c", "ls /run/host-local/vxnet 2>/dev/null || true"])).split("\n").filter((name) =>
      /^\d/.test(name)
    );
  const got: string[] = [];
  for (const id of ids) {
    const added = await node.run("ADD", id, { config, path, args: "K8S_POD_NAME=web" });
    got.push(...addresses(added));
    assert.deepEqual(added.ips?.map(({ gateway, interface: index }) => [gateway, index]), [["10.97.1.1", 2]]);
    assert.deepEqual(added.routes, [{ dst: "0.0.0.0/0", gw: "10.97.1.1" }]);
    await must(node.host.inside(id, ["ping", "-qc1", "-W3", "10.97.1.1"]));
    await node.run("CHECK", id, { config: { ...config, prevResult: added }, path });
  }
  assert.deepEqual(got, ["10.97.1.50", "10.97.1.51"]);
  assert.deepEqual(await held(), got);
  for (const id of [...ids, ...ids]) await node.run("DEL", id, { config, path });
  assert.deepEqual(await held(), []);
  assert.deepEqual(await node.changes(), []);
});

Deno.test("host-local gives a requested address, and says what is wrong with one", async () => {
  await using node = await Node.make();
  const id = await node.container();
  const config = conf(HOST_LOCAL);
  const asked = { config, path: REFERENCE, args: "IP=10.97.1.60" };
  assert.deepEqual(addresses(await node.run("ADD", id, asked)), ["10.97.1.60"]);
  const other = await node.container();
  const before = await node.changes();
  assert.match((await node.refuse("ADD", other, asked)).msg, /10\.97\.1\.60/);
  assert.deepEqual(await node.changes(), before);
  await node.run("DEL", id, asked);
  assert.deepEqual(await node.changes(), []);
});

Deno.test("GC passes by an IPAM plugin that is from before it", async () => {
  await using node = await Node.make();
  const id = await node.container();
  const config = conf(HOST_LOCAL);
  await node.run("ADD", id, { config, path: REFERENCE });
  const gc = { ...config, cniVersion: "1.1.0", "cni.dev/valid-attachments": [] };
  await node.run("GC", "", { config: gc, path: REFERENCE });
  assert.deepEqual(await node.changes(), []);
  assert.equal(await node.host.must(["sh", "-c", "ls /run/host-local/vxnet | grep -c '^1' || true"]), "0\n");
});

Deno.test("static gives the address, with its gateway and routes", async () => {
  await using node = await Node.make();
  const id = await node.container();
  const config = conf(STATIC);
  const added = await node.run("ADD", id, { config, path: REFERENCE });
  assert.deepEqual(added.ips, [{ interface: 2, address: "10.97.1.77/24", gateway: "10.97.1.1" }]);
  const [mv] = await node.host.ip<{ addr_info: { local: string }[] }>("-4 addr show mv_red");
  assert.deepEqual(mv?.addr_info.map(({ local }) => local), ["10.97.1.1"]);
  await node.run("CHECK", id, { config: { ...config, prevResult: added }, path: REFERENCE });
  await node.run("DEL", id, { config: { ...config, prevResult: added }, path: REFERENCE });
  assert.deepEqual(await node.changes(), []);
});

Deno.test("static without a gateway: the node never takes the container's address", async () => {
  await using node = await Node.make();
  const id = await node.container();
  const config = conf({ type: "static", addresses: [{ address: "10.97.1.77/24" }] });
  const { code, json } = await node.call("ADD", id, { config, path: REFERENCE });
  const [mv] = code === 0 ? await node.host.ip<{ addr_info: { local: string }[] }>("-4 addr show mv_red") : [];
  assert.ok(
    !mv?.addr_info.some(({ local }) => local === "10.97.1.77"),
    "the container's address is the node's as well",
  );
  if (code === 0) assert.deepEqual(addresses(json ?? {}), ["10.97.1.77"]);
  else assert.match(json?.msg ?? "", /gateway/);
  await node.run("DEL", id, { config, path: REFERENCE });
  assert.deepEqual(await node.changes(), []);
});

Deno.test("each network can have an IPAM plugin of its own", async () => {
  await using node = await Node.make();
  const path = `${await binDir()}:${REFERENCE}`;
  const vxlans = [red({ ipam: STATIC }), red({ id: 102, name: "blue", cidr: "10.97.2.0/24" })];
  const [a, b] = [await node.container(), await node.container()];
  const [one, two] = [conf(IPAM, { vxlans }), conf(IPAM, { vxlans, defaultNetwork: "blue" })];
  assert.deepEqual(addresses(await node.run("ADD", a, { config: one, path })), ["10.97.1.77"]);
  assert.match(addresses(await node.run("ADD", b, { config: two, path }))[0] ?? "", /^10\.97\.2\./);
  await node.run("DEL", a, { config: one, path });
  await node.run("DEL", b, { config: two, path });
  assert.deepEqual(await node.changes(), []);
});

Deno.test("an error of an IPAM plugin is passed on, and it is asked to DEL; what it says is heard", async () => {
  await ensurePackages(["containernetworking-plugins"]);
  await using node = await Node.make();
  const id = await node.container();
  const recorder = await Recorder.on(node.host, { type: "static", beside: [REFERENCE], says: "static is asked" });
  const asked = { config: conf(STATIC), path: recorder.path };
  await recorder.failOn("ADD", { cniVersion: "1.0.0", code: 42, msg: "no luck", details: "today" });
  const { code, msg, details } = await node.refuse("ADD", id, { ...asked, said: "static is asked\n".repeat(2) });
  assert.deepEqual([code, msg, details], [42, "no luck", "today"]);
  assert.deepEqual((await recorder.calls()).map(({ verb }) => verb), ["ADD", "DEL"]);
  assert.deepEqual(await node.changes(), []);
  await recorder.reset();
  assert.deepEqual(addresses(await node.run("ADD", id, asked)), ["10.97.1.77"]);
  const [add] = await recorder.calls("ADD");
  assert.deepEqual([add?.code, JSON.parse(add?.stdin ?? "").ipam], [0, STATIC]);
  assert.match(add?.stdout ?? "", /10\.97\.1\.77/);
  await node.run("DEL", id, asked);
  assert.deepEqual(await node.changes(), []);
});

for (const [how, then, said] of [["an exit code", "echo boom >&2; exit 3", "boom\n"], ["a signal", "kill -9 $$", ""]]) {
  Deno.test(`an IPAM plugin that ends with ${how} and no answer is an error, and nothing is left`, async () => {
    await using node = await Node.make();
    const id = await node.container();
    const onlyAdd = `test "$CNI_COMMAND" = ADD || exit 0\n${then}`;
    const { path } = await Recorder.on(node.host, { type: "fake", then: onlyAdd });
    const { code, msg } = await node.refuse("ADD", id, { config: conf({ type: "fake" }), path, said });
    assert.equal(code, 106, msg);
    assert.match(msg, then?.includes("exit 3") ? /ended with 3/ : /ended with/);
    assert.deepEqual(await node.changes(), []);
    assert.equal((await node.host.ip("link", id)).length, 1);
  });
}
