import assert from "node:assert/strict";
import { ensurePackages } from "../lib/packages.ts";
import { binDir, call, refuse, succeed } from "../lib/call.ts";
import { addresses } from "../lib/caller.ts";
import { IPAM, netConf, red } from "../lib/config.ts";
import { type Recorded, Recorder } from "../lib/recorder.ts";
import { Node } from "./node.ts";

const REFERENCE = "/usr/lib/cni";

function words(call: Recorded | undefined): string {
  return `${call?.verb} ${call?.env.CNI_IFNAME}`;
}

/** All that can be asked of IPAM through the main plugin; what is drawn by chance is left out of the answers. */
async function answers(node: Node, path: string): Promise<string[]> {
  const config = netConf({ vxlans: [red({ excludeFirst: 100, cidrs: ["fd00:97::/64"] })] });
  const full = netConf({
    vxlans: [red({ id: 103, name: "full", cidr: "10.97.9.0/30", excludeFirst: 1, excludeLast: 1 })],
    defaultNetwork: "full",
  });
  const asked = "IP=10.97.1.5,fd00:97::5";
  const [a, b] = [await node.container(), await node.container()];
  const said: string[] = [];
  const ask = async (verb: string, id: string, conf: unknown, args?: string) => {
    const called = await node.call(verb, id, { config: conf, path, ...(args === undefined ? {} : { args }) });
    const text = called.stdout.replace(/([0-9a-f]{2}:){5}[0-9a-f]{2}/g, "MAC")
      .replace(/"(gateway|gw)":"[^"]+"/g, '"$1":"GW"');
    said.push(`${verb} ${called.code} ${text}`);
    return called;
  };
  const { json } = await ask("ADD", a, config, asked);
  await ask("CHECK", a, { ...config, prevResult: json });
  await ask("STATUS", a, config);
  for (const args of [asked, "IP=10.97.1.255", "IP=10.98.0.1", "IP=text"]) await ask("ADD", b, config, args);
  await ask("ADD", b, full);
  await ask("STATUS", b, full);
  await node.host.must(["ip", "route", "del", "10.97.1.5"]);
  await ask("CHECK", a, { ...config, prevResult: json });
  await ask("DEL", a, { ...config, prevResult: json });
  await ask("DEL", a, config);
  await ask("ADD", a, config, asked);
  await ask("GC", "", { ...config, "cni.dev/valid-attachments": [] });
  assert.deepEqual(await node.changes(), []);
  return said;
}

Deno.test("IPAM in the process and as a process of its own give the same answers", async () => {
  await using within = await Node.make();
  await using beside = await Node.make();
  const folder = await binDir();
  const recorder = await Recorder.on(beside.host, { type: "routetable-ipam", beside: [folder] });
  const [here, there] = [await answers(within, folder), await answers(beside, recorder.path)];
  assert.deepEqual(here, there);
  const codes = here.map((line) => /"code":(\d+)/.exec(line)?.[1] ?? "0").map(Number);
  assert.deepEqual(codes, [0, 0, 0, 101, 7, 7, 7, 102, 50, 105, 0, 0, 0, 0]);
  const verbs = new Set((await recorder.calls()).map(({ verb }) => verb));
  assert.deepEqual(verbs, new Set(["ADD", "CHECK", "STATUS", "DEL", "GC"]));
});

Deno.test("the same executable on CNI_PATH is not started, a copy of it is", async () => {
  await using node = await Node.make();
  const id = await node.container();
  const folder = await binDir();
  await node.host.must([
    "sh",
    "-c",
    `mkdir /run/other && cp ${folder}/vxlan /run/other/routetable-ipam && echo >> /run/other/routetable-ipam`,
  ]);
  for (const [path, started] of [[folder, false], ["/run/other", true], ["/run/none", false]] as const) {
    await node.host.must(["sh", "-c", "rm -rf /run/trace; mkdir /run/trace"]);
    const added = await node.run("ADD", id, { path });
    assert.match(addresses(added)[0] ?? "", /^10\.97\.1\./);
    const inside = {
      config: netConf({ ipam: { ...IPAM, propagationTimeout: 300 } }),
      containerId: id,
      netns: id,
      path,
    };
    const running = call(node.host, "ADD", { ...inside, ifname: "eth1" });
    const seen = "until ip -n " + id +
      " link show eth1 >/dev/null 2>&1; do :; done; ls -l /proc/[0-9]*/exe 2>/dev/null | grep -c /run/other/ || true";
    assert.equal((await node.host.must(["sh", "-c", seen])).trim() !== "0", started, path);
    await running;
    for (const ifname of ["eth0", "eth1"]) await node.run("DEL", id, { path, ifname });
  }
});

Deno.test("the hand-off keeps what the runtime sent and adds where and from what an address is wanted", async () => {
  await using node = await Node.make();
  const id = await node.container();
  const recorder = await Recorder.on(node.host, { type: "route-table", beside: [await binDir()] });
  const { path } = recorder;
  const config = netConf({
    ipam: { ...IPAM, type: "route-table" },
    vxlans: [red({ excludeFirst: 30, excludeLast: 2 })],
  });
  await node.run("ADD", id, { config, path, args: "K8S_POD_NAME=web;IP=10.97.1.9" });
  const [mv] = await node.host.ip<{ ifindex: number }>("link show mv_red");
  const asked = await recorder.take();
  const common = {
    CIDR: "10.97.1.0/24",
    EXCLUDE_FIRST: "30",
    EXCLUDE_LAST: "2",
    LINK_INDEX: String(mv?.ifindex),
    IgnoreUnknown: "1",
  };
  const own = asked.find(({ env }) => env.CNI_CONTAINERID === id);
  assert.equal(words(own), "ADD eth0");
  assert.deepEqual(own?.args, { K8S_POD_NAME: "web", ...common, IP: "10.97.1.9" });
  const gateway = asked.find(({ env }) => env.CNI_CONTAINERID !== id);
  assert.deepEqual([words(gateway), gateway?.args.CIDR, gateway?.args.IP], ["ADD mv_red", "10.97.1.0/24", ""]);
  await node.run("DEL", id, { config, path });
  const released = await recorder.take();
  assert.deepEqual(released.map(words), ["DEL eth0", "DEL mv_red"]);
  assert.equal(released[0]?.args.IP, "10.97.1.9");
  assert.deepEqual(await node.changes(), []);
});

Deno.test("it stands alone below the reference macvlan", async () => {
  await ensurePackages(["containernetworking-plugins"]);
  await using node = await Node.make();
  const path = `${await binDir()}:${REFERENCE}`;
  const ipam = {
    type: "routetable-ipam",
    subnet: "10.98.0.0/29",
    device: "ul0",
    gateway: "10.98.0.1",
    excludeFirst: 1,
    propagationTimeout: 20,
  };
  const routes = [{ dst: "0.0.0.0/0" }];
  for (const cniVersion of ["0.3.1", "0.4.0", "1.0.0"]) {
    const config = {
      cniVersion,
      name: "alone",
      type: "macvlan",
      master: "ul0",
      mode: "bridge",
      ipam: { ...ipam, routes },
    };
    const program = `${REFERENCE}/macvlan`;
    const ids = await Promise.all([1, 2].map(() => node.container()));
    const got: string[] = [];
    for (const id of ids) {
      const added = await node.run("ADD", id, { config, path, program });
      got.push(...addresses(added));
      if (cniVersion !== "0.3.1") {
        await node.run("CHECK", id, { config: { ...config, prevResult: added }, path, program });
      }
    }
    assert.equal(new Set(got).size, 2);
    assert.ok(got.every((ip) => /^10\.98\.0\.[2-6]$/.test(ip)), got.join());
    const claims = await node.host.ip<{ dst: string; dev: string }>("-4 route show proto 192");
    assert.deepEqual(claims.map(({ dst, dev }) => `${dst} ${dev}`).sort(), got.map((ip) => `${ip} ul0`).sort());
    for (const id of [...ids, ...ids]) await node.run("DEL", id, { config, path, program });
    assert.deepEqual(await node.changes(), []);
  }
});

Deno.test("it serves the original main plugin, which sends CNI_ARGS and nothing else", async () => {
  await using node = await Node.make();
  const [link] = await node.host.ip<{ ifindex: number }>("link show ul0");
  const base = `CIDR=10.97.1.0/24;EXCLUDE_FIRST=100;EXCLUDE_LAST=1;LINK_INDEX=${link?.ifindex}`;
  const to = (args: string) => ({
    program: "route-table",
    containerId: "c1",
    netns: "/run/netns/c1",
    ifname: "eth0",
    args,
  });
  // The gateway's claim and the container's come with the same variables.
  const [one, two] = [
    await succeed(node.host, "ADD", to(base)),
    await succeed(node.host, "ADD", to(`${base};IP=10.97.1.20`)),
  ];
  assert.equal(one.cniVersion, "0.4.0");
  assert.match(one.ips?.[0]?.address ?? "", /^10\.97\.1\.\d+\/24$/);
  assert.equal(one.ips?.[0]?.version, "4");
  assert.deepEqual(two.ips?.map(({ address }) => address), ["10.97.1.20/24"]);
  assert.equal((await refuse(node.host, "ADD", to(`${base};IP=10.97.1.20`))).code, 101);
  for (const ip of [...addresses(one), ...addresses(two), "10.97.1.20"]) {
    const { code, stdout } = await call(node.host, "DEL", to(`${base};IP=${ip}`));
    assert.deepEqual([code, stdout], [0, ""]);
  }
  assert.deepEqual(await node.changes(), []);
  // Without CNI_ARGS an empty input is what it is for everybody.
  const { program } = to("");
  assert.equal((await refuse(node.host, "ADD", { program, containerId: "c1", netns: "/x", ifname: "eth0" })).code, 6);
});
