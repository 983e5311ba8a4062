import assert from "node:assert/strict";
import { type Answer, call } from "../lib/plugin.ts";
import { netConf, Node, red } from "./node.ts";

const VERSIONS = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"];
/** Nobody gets an address that is asked for below by chance. */
const DUAL = [red({ cidrs: ["fd00:97::/64"], excludeFirst: 100 })];
const ANY = ["10.97.1.", "fd00:97::"];

function since(version: string, least: string): boolean {
  return VERSIONS.indexOf(version) >= VERSIONS.indexOf(least);
}

/** The result that a version's specification asks for, from what the kernel says. */
async function wanted(node: Node, version: string, id: string, ips: string[]): Promise<Record<string, unknown>> {
  const host = await node.host.ip<{ ifname: string; address: string; mtu: number }>("link");
  const [inside] = await node.host.ip<{ address: string }>("link show eth0", id);
  const [mv] = await node.host.ip<{ addr_info: { local: string; scope: string }[] }>("addr show mv_red");
  const gateways = (mv?.addr_info ?? []).filter(({ scope }) => scope === "global").map(({ local }) => local);
  const gateway = (ip: string) => gateways.find((one) => one.includes(":") === ip.includes(":")) ?? "";
  const zero = (ip: string) => ip.includes(":") ? "::/0" : "0.0.0.0/0";
  const length = (ip: string) => ip.includes(":") ? 64 : 24;
  if (!since(version, "0.3.0")) {
    const [ip4, ip6] = ips.map((ip) => ({
      ip: `${ip}/${length(ip)}`,
      gateway: gateway(ip),
      routes: [{ dst: zero(ip), gw: gateway(ip) }],
    }));
    return { cniVersion: version, ip4, ip6, dns: {} };
  }
  const mtu = since(version, "1.1.0") ? { mtu: 1450 } : {};
  const mac = (name: string) => host.find(({ ifname }) => ifname === name)?.address;
  return {
    cniVersion: version,
    interfaces: [
      { name: "vx_red", mac: mac("vx_red"), ...mtu },
      { name: "mv_red", mac: mac("mv_red"), ...mtu },
      { name: "eth0", mac: inside?.address, ...mtu, sandbox: `/run/netns/${id}` },
    ],
    ips: ips.map((ip) => ({
      ...(since(version, "1.0.0") ? {} : { version: ip.includes(":") ? "6" : "4" }),
      interface: 2,
      address: `${ip}/${length(ip)}`,
      gateway: gateway(ip),
    })),
    routes: ips.map((ip) => ({ dst: zero(ip), gw: gateway(ip) })),
    dns: {},
  };
}

Deno.test("every verb answers in every version, in its exact shape", async (t) => {
  await using node = await Node.make();
  const config = (version: string) => netConf({ cniVersion: version, vxlans: DUAL });
  // The host's side stays as long as this one does.
  await node.run("ADD", await node.container(), { config: config("1.1.0") });
  for (const [index, version] of VERSIONS.entries()) {
    await t.step(version, async () => {
      const id = await node.container();
      const ips = ANY.map((prefix) => `${prefix}${50 + index}`);
      const conf = config(version);
      const added = await node.run("ADD", id, { config: conf, args: `IP=${ips.join(",")}` });
      assert.deepEqual(added, await wanted(node, version, id, ips));
      await checkAndDelete(node, id, version, { ...conf, prevResult: added });
      if (since(version, "1.1.0")) await node.run("STATUS", id, { config: conf });
      else assert.equal((await node.refuse("STATUS", id, { config: conf })).code, 1);
      const all = [{ containerID: "c1", ifname: "eth0" }];
      const gc = await node.call("GC", id, { config: { ...conf, "cni.dev/valid-attachments": all } });
      assert.deepEqual([gc.code, gc.json?.code], since(version, "1.1.0") ? [0, undefined] : [1, 1]);
      assert.deepEqual(await versions(node, version), { cniVersion: version, supportedVersions: VERSIONS });
    });
  }
  await node.run("DEL", "c1", { config: config("0.4.0") });
  assert.deepEqual(await node.changes(), []);
});

async function checkAndDelete(node: Node, id: string, version: string, config: unknown): Promise<void> {
  if (since(version, "0.4.0")) {
    const { code, stdout } = await node.call("CHECK", id, { config });
    assert.deepEqual([code, stdout], [0, ""]);
  } else {
    const { code, msg } = await node.refuse("CHECK", id, { config });
    assert.equal(code, 1);
    assert.match(msg, /0\.4\.0/);
  }
  const { code, stdout, stderr } = await node.call("DEL", id, { config });
  assert.deepEqual([code, stdout, stderr], [0, "", ""]);
}

async function versions(node: Node, version: string): Promise<Answer | undefined> {
  const { code, json, stderr } = await call(node.host, "VERSION", { config: { cniVersion: version } });
  assert.deepEqual([code, stderr], [0, ""]);
  return json;
}

Deno.test("a version that does not exist is refused with the list of those that do", async () => {
  await using node = await Node.make();
  const id = await node.container();
  for (const verb of ["ADD", "DEL", "CHECK", "STATUS", "GC"]) {
    const { code, msg } = await node.refuse(verb, id, { config: netConf({ cniVersion: "2.0.0" }) });
    assert.equal(code, 1, verb);
    for (const version of VERSIONS) assert.ok(msg.includes(version), msg);
  }
  assert.deepEqual(await node.changes(), []);
});

Deno.test("the IPAM plugin answers VERSION under both of its names", async () => {
  await using node = await Node.make();
  for (const program of ["routetable-ipam", "route-table"]) {
    const { json } = await call(node.host, "VERSION", { program, config: { cniVersion: "0.4.0" } });
    assert.deepEqual(json, { cniVersion: "0.4.0", supportedVersions: VERSIONS });
  }
});
