import assert from "node:assert/strict";
import { addresses, netConf, Node, red } from "./node.ts";

const BEFORE = {
  interfaces: [{ name: "lo", sandbox: "/run/netns/c1" }, { name: "br0", mac: "02:00:5e:10:00:01" }],
  ips: [{ address: "192.168.7.2/24", gateway: "192.168.7.1", interface: 1 }],
  routes: [{ dst: "192.168.0.0/16", gw: "192.168.7.1" }],
  dns: { nameservers: ["192.168.7.53"] },
};

Deno.test("in a chain, the result is merged into that of the plugins before, in every version", async () => {
  await using node = await Node.make();
  const id = await node.container();
  for (const cniVersion of ["0.3.1", "0.4.0", "1.0.0", "1.1.0"]) {
    const modern = !cniVersion.startsWith("0.");
    const ips = BEFORE.ips.map((ip) => modern ? ip : { version: "4", ...ip });
    const config = netConf({ cniVersion, prevResult: { cniVersion, ...BEFORE, ips } });
    const added = await node.run("ADD", id, { config });
    assert.equal(added.cniVersion, cniVersion);
    assert.deepEqual(added.interfaces?.map(({ name }) => name), ["lo", "br0", "vx_red", "mv_red", "eth0"]);
    assert.deepEqual(added.ips?.map((ip) => ip.interface), [1, 4]);
    assert.equal(added.ips?.[0]?.address, "192.168.7.2/24");
    assert.deepEqual(added.routes?.map(({ dst }) => dst), ["192.168.0.0/16", "0.0.0.0/0"]);
    assert.deepEqual(added.dns, BEFORE.dns);
    if (cniVersion !== "0.3.1") await node.run("CHECK", id, { config: { ...config, prevResult: added } });
    await node.run("DEL", id, { config: { ...config, prevResult: added } });
    assert.deepEqual(await node.changes(), []);
  }
});

Deno.test("a prevResult that is none is refused", async () => {
  await using node = await Node.make();
  const id = await node.container();
  for (const prevResult of ["text", [], { ips: "none" }, { ips: [{ address: 5 }] }]) {
    const { code, msg } = await node.refuse("ADD", id, { config: netConf({ prevResult }) });
    assert.equal(code, 6, msg);
    assert.match(msg, /prevResult/);
  }
  assert.deepEqual(await node.changes(), []);
});

Deno.test("dns of the configuration is in the result", async () => {
  await using node = await Node.make();
  const id = await node.container();
  const dns = { nameservers: ["10.97.1.53"], domain: "example.org", search: ["example.org"], options: ["ndots:2"] };
  assert.deepEqual((await node.run("ADD", id, { config: netConf({ dns }) })).dns, dns);
});

Deno.test("CHECK finds what has changed, and names it", async (t) => {
  const spoils: [command: string, words: RegExp][] = [
    ["ip -n c1 link set eth0 down", /"eth0".*state down/],
    ["ip -n c1 addr flush dev eth0 scope global", /address .* on "eth0" is missing/],
    ["ip -n c1 route del default", /route 0\.0\.0\.0\/0 via .* is missing/],
    ["ip -n c1 link del eth0", /link "eth0" is missing/],
    ["ip route flush proto 192", /claim/],
    ["ip link set vx_red down", /"vx_red".*state down/],
    ["ip link set mv_red down", /"mv_red".*state down/],
    ["ip addr flush dev mv_red scope global", /gateway address/],
    ["ip rule del priority 32765", /rule 32765/],
    ["ip route flush table 192", /table 192/],
    ["ip link del vx_red", /"vx_red" is missing/],
    ["ip netns del c1", /CNI_NETNS/],
  ];
  for (const [command, words] of spoils) {
    await t.step(command, async () => {
      await using node = await Node.make();
      const id = await node.container();
      const added = await node.run("ADD", id);
      const config = netConf({ prevResult: added });
      await node.run("CHECK", id, { config });
      await node.host.must(command.split(" "));
      const { code, msg } = await node.refuse("CHECK", id, { config });
      assert.equal(code, command.startsWith("ip netns") ? 8 : 105, msg);
      assert.match(msg, words);
      await node.run("DEL", id, { config });
      assert.deepEqual(await node.changes(), []);
    });
  }
});

Deno.test("CHECK wants a prevResult, of the same configuration and the same address", async () => {
  await using node = await Node.make();
  const id = await node.container();
  const added = await node.run("ADD", id);
  assert.equal((await node.refuse("CHECK", id)).code, 7);
  const drifted = netConf({ prevResult: added, vxlans: [red({ id: 7 })] });
  const { code, msg } = await node.refuse("CHECK", id, { config: drifted });
  assert.equal(code, 105);
  assert.match(msg, /"vx_red" has id 101, not 7/);
  const [ip = ""] = addresses(added);
  const other = ip.endsWith(".9") ? "10.97.1.8/24" : "10.97.1.9/24";
  const wrong = { ...added, ips: [{ ...added.ips?.[0], address: other }] };
  assert.match(
    (await node.refuse("CHECK", id, { config: netConf({ prevResult: wrong }) })).msg,
    /address 10\.97\.1\.[89]\/24/,
  );
});
