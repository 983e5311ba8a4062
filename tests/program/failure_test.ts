import assert from "node:assert/strict";
import { must } from "../lib/run.ts";
import { call } from "../lib/plugin.ts";
import { addresses, blue, netConf, Node, red } from "./node.ts";

Deno.test("what cannot be read is refused in JSON, with its code, before anything is done", async (t) => {
  await using node = await Node.make();
  const id = await node.container();
  const cases: [name: string, verb: string, options: Parameters<Node["call"]>[2], code: number, words: string[]][] = [
    ["empty stdin", "ADD", { config: undefined }, 6, ["empty"]],
    ["bad JSON", "ADD", { stdin: "{" }, 6, ["decode"]],
    ["a list", "ADD", { stdin: "[]" }, 6, ["object"]],
    ["empty configuration", "ADD", { stdin: "{}" }, 7, ["name", "got nothing"]],
    ["no vxlans", "ADD", { config: { cniVersion: "1.1.0", name: "x", type: "vxlan" } }, 7, ["vxlans"]],
    ["bad verb", "RUN", {}, 4, ["CNI_COMMAND", "RUN", "STATUS"]],
    ["empty verb", "", {}, 4, ["CNI_COMMAND"]],
    ["no interface name", "ADD", { ifname: undefined }, 4, ["CNI_IFNAME"]],
    ["bad container id", "ADD", { containerId: "a/b" }, 4, ["CNI_CONTAINERID", "a/b"]],
    ["long interface name", "ADD", { ifname: "sixteen-letters-" }, 4, ["CNI_IFNAME", "15"]],
    ["interface name with a slash", "ADD", { ifname: "a/b" }, 4, ["CNI_IFNAME", "a/b"]],
    ["unknown network", "ADD", { config: netConf({ defaultNetwork: "green" }) }, 7, ["defaultNetwork", "green", "red"]],
    ["no network", "ADD", { config: netConf({ defaultNetwork: undefined }) }, 7, ["defaultNetwork"]],
    ["bad cidr", "ADD", { config: netConf({ vxlans: [red({ cidr: "10.97.1.0" })] }) }, 7, [
      "vxlans[0].cidr",
      "10.97.1.0",
    ]],
    ["unknown key", "ADD", { config: netConf({ vxlans: [red({ cdir: 1 })] }) }, 7, ["vxlans[0].cdir"]],
    ["id out of range", "ADD", { config: netConf({ vxlans: [red({ id: 2 ** 24 })] }) }, 7, [
      "vxlans[0].id",
      "16777216",
    ]],
    ["long name", "ADD", { config: netConf({ vxlans: [red({ name: "thirteen-long" })] }) }, 7, ["thirteen-long", "12"]],
    ["same name twice", "ADD", { config: netConf({ vxlans: [red(), red({ id: 5 })] }) }, 7, ["vxlans[1].name", "red"]],
    ["text for mtu", "ADD", { config: netConf({ vxlans: [red({ mtu: "1400" })] }) }, 7, ["vxlans[0].mtu", "1400"]],
    ["no IPAM type", "ADD", { config: netConf({ ipam: {} }) }, 7, ["ipam.type"]],
    [
      "bad window",
      "ADD",
      {
        config: netConf({ ipam: { type: "routetable-ipam", propagationTimeout: "250" } }),
      },
      7,
      ["propagationTimeout", "250"],
    ],
    ["bad CNI_ARGS", "ADD", { args: "IP" }, 4, ["CNI_ARGS", "IP"]],
    ["unknown key of CNI_ARGS", "ADD", { args: "COLOUR=red" }, 4, ["COLOUR", "IgnoreUnknown"]],
    ["vtepdev that does not exist", "ADD", { config: netConf({ vxlans: [red({ options: { vtepdev: "ul9" } })] }) }, 7, [
      "vtepdev",
      "ul9",
    ]],
  ];
  for (const [name, verb, options, code, words] of cases) {
    await t.step(name, async () => {
      const refused = await node.refuse(verb, id, options);
      assert.equal(refused.code, code, refused.msg);
      for (const word of words) assert.ok(refused.msg.includes(word), refused.msg);
    });
  }
  assert.deepEqual(await node.changes(), []);
});

Deno.test("missing variables are named, all of them", async () => {
  await using node = await Node.make();
  const required: Record<string, string[]> = {
    ADD: ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"],
    DEL: ["CNI_CONTAINERID", "CNI_IFNAME"],
    CHECK: ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"],
  };
  for (const [verb, names] of Object.entries(required)) {
    const { code, json } = await call(node.host, verb, { config: netConf() });
    assert.deepEqual([code, json?.code], [1, 4]);
    for (const name of names) assert.ok(json?.msg?.includes(name), json?.msg);
  }
});

Deno.test("a namespace that is the host's own, missing or none at all is refused, and DEL of it succeeds", async () => {
  await using node = await Node.make();
  await node.host.must(["sh", "-c", "echo text > /run/file; mkdir /run/folder; mkfifo /run/fifo"]);
  const cases = [
    "/proc/self/ns/net",
    "/run/netns/none",
    "/run/file",
    "/run/folder",
    "/run/fifo",
    "/run/file/below",
    "/proc/self/ns/mnt",
  ];
  for (const netns of cases) {
    const { code, msg } = await node.refuse("ADD", "c1", { netns });
    assert.equal(code, 8, msg);
    assert.ok(msg.includes(netns), msg);
    assert.deepEqual(await node.changes(), []);
    assert.equal((await node.call("DEL", "c1", { netns })).code, 0, netns);
  }
  const { json } = await node.call("ADD", "c1", {
    netns: "/proc/self/ns/net",
    env: { CNI_NETNS_OVERRIDE: "1" },
    ifname: "here",
  });
  assert.equal(json?.interfaces?.[2]?.name, "here");
  await node.host.must(["ip", "link", "show", "here"]);
});

Deno.test("an interface that exists is left as it is", async () => {
  await using node = await Node.make();
  const id = await node.container();
  await must(node.host.inside(id, ["ip", "link", "add", "eth0", "type", "bridge"]));
  const before = await node.host.ip("link", id);
  const { code, msg } = await node.refuse("ADD", id);
  assert.equal(code, 103);
  assert.match(msg, /"eth0"/);
  assert.deepEqual(await node.host.ip("link", id), before);
  assert.deepEqual(await node.changes(), []);
  // Nor is it DEL's to remove.
  await node.run("DEL", id);
  assert.deepEqual(await node.host.ip("link", id), before);
});

Deno.test("ADD twice for one container is an error at once and changes nothing", async () => {
  await using node = await Node.make();
  const id = await node.container();
  const added = await node.run("ADD", id);
  const before = await node.changes();
  const inside = await node.host.ip("addr", id);
  const { code, msg } = await node.refuse("ADD", id);
  assert.equal(code, 103);
  assert.match(msg, /DEL/);
  assert.deepEqual(await node.changes(), before);
  assert.deepEqual(await node.host.ip("addr", id), inside);
  await node.run("CHECK", id, { config: netConf({ prevResult: added }) });
  await node.run("DEL", id);
  assert.deepEqual(await node.changes(), []);
});

Deno.test("a device in the way is named with its difference and never deleted", async () => {
  const ways: [command: string, words: RegExp][] = [
    ["ip link add vx_red type bridge", /"vx_red".*kind is bridge, wanted vxlan/],
    ["ip link add vx_red type vxlan id 7 dstport 4789 dev ul0 group 239.1.1.101", /"vx_red".*id is 7, wanted 101/],
    [
      "ip link add vx_red type vxlan id 101 dstport 4789 dev ul0 group 239.9.9.9",
      /"vx_red".*group is 239\.9\.9\.9, wanted 239\.1\.1\.101/,
    ],
    ["ip link add mv_red link ul0 type macvlan mode bridge", /"mv_red".*parent/],
    ["ip link add other type vxlan id 101 dstport 4789 dev ul0 group 239.1.1.101", /VNI 101.*"other"/],
  ];
  for (const [command, words] of ways) {
    await using node = await Node.make();
    const id = await node.container();
    await node.host.must(command.split(" "));
    const before = await node.changes();
    const { code, msg } = await node.refuse("ADD", id);
    assert.equal(code, 104, msg);
    assert.match(msg, words);
    assert.deepEqual(await node.changes(), before);
    await node.run("DEL", id);
    assert.deepEqual(await node.changes(), before);
  }
});

Deno.test("a changed configuration does not tear down what runs", async () => {
  await using node = await Node.make();
  const [a, b] = [await node.container(), await node.container()];
  await node.run("ADD", a);
  const { code, msg } = await node.refuse("ADD", b, { config: netConf({ vxlans: [red({ id: 999 })] }) });
  assert.equal(code, 104, msg);
  await must(node.host.inside(a, ["ip", "link", "show", "eth0"]));
  // DEL with a configuration that no longer knows the network, or none of the old keys.
  await node.run("DEL", a, { config: netConf({ vxlans: [blue()], defaultNetwork: "blue" }) });
  assert.deepEqual(await node.changes(), []);
});

Deno.test("requested addresses that are taken, unusable or none are refused at once", async () => {
  await using node = await Node.make();
  const [a, b] = [await node.container(), await node.container()];
  // Nobody gets one of the wanted addresses by chance.
  const config = netConf({ vxlans: [red({ excludeFirst: 100 })] });
  await node.run("ADD", a, { config, args: "IP=10.97.1.20" });
  await node.host.must(["ip", "route", "add", "10.97.1.30/32", "via", "192.0.2.9", "dev", "ul0"]);
  const before = await node.changes();
  const gateway = (await node.host.ip<{ addr_info: { local: string }[] }>("-4 addr show mv_red"))[0]?.addr_info[0]
    ?.local;
  const cases: [ip: string, code: number, words: RegExp][] = [
    ["10.97.1.20", 101, /10\.97\.1\.20/],
    ["10.97.1.30", 101, /10\.97\.1\.30/],
    [gateway ?? "", 101, /host route/],
    ["10.97.1.255", 7, /broadcast/],
    ["10.97.1.0", 7, /network id/],
    ["10.97.2.20", 7, /10\.97\.1\.0\/24.*10\.97\.2\.20/],
    ["10.97.1.256", 7, /10\.97\.1\.256/],
    ["fd00::1", 7, /fd00::1/],
    ["10.97.1.40,10.97.1.41", 7, /one address of each family/],
  ];
  for (const [ip, code, words] of cases) {
    const refused = await node.refuse("ADD", b, { config, args: `IP=${ip}` });
    assert.equal(refused.code, code, refused.msg);
    assert.match(refused.msg, words);
    assert.deepEqual(await node.changes(), before);
    assert.deepEqual((await node.host.ip("link", b)).length, 1);
  }
  assert.deepEqual(addresses(await node.run("ADD", b, { config, args: "IP=10.97.1.21" })), ["10.97.1.21"]);
});
