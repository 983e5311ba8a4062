import assert from "node:assert/strict";
import { ensurePackages } from "../lib/packages.ts";
import { must } from "../lib/run.ts";
import { binDir } from "../lib/plugin.ts";
import { addresses, IPAM, type NetConf, netConf, Node, red } from "./node.ts";
import { recorded, recorder } from "./recorder.ts";

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

Deno.test("a type that leads out of CNI_PATH, or is none, is refused", async () => {
  await using node = await Node.make();
  const id = await node.container();
  await node.host.must(["sh", "-c", "mkdir /run/bin && cp /bin/true /run/evil"]);
  for (const type of ["../evil", "/run/evil", "a/b", "..", ".", "evil\0", "", 5, null]) {
    const { code, msg } = await node.refuse("ADD", id, { config: conf({ type }), path: "/run/bin" });
    assert.deepEqual([code, msg.includes("ipam.type")], [7, true], msg);
  }
  const missing = await node.refuse("ADD", id, { config: conf({ type: "no-such" }), path: "/run/bin:/run/none" });
  assert.deepEqual([missing.code, missing.msg.includes("no-such") && missing.msg.includes("/run/bin")], [106, true]);
  assert.deepEqual(await node.changes(), []);
  await node.run("DEL", id, { config: conf({ type: "no-such" }), path: "/run/bin" });
});

Deno.test("what IPAM says is wrong is passed on, and nothing is left", async (t) => {
  const cases: [name: string, then: string, code: number, words: RegExp][] = [
    [
      "an error of the specification",
      `echo '{"cniVersion":"1.0.0","code":42,"msg":"no luck","details":"today"}'; exit 1`,
      42,
      /^no luck$/,
    ],
    ["no answer", "echo boom >&2; exit 3", 106, /ended with 3/],
    ["an answer that is no JSON", "echo hello", 106, /decode/],
    ["an answer that is no result", "echo '[]'", 6, /wanted an object/],
    ["a result without an address", `echo '{"cniVersion":"1.0.0"}'`, 106, /no address/],
    ["an address without length", `echo '{"cniVersion":"1.0.0","ips":[{"address":"10.97.1.5"}]}'`, 106, /10\.97\.1\.5/],
    [
      "a broken gateway",
      `echo '{"cniVersion":"1.0.0","ips":[{"address":"10.97.1.5/24","gateway":"here"}]}'`,
      106,
      /here/,
    ],
    [
      "a route that the kernel does not take",
      `echo '{"cniVersion":"1.0.0","ips":[{"address":"10.97.1.5/24","gateway":"10.97.1.1"}],"routes":[{"dst":"10.5.0.0/16","gw":"172.31.0.1"}]}'`,
      100,
      /10\.5\.0\.0\/16/,
    ],
    ["killed by a signal", "kill -9 $$", 106, /ended with/],
  ];
  for (const [name, then, code, words] of cases) {
    await t.step(name, async () => {
      await using node = await Node.make();
      const id = await node.container();
      const path = await recorder(node.host, "fake", `test "$CNI_COMMAND" = ADD || exit 0\n${then}`);
      const said = then.includes("boom") ? "boom\n" : "";
      const refused = await node.refuse("ADD", id, { config: conf({ type: "fake" }), path, said });
      assert.equal(refused.code, code, refused.msg);
      assert.match(refused.msg, words);
      if (code === 42) assert.equal(refused.details, "today");
      assert.deepEqual(await node.changes(), []);
      assert.equal((await node.host.ip("link", id)).length, 1);
    });
  }
});

Deno.test("when ADD fails after IPAM's, IPAM is told to release by DEL", async () => {
  await using node = await Node.make();
  const id = await node.container();
  const unroutable = { ...STATIC, routes: [{ dst: "10.5.0.0/16", gw: "172.31.0.1" }] };
  const path = await recorder(node.host, "static", `exec ${REFERENCE}/static`);
  const { code } = await node.refuse("ADD", id, { config: conf(unroutable), path });
  assert.equal(code, 100);
  const calls = await recorded(node.host);
  assert.deepEqual(calls.map(({ verb, containerId, ifname }) => [verb, containerId, ifname]), [
    ["ADD", id, "eth0"],
    ["DEL", id, "eth0"],
  ]);
  assert.deepEqual(await node.changes(), []);
});

Deno.test("a DEL that IPAM fails keeps what the next DEL needs, and releases the rest", async () => {
  await using node = await Node.make();
  const id = await node.container();
  const flag = "/run/ipam-works";
  const path = await recorder(
    node.host,
    "static",
    `test "$CNI_COMMAND" != DEL || test -e ${flag} || exit 9\nexec ${REFERENCE}/static`,
  );
  await node.run("ADD", id, { config: conf(STATIC), path });
  const { code } = await node.refuse("DEL", id, { config: conf(STATIC), path });
  assert.equal(code, 106);
  assert.equal((await node.host.ip("link", id)).length, 1);
  await node.host.must(["touch", flag]);
  await node.run("DEL", id, { config: conf(STATIC), path });
  assert.deepEqual(await node.changes(), []);
});
