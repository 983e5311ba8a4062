import assert from "node:assert/strict";
import { netConf, Node, red } from "./node.ts";

interface Link {
  address: string;
  txqlen: number;
  linkinfo: { info_data: Record<string, unknown> };
}

/** Options as the configuration spells them, and the words of `ip link add ... type vxlan` that mean the same. */
const CASES: [options: Record<string, string>, words: string][] = [
  [{}, ""],
  [{ group: "239.1.1.9" }, "group 239.1.1.9"],
  [{ group: "ff05::9" }, "group ff05::9"],
  [{ srcaddr: "192.0.2.1" }, "local 192.0.2.1"],
  [{ srcaddr: "fd00:ff::1" }, "local fd00:ff::1"],
  [{ ttl: "4" }, "ttl 4"],
  [{ ttl: "0" }, "ttl 0"],
  [{ tos: "16" }, "tos 0x10"],
  [{ learning: "true" }, "learning"],
  [{ learning: "false" }, "nolearning"],
  [{ proxy: "true" }, "proxy"],
  [{ proxy: "false" }, "noproxy"],
  [{ rsc: "true" }, "rsc"],
  [{ rsc: "false" }, "norsc"],
  [{ l2miss: "true" }, "l2miss"],
  [{ l2miss: "false" }, "nol2miss"],
  [{ l3miss: "true" }, "l3miss"],
  [{ l3miss: "false" }, "nol3miss"],
  [{ noage: "true" }, "ageing 0"],
  [{ noage: "false" }, ""],
  [{ gbp: "true" }, "gbp"],
  [{ gbp: "false" }, ""],
  [{ age: "120" }, "ageing 120"],
  [{ limit: "1000" }, "maxaddress 1000"],
  [{ port: "4790" }, "dstport 4790"],
  [{ portlow: "40000", porthigh: "50000" }, "srcport 40000 50000"],
];

const NETWORKS = CASES.map(([options], index) =>
  red({
    id: 1000 + index,
    name: `n${index}`,
    cidr: `10.98.${index}.0/24`,
    // A gbp device shares its port with gbp devices only, an IPv6 one with its own family: each has a port of its own.
    options: { vtepdev: "ul0", port: String(5000 + index), ...options },
  })
);

Deno.test("every vxlan option says to the kernel what it says to ip link, and nothing is said that was not given", async (t) => {
  await using node = await Node.make();
  await using reference = await Node.make();
  const id = await node.container();
  for (const [index, [options, words]] of CASES.entries()) {
    await t.step(JSON.stringify(options), async () => {
      const config = netConf({ defaultNetwork: `n${index}`, vxlans: NETWORKS });
      await node.run("ADD", id, { config, ifname: `eth${index}` });
      const port = options.port === undefined ? `dstport ${5000 + index}` : "";
      const command = `ip link add vx_n${index} type vxlan id ${1000 + index} dev ul0 ${port} ${words}`;
      await reference.host.must(command.split(/ +/).filter((word) => word !== ""));
      assert.deepEqual(await link(node, `vx_n${index}`), await link(reference, `vx_n${index}`), command);
    });
  }
});

async function link({ host }: Node, name: string): Promise<unknown> {
  const [found] = await host.ip<Link>(`link show ${name}`);
  return { txqlen: found?.txqlen, ...found?.linkinfo.info_data };
}

Deno.test("without port the kernel's own is used", async () => {
  await using node = await Node.make();
  const id = await node.container();
  await node.run("ADD", id, {
    config: netConf({ vxlans: [red({ options: { vtepdev: "ul0", group: "239.1.1.1" } })] }),
  });
  const [vx] = await node.host.ip<Link>("link show vx_red");
  assert.equal(vx?.linkinfo.info_data.port, 8472);
});

Deno.test("vxlanhardwareaddr and vxlantxqlen are the device's", async () => {
  await using node = await Node.make();
  const id = await node.container();
  const options = { vtepdev: "ul0", vxlanhardwareaddr: "02:00:5E:10:00:01", vxlantxqlen: "123" };
  const config = netConf({ vxlans: [red({ options })] });
  const added = await node.run("ADD", id, { config });
  const [vx] = await node.host.ip<Link>("link show vx_red");
  assert.deepEqual([vx?.address, vx?.txqlen], ["02:00:5e:10:00:01", 123]);
  assert.equal(added.interfaces?.[0]?.mac, "02:00:5e:10:00:01");
  await node.run("CHECK", id, { config: { ...config, prevResult: added } });
});

Deno.test("an option that is unknown, misspelt or wrong is refused, by name", async () => {
  const wrong: [options: Record<string, unknown>, key: string][] = [
    [{ lerning: "true" }, "lerning"],
    [{ Learning: "true" }, "Learning"],
    [{ learning: "yes" }, "learning"],
    [{ learning: true }, "learning"],
    [{ ttl: "256" }, "ttl"],
    [{ ttl: "auto" }, "ttl"],
    [{ tos: "-1" }, "tos"],
    [{ group: "239.1.1" }, "group"],
    [{ srcaddr: "ul0" }, "srcaddr"],
    [{ port: "0" }, "port"],
    [{ port: "65536" }, "port"],
    [{ portlow: "1000" }, "porthigh"],
    [{ porthigh: "1000" }, "portlow"],
    [{ portlow: "2000", porthigh: "1000" }, "porthigh"],
    [{ age: "1e3" }, "age"],
    [{ limit: "" }, "limit"],
    [{ vxlantxqlen: "long" }, "vxlantxqlen"],
    [{ vxlanhardwareaddr: "01:00:5e:00:00:01" }, "vxlanhardwareaddr"],
    [{ vxlanhardwareaddr: "02:00:5e:00:00" }, "vxlanhardwareaddr"],
    [{ vtepdev: "no such device" }, "vtepdev"],
  ];
  await using node = await Node.make();
  const id = await node.container();
  await Promise.all(wrong.map(async ([options, key]) => {
    const config = netConf({ vxlans: [red({ options: { vtepdev: "ul0", ...options } })] });
    const { code, msg } = await node.refuse("ADD", id, { config });
    assert.equal(code, 7, msg);
    assert.ok(msg.includes(`vxlans[0].options.${key}: wanted `), msg);
    const got = key.toLowerCase() === key && key !== "lerning" ? JSON.stringify(options[key]) ?? "nothing" : key;
    assert.ok(msg.includes(`got ${got}`) || msg.includes(`got "${key}"`), msg);
  }));
  assert.deepEqual(await node.changes(), []);
});
