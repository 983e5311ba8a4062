import assert from "node:assert/strict";
import { must } from "../lib/run.ts";
import { addresses, blue, netConf, Node, red } from "./node.ts";

/** Adds containers until no address is left; returns the addresses, the gateway's first. */
async function fill(node: Node, config: unknown): Promise<string[]> {
  const all: string[] = [];
  for (;;) {
    const id = await node.container();
    const { code, json } = await node.call("ADD", id, { config });
    if (code !== 0) {
      assert.equal(json?.code, 102, json?.msg);
      assert.match(json?.msg ?? "", new RegExp(`all ${all.length} are taken`));
      assert.equal((await node.host.ip("link", id)).length, 1);
      return all;
    }
    const { ips = [] } = json ?? {};
    if (all.length === 0) all.push(ips[0]?.gateway ?? "");
    assert.equal(ips[0]?.gateway, all[0]);
    all.push(...addresses({ ips }));
  }
}

Deno.test("every address of a small subnet can be used, and the next ADD says at once that it is full", async (t) => {
  const cases: [cidr: string, first: number, last: number, wanted: string[]][] = [
    ["10.97.1.8/29", 0, 0, [9, 10, 11, 12, 13, 14].map((one) => `10.97.1.${one}`)],
    ["10.97.1.8/29", 1, 1, [10, 11, 12, 13].map((one) => `10.97.1.${one}`)],
    ["10.97.1.0/30", 0, 0, ["10.97.1.1", "10.97.1.2"]],
    ["10.97.1.2/31", 0, 0, ["10.97.1.2", "10.97.1.3"]],
    ["fd00:97::8/125", 2, 1, ["fd00:97::b", "fd00:97::c", "fd00:97::d", "fd00:97::e"]],
    ["fd00:97::a/127", 0, 0, ["fd00:97::a", "fd00:97::b"]],
  ];
  for (const [cidr, excludeFirst, excludeLast, wanted] of cases) {
    await t.step(`${cidr}, ${excludeFirst} and ${excludeLast} excluded`, async () => {
      await using node = await Node.make();
      const config = netConf({ vxlans: [red({ cidr, excludeFirst, excludeLast })] });
      assert.deepEqual((await fill(node, config)).toSorted(), wanted.toSorted());
      const before = await node.changes();
      const status = await node.refuse("STATUS", "", { config });
      assert.equal(status.code, 50);
      // One goes, one can come.
      await node.run("DEL", "c1", { config });
      await node.run("STATUS", "", { config });
      await node.run("ADD", "c1", { config });
      assert.deepEqual(
        (await node.changes()).filter((line) => line.includes("proto eigrp")),
        before.filter((line) => line.includes("proto eigrp")),
      );
      for (let one = 1; one < wanted.length; one++) await node.run("DEL", `c${one}`, { config });
      assert.deepEqual(await node.changes(), []);
    });
  }
});

Deno.test("a subnet with one address has none for a container and its gateway", async () => {
  await using node = await Node.make();
  const id = await node.container();
  for (const cidr of ["10.97.1.9/32", "fd00:97::9/128"]) {
    const config = netConf({ vxlans: [red({ cidr, excludeFirst: 0, excludeLast: 0 })] });
    assert.ok([7, 102].includes((await node.refuse("ADD", id, { config })).code));
    assert.deepEqual(await node.changes(), []);
  }
});

Deno.test("large IPv6 prefixes work, alone and beside IPv4", async () => {
  await using node = await Node.make();
  for (const [cidr, length] of [["fd00:97::/64", 64], ["fd00:97:5::/48", 48]] as const) {
    const [a, b] = [await node.container(), await node.container()];
    const config = netConf({ vxlans: [red({ cidr })] });
    const [one, two] = [await node.run("ADD", a, { config }), await node.run("ADD", b, { config })];
    assert.match(one.ips?.[0]?.address ?? "", new RegExp(`^fd00:97:.*/${length}$`));
    assert.deepEqual(one.routes, [{ dst: "::/0", gw: one.ips?.[0]?.gateway }]);
    for (const to of [...addresses(two), one.ips?.[0]?.gateway ?? ""]) {
      await must(node.host.inside(a, ["ping", "-qc1", "-W3", to]));
    }
    await node.run("CHECK", a, { config: { ...config, prevResult: one } });
    for (const id of [a, b]) await node.run("DEL", id, { config });
    assert.deepEqual(await node.changes(), []);
  }
});

Deno.test("cidr and cidrs together give one address of each family", async () => {
  await using node = await Node.make();
  const spellings = [{ cidrs: ["fd00:97::/64"] }, { cidr: undefined, cidrs: ["10.97.1.0/24", "fd00:97::/64"] }];
  for (const spelling of spellings) {
    const id = await node.container();
    const config = netConf({ vxlans: [red(spelling)] });
    const added = await node.run("ADD", id, { config });
    assert.deepEqual(addresses(added).map((ip) => ip.includes(":")), [false, true]);
    await node.run("DEL", id, { config });
  }
  const id = await node.container();
  for (const cidrs of [["10.98.0.0/24"], [], ["fd00::/64", "fd01::/64"], ["fd00::1"]]) {
    const { code, msg } = await node.refuse("ADD", id, { config: netConf({ vxlans: [red({ cidrs })] }) });
    assert.equal(code, 7, msg);
    assert.match(msg, /vxlans\[0\]\.cidrs/);
  }
  assert.deepEqual(await node.changes(), []);
});

Deno.test("an address is asked for by capability, args.cni, CNI_ARGS or annotation, in that order", async () => {
  await using node = await Node.make();
  // Nobody gets one of the wanted addresses by chance.
  const vxlans = [red({ excludeFirst: 100 })];
  await node.run("ADD", await node.container("keep"), { config: netConf({ vxlans }) });
  const annotations = { "vxlan-cni.travishegner.com/RequestedAddress": "10.97.1.24" };
  const sources = [
    { runtimeConfig: { ips: ["10.97.1.21/24"], mac: "02:00:5e:10:00:21" } },
    { args: { cni: { ips: ["10.97.1.22"], mac: "02:00:5e:10:00:22" }, annotations } },
    { args: { annotations } },
  ];
  const words = "IP=10.97.1.23;MAC=02:00:5e:10:00:23;K8S_POD_NAME=x;K8S_POD_NAMESPACE=y";
  const cases: [config: Record<string, unknown>, args: string | undefined, ip: string, mac?: string][] = [
    [{ ...sources[1], ...sources[0] }, words, "10.97.1.21", "02:00:5e:10:00:21"],
    [{ ...sources[1] }, words, "10.97.1.22", "02:00:5e:10:00:22"],
    [{ ...sources[2] }, words, "10.97.1.23", "02:00:5e:10:00:23"],
    [{ ...sources[2] }, "IgnoreUnknown=1;COLOUR=red", "10.97.1.24"],
    [{ runtimeConfig: { ips: [] }, ...sources[2] }, undefined, "10.97.1.24"],
  ];
  for (const [changes, args, ip, mac] of cases) {
    const id = await node.container();
    const added = await node.run("ADD", id, {
      config: netConf({ vxlans, ...changes }),
      ...(args === undefined ? {} : { args }),
    });
    assert.deepEqual(addresses(added), [ip]);
    const [eth] = await node.host.ip<{ address: string }>("link show eth0", id);
    assert.equal(added.interfaces?.[2]?.mac, eth?.address);
    if (mac !== undefined) assert.equal(eth?.address, mac);
    await node.run("DEL", id);
  }
  const dual = await node.container();
  const both = { runtimeConfig: { ips: ["fd00:97::5", "10.97.2.5/24"] }, vxlans: [blue({ cidrs: ["fd00:97::/64"] })] };
  const added = await node.run("ADD", dual, { config: netConf({ ...both, defaultNetwork: "blue" }) });
  assert.deepEqual(addresses(added), ["10.97.2.5", "fd00:97::5"]);
});

Deno.test("a hardware address that no device can have is refused", async () => {
  await using node = await Node.make();
  const id = await node.container();
  for (const mac of ["ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "00:00:00:00:00:00", "02:00:5e", "text"]) {
    const { code, msg } = await node.refuse("ADD", id, { config: netConf({ runtimeConfig: { mac } }) });
    assert.deepEqual([code, msg.includes(mac) && msg.includes("runtimeConfig.mac")], [7, true], msg);
  }
  assert.deepEqual(await node.changes(), []);
});

Deno.test("the network is chosen by annotation, then Kubernetes namespace, then default", async () => {
  await using node = await Node.make();
  const vxlans = [red(), blue()];
  const args = { annotations: { "vxlan-cni.travishegner.com/NetworkName": "red" } };
  const cases: [changes: Record<string, unknown>, words: string | undefined, prefix: string][] = [
    [{ defaultNetwork: "blue", args }, "K8S_POD_NAMESPACE=blue", "10.97.1."],
    [{ defaultNetwork: "red", k8sNetworkFromNamespace: true }, "K8S_POD_NAMESPACE=blue", "10.97.2."],
    [{ defaultNetwork: "red", k8sNetworkFromNamespace: true }, "K8S_POD_NAMESPACE=other", "10.97.1."],
    [{ defaultNetwork: "red" }, "K8S_POD_NAMESPACE=blue", "10.97.1."],
  ];
  for (const [changes, words, prefix] of cases) {
    const id = await node.container();
    const config = netConf({ vxlans, ...changes });
    const options = { config, ...(words === undefined ? {} : { args: words }) };
    assert.ok(addresses(await node.run("ADD", id, options))[0]?.startsWith(prefix), JSON.stringify(changes));
    await node.run("DEL", id, options);
  }
  const id = await node.container();
  const green = { annotations: { "vxlan-cni.travishegner.com/NetworkName": "green" } };
  const { code, msg } = await node.refuse("ADD", id, { config: netConf({ vxlans, args: green }) });
  assert.equal(code, 7);
  assert.match(msg, /NetworkName.*"red", "blue".*"green"/);
  assert.deepEqual(await node.changes(), []);
});

Deno.test("the node's own gateway never takes the address that its first container asks for", async () => {
  await using node = await Node.make();
  const id = await node.container();
  const config = netConf({
    vxlans: [red({ cidr: "10.97.1.0/30", cidrs: ["fd00:97::/127"], excludeFirst: 0, excludeLast: 0 })],
  });
  for (let round = 0; round < 8; round++) {
    const ips = round % 2 === 0 ? ["10.97.1.1", "fd00:97::"] : ["10.97.1.2", "fd00:97::1"];
    assert.deepEqual(addresses(await node.run("ADD", id, { config, args: `IP=${ips.join(",")}` })), ips);
    await node.run("DEL", id, { config });
  }
});
