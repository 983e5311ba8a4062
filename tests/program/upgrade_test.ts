/** An upgrade: this version finds the records and the containers of the one before. `fixtures/earlier` says what its records look like. */
import { deepEqual, equal, match } from "node:assert/strict";
import { type Answer, binDir, call, succeed } from "../lib/call.ts";
import { addresses, caller } from "../lib/caller.ts";
import { netConf, red } from "../lib/config.ts";
import { downgrade, type Files, filesIn, rootOf, writeFiles } from "../lib/earlier.ts";
import { CONFIG, SCENES, settled } from "../lib/earlier_scenes.ts";
import { Host, loneHost } from "../lib/host.ts";
import { everythingOf, stateOf } from "../lib/state.ts";
import { Node } from "./node.ts";

const KEY = "cni.dev/valid-attachments";
/** Facts that are the same in each run. */
const SAME = ["containerId", "ifname", "netns", "network", "device", "protocol", "metric", "claimed", "ready"];

/** A fact of a record: itself where it is always the same, else of what kind it is. */
function shapeOf(key: string, value: unknown): unknown {
  if (SAME.includes(key)) return value;
  if (key === "config" && typeof value === "object" && value !== null) return Object.keys(value).sort();
  if (key === "identity") return /^\d+:\d+$/.test(String(value));
  if (Array.isArray(value)) return value.map((one) => shapeOf(key, one));
  return key === "ip" || key === "ips" ? familyOf(String(value)) : typeof value;
}

function familyOf(text: string): string {
  return text.replace(/[\da-f]+[.:][\da-f.:]+/, (ip) => ip.includes(":") ? "IPv6" : "IPv4");
}

/** A line for each file. */
function shapesOf(files: Files): string[] {
  return Object.entries(files).map(([name, content]) => {
    const facts = content === ""
      ? []
      : Object.entries(content as object).map(([key, value]) => `${key} ${JSON.stringify(shapeOf(key, value))}`);
    return [familyOf(name), ...facts.sort()].join(" ");
  }).sort();
}

/** Prefixes of lists in CNI's words, without those who are gone. */
const valid = (...ids: string[]) => ids.map((containerID) => ({ containerID, ifname: "eth0" }));

/** Names of the folders below /run/vxlan-cni: of namespaces, and what is left of the version before. */
async function folders(host: Host): Promise<string[]> {
  const names = await host.must(["sh", "-c", "ls /run/vxlan-cni 2>/dev/null || true"]);
  return names.split("\n").filter((name) => name !== "");
}

for (const [name, scene] of Object.entries(SCENES)) {
  Deno.test(`what these tests take for records of the version before has the shape of real ones: ${name}`, async () => {
    await using node = await Node.make();
    await scene(node);
    const fixture = new URL(`../../fixtures/earlier/${name}.json`, import.meta.url);
    deepEqual(shapesOf(await downgrade(node.host, CONFIG)), shapesOf(JSON.parse(await Deno.readTextFile(fixture))));
    deepEqual(shapesOf(await filesIn(rootOf(node.host))), shapesOf(JSON.parse(await Deno.readTextFile(fixture))));
  });
}

/** First calls after the upgrade; each returns who is attached then. */
const FIRST: Record<string, (node: Node, results: Record<string, Answer>) => Promise<string[]>> = {
  async status() {
    return await Promise.resolve(["c1", "c2"]);
  },
  async STATUS(node) {
    await node.run("STATUS", "", { config: CONFIG });
    return ["c1", "c2"];
  },
  async CHECK(node, { c1 }) {
    await node.run("CHECK", "c1", { config: { ...CONFIG, prevResult: c1 } });
    return ["c1", "c2"];
  },
  async "ADD of another one"(node, { c1 }) {
    const added = await node.run("ADD", await node.container("c3"), { config: CONFIG });
    deepEqual(added.ips?.map(({ gateway }) => gateway), c1?.ips?.map(({ gateway }) => gateway), "one gateway");
    return ["c1", "c2", "c3"];
  },
  async "ADD of the same one"(node) {
    const { code } = await node.refuse("ADD", "c1", { config: CONFIG });
    equal(code, 103);
    return ["c1", "c2"];
  },
  async "DEL of one"(node) {
    await node.run("DEL", "c1", { config: CONFIG });
    return ["c2"];
  },
  async "DEL of one whose namespace is gone"(node) {
    await node.host.must(["ip", "netns", "del", "c1"]);
    await node.run("DEL", "c1", { config: CONFIG });
    return ["c2"];
  },
  async "GC of one"(node) {
    await node.run("GC", "", { config: { ...CONFIG, [KEY]: valid("c2") } });
    return ["c2"];
  },
};

for (const [name, first] of Object.entries(FIRST)) {
  Deno.test(`first call after an upgrade: ${name}; containers live on, and are released as ever`, async () => {
    await using node = await Node.make();
    const { host } = node;
    const results = await settled(node);
    const containers = Object.keys(results);
    const pictures = () => Promise.all(containers.map((id) => everythingOf(host, id).catch(() => [])));
    const before = await pictures();
    await downgrade(host, CONFIG);
    const attached = await first(node, results);
    const status = await host.must([`${await binDir()}/vxlan`, "status"]);
    deepEqual(status.match(/c\d eth0/g), attached.map((id) => `${id} eth0`));
    for (const [index, picture] of (await pictures()).entries()) {
      const id = containers[index] ?? "";
      if (attached.includes(id)) deepEqual(picture, before[index]);
      else deepEqual(picture.filter((line) => line.includes("eth0")), []);
    }
    for (const id of attached.filter((one) => containers.includes(one))) {
      await node.run("CHECK", id, { config: { ...CONFIG, prevResult: results[id] } });
    }
    equal((await folders(host)).length, 1, "the folder of this namespace only");
    for (const id of attached) await node.run("DEL", id, { config: CONFIG });
    deepEqual(await node.changes(), []);
    deepEqual(await folders(host), []);
  });
}

Deno.test("nothing is left of the version before where nobody is attached any more", async () => {
  await using node = await Node.make();
  await writeFiles(node.host, {
    ...{ "lock/network/red": "", "lock/gateway/red": "", "lock/reserve/mv_red.4": "" },
    // And calls that died before they had made anything.
    ...{ "adding/red/c1@eth0": "", "attachments/red/c1@eth0": { containerId: "c1" }, "adding/red/c2@eth0": "" },
    ...{ "claiming/c3@eth0": "" },
  });
  await node.run("STATUS", "", { config: CONFIG });
  deepEqual(await folders(node.host), []);
});

Deno.test("records of a network whose devices are not in this namespace stay, until a call comes from theirs", async () => {
  const config = netConf({ vxlans: [red({ cidr: "fd00:97::/64" })] });
  await using machine = await Host.make("machine");
  await using a = await loneHost("a", machine);
  await using b = await loneHost("b", machine);
  const on = (host: Host) =>
    caller((verb, options) => call(host, verb, { ...options, config, netns: `${host.name}-${options.containerId}` }));
  for (const name of ["a-c1", "b-c1", "b-c2"]) await machine.container(name);
  const prevResult = await on(a).run("ADD", "c1");
  const before = await everythingOf(machine, "a-c1");
  const files = await downgrade(a, config);
  for (const name of Object.keys(files)) if (name.startsWith("lock/")) delete files[name];
  const untouched = async () => {
    const now = await filesIn(rootOf(machine));
    deepEqual(Object.fromEntries(Object.keys(files).map((name) => [name, now[name]])), files);
  };
  // The same network, and containers of the same name.
  for (const [verb, id] of [["ADD", "c1"], ["ADD", "c2"], ["DEL", "c1"], ["DEL", "c2"]] as const) {
    await on(b).run(verb, id);
    await untouched();
  }
  equal((await folders(machine)).filter((name) => /^\d/.test(name)).length, 0);
  await succeed(a, "CHECK", { config: { ...config, prevResult }, containerId: "c1", netns: "a-c1", ifname: "eth0" });
  deepEqual(await everythingOf(machine, "a-c1"), before);
  await on(a).run("DEL", "c1");
  deepEqual(await folders(machine), []);
});

Deno.test("a record that is broken is told of and stays; its container is released all the same", async () => {
  await using node = await Node.make();
  const { host } = node;
  await settled(node);
  await downgrade(host, CONFIG);
  await Deno.writeTextFile(`${rootOf(host)}/claims/c2@eth0`, "{");
  const { code, stderr } = await node.call("DEL", "c1", { config: CONFIG });
  equal(code, 0);
  match(stderr, /^vxlan-cni: Cannot take over record "claims\/c2@eth0" of an earlier version: .*JSON.*\n$/);
  await node.run("DEL", "c2", { config: CONFIG });
  deepEqual(await node.changes(), ["+ file /run/vxlan-cni/claims/c2@eth0"]);
});

Deno.test("claims of IPAM alone are taken over where their routes are; those of other namespaces stay", async () => {
  await using node = await Node.make();
  const { host } = node;
  const ipam = { type: "routetable-ipam", device: "ul0", subnet: "10.97.3.0/24", propagationTimeout: 0 };
  const options = { program: "routetable-ipam", config: netConf({ type: "macvlan", ipam }) };
  const [ip = ""] = addresses(await node.run("ADD", await node.container("c1"), options));
  const files = await downgrade(host, options.config);
  const claim = files["claims/c1@eth0"] as { ips: string[] };
  const other = { ...claim, containerId: "c9", ips: ["10.97.3.99"] };
  await writeFiles(host, { "claims/c9@eth0": other });
  match((await node.refuse("ADD", "c1", options)).msg, new RegExp(`its address is ${ip} already`));
  await node.run("DEL", "c1", options);
  deepEqual(await host.ip(`route show ${ip}`), []);
  deepEqual(await filesIn(rootOf(host)), { "claims/c9@eth0": other });
  equal((await stateOf(host)).filter((line) => line.includes("10.97.3.")).length, 0);
});
