/** ADDs that fail: the right number, the reason, and nothing left; teardowns that fail: all that went wrong is told. */
import { deepEqual, equal, match } from "node:assert/strict";
import { failingWorld } from "../fake/failing.ts";
import type { Call } from "../lib/call.ts";
import { blue, netConf, red } from "../lib/config.ts";
import { callerIn, changes, everything, HOST, type Stage, type Story } from "../lib/stage.ts";
import { refuses } from "./unchanged.ts";

const RTM_DELLINK = 17;
const RTM_DELROUTE = 25;

/** Words for `ip`, and what is said of what then stands in the way. */
const WAYS: [words: string, message: RegExp][] = [
  ["link add vx_red type bridge", /link "vx_red": it exists but differs: kind is bridge, wanted vxlan/],
  [
    "link add vx_red type vxlan id 7 dstport 4789 dev ul0 group 239.1.1.101",
    /"vx_red": it exists but differs: .*id is 7, wanted 101/,
  ],
  [
    "link add vx_red type vxlan id 101 dstport 4789 dev ul0 group 239.9.9.9",
    /"vx_red".*group is 239\.9\.9\.9, wanted 239\.1\.1\.101/,
  ],
  ["link add mv_red link ul0 type macvlan mode bridge", /"mv_red".*parent/],
  ["link add other type vxlan id 101 dstport 4789 dev ul0 group 239.1.1.101", /VNI 101 is in use by link "other"/],
];

const IN_THE_WAY: readonly Story[] = WAYS.map(([words, message]) => ({
  title: `"ip ${words}" is in the way: named with the difference, and never deleted`,
  async run(stage) {
    await stage.ip(words);
    const before = await everything(stage);
    await refuses(stage, "c1", {}, [104, message]);
    await stage.run("DEL", "c1");
    deepEqual(await everything(stage), before);
  },
}));

const NONSENSE: [name: string, options: Call, code: number, message: RegExp][] = [
  [
    "a name that is too long",
    { config: netConf({ vxlans: [red({ name: "thirteen_long" })] }) },
    7,
    /vxlans\[0\]\.name/,
  ],
  ["a default that is no network", { config: netConf({ defaultNetwork: "green" }) }, 7, /defaultNetwork/],
  ["an underlay that is not there", { config: netConf({ vxlans: [red({ options: { vtepdev: "ul9" } })] }) }, 7, /ul9/],
  [
    "annotations of Kubernetes",
    { config: netConf({ k8sReadAnnotations: true }) },
    2,
    /k8sReadAnnotations: .* not available/,
  ],
  ["an IPAM type with a slash", { config: netConf({ ipam: { type: "a/b" } }) }, 7, /ipam\.type/],
  [
    "an IPAM plugin that is not there",
    { config: netConf({ ipam: { type: "none" } }) },
    106,
    /"none": it is in none of .*\/opt\/cni\/bin/,
  ],
  ["an unknown key of CNI_ARGS", { args: "COLOUR=red" }, 4, /unknown key COLOUR/],
  ["a namespace that is not there", { netns: "none" }, 8, /CNI_NETNS "\/run\/netns\/none": .*ENOENT/],
  ["a namespace that is a file", { netns: "/etc/passwd" }, 8, /CNI_NETNS "\/etc\/passwd": .*EINVAL/],
  ["the host's own namespace", { netns: HOST }, 8, /it is the host's own network namespace/],
];

/** An IPAM plugin that answers ADD in this way, and what is said then. */
const ANSWERS: [name: string, stdout: string, code: number, message: RegExp][] = [
  ["an answer that is no JSON", "hello", 106, /decode/],
  ["an answer that is no result", "[]", 6, /wanted an object/],
  ["a result without an address", '{"cniVersion":"1.0.0"}', 106, /no address/],
  ["an address without length", '{"ips":[{"address":"10.97.1.5"}]}', 106, /10\.97\.1\.5/],
  ["a broken gateway", '{"ips":[{"address":"10.97.1.5/24","gateway":"here"}]}', 106, /here/],
  ["a broken route", '{"ips":[{"address":"10.97.1.5/24"}],"routes":[{"dst":"no prefix"}]}', 106, /gateway|prefix/],
  [
    "a route that the kernel does not take",
    '{"ips":[{"address":"10.97.1.5/24","gateway":"10.97.1.1"}],"routes":[{"dst":"10.5.0.0/16","gw":"172.31.0.1"}]}',
    100,
    /10\.5\.0\.0\/16/,
  ],
];

/** Notes what the plugin `scripted` is asked; ADD is answered as said. */
function scripted(stage: Stage, answer: { stdout: string; code?: number }): string[] {
  const asked: string[] = [];
  stage.programs.set("/opt/cni/bin/scripted", ({ CNI_COMMAND = "", CNI_CONTAINERID, CNI_IFNAME }) => {
    asked.push(`${CNI_COMMAND} ${CNI_CONTAINERID} ${CNI_IFNAME}`);
    return CNI_COMMAND === "ADD" ? { code: 0, stderr: "", ...answer } : { code: 0, stdout: "", stderr: "" };
  });
  return asked;
}

const SCRIPTED = { config: netConf({ ipam: { type: "scripted" } }) };

export const FAILURE: readonly Story[] = [
  ...NONSENSE.map(([name, options, code, message]): Story => ({
    title: `${name} is found before anything is made`,
    run: (stage) => refuses(stage, "c1", options, [code, message]),
  })),
  {
    title:
      "what only looks like nonsense is taken: unknown keys that may be passed over, the host's own namespace on demand",
    async run(stage) {
      await stage.run("ADD", "c1", { args: "FOO=1;IgnoreUnknown=1;K8S_POD_NAME=x" });
      await stage.run("ADD", "c2", { netns: HOST, ifname: "here", env: { CNI_NETNS_OVERRIDE: "1" } });
      equal((await stage.link("here"))?.parent, "vx_red");
      for (const netns of [HOST, "none", "/etc/passwd"]) await stage.run("DEL", "c3", { netns });
      await stage.run("DEL", "c2", { netns: HOST, ifname: "here", env: { CNI_NETNS_OVERRIDE: "1" } });
      await stage.run("DEL", "c1");
      deepEqual(await changes(stage), []);
    },
  },
  {
    title: "an interface of that name exists: it stays as it is, and is not DEL's to remove",
    async run(stage) {
      await stage.ip("link add eth0 type bridge", "c1");
      await stage.ip("addr add 10.1.0.5/24 dev eth0", "c1");
      const before = await everything(stage);
      await refuses(stage, "c1", {}, [103, /interface "eth0" in "\/run\/netns\/c1": it exists already/]);
      await stage.run("DEL", "c1");
      deepEqual(await everything(stage), before);
    },
  },
  {
    title: "the same ADD twice: the first one's container stays as it is",
    async run(stage) {
      const prevResult = await stage.run("ADD", "c1");
      await refuses(stage, "c1", {}, [103, /it exists already; call DEL first/]);
      await stage.run("CHECK", "c1", { config: netConf({ prevResult }) });
    },
  },
  ...IN_THE_WAY,
  {
    title: "a changed configuration does not tear down what runs",
    async run(stage) {
      await stage.run("ADD", "c1");
      const message = /link "vx_red": it exists but differs: id is 101, wanted 999/;
      await refuses(stage, "c2", { config: netConf({ vxlans: [red({ id: 999 })] }) }, [104, message]);
      await stage.run("DEL", "c1", { config: netConf({ vxlans: [blue()], defaultNetwork: "blue" }) });
      deepEqual(await changes(stage), []);
    },
  },
  ...ANSWERS.map(([name, stdout, code, message]): Story => ({
    title: `${name} of an IPAM plugin is told, nothing is left, and it is asked to DEL`,
    async run(stage) {
      const asked = scripted(stage, { stdout });
      await refuses(stage, "c1", SCRIPTED, [code, message]);
      deepEqual(asked.filter((call) => call.includes("c1")), ["ADD c1 eth0", "DEL c1 eth0"]);
    },
  })),
  {
    title: "an error of an IPAM plugin is passed on with its code and its details",
    async run(stage) {
      scripted(stage, { code: 1, stdout: '{"code":42,"msg":"no luck","details":"today"}' });
      const { code, msg, details } = await stage.refuse("ADD", "c1", SCRIPTED);
      deepEqual([code, msg, details], [42, "no luck", "today"]);
      deepEqual(await changes(stage), []);
    },
  },
  {
    title: "a DEL that IPAM fails keeps what the next DEL needs, and releases the rest",
    async run(stage) {
      const ips = [{ address: "10.97.1.77/24", gateway: "10.97.1.1" }];
      scripted(stage, { stdout: JSON.stringify({ ips }) });
      await stage.run("ADD", "c1", SCRIPTED);
      const works = stage.programs.get("/opt/cni/bin/scripted");
      stage.programs.set("/opt/cni/bin/scripted", () => ({ code: 9, stdout: "", stderr: "out of order" }));
      const { code, msg, details } = await stage.refuse("DEL", "c1", SCRIPTED);
      deepEqual([code, details], [106, "out of order"], msg);
      deepEqual(await changes(stage, "c1"), []);
      if (works !== undefined) stage.programs.set("/opt/cni/bin/scripted", works);
      await stage.run("DEL", "c1", SCRIPTED);
      deepEqual(await changes(stage), []);
    },
  },
  {
    title: "a DEL that the kernel refuses tells all that could not be removed, and goes on with the rest",
    async run(stage) {
      const config = netConf({ vxlans: [red({ cidrs: ["fd00:97::/64"] })] });
      const [four, six] = (await stage.run("ADD", "c1", { config })).ips ?? [];
      const refusing = failingWorld(stage.world, {
        count: 0,
        fail: ({ type, payload: [family] }) => type === RTM_DELLINK || (type === RTM_DELROUTE && family === 2),
      });
      const { code, msg, details } = await callerIn(refusing).refuse("DEL", "c1", { config });
      equal(code, 100);
      match(msg, /Cannot delete link "eth0": EIO/);
      match(details, new RegExp(`Cannot delete route ${four?.address.replace("/24", "/32")}: EIO`));
      const left = await changes(stage);
      equal(left.filter((line) => line.includes(` ${six?.address.replace("/64", "")} `)).length, 0, left.join("\n"));
      await stage.run("DEL", "c1", { config });
      deepEqual(await changes(stage), []);
    },
  },
  {
    title: "SIGTERM while a claim spreads: undone, then said",
    async run(stage) {
      const before = await everything(stage);
      const config = netConf({ ipam: { type: "routetable-ipam", propagationTimeout: 60_000 } });
      const call = stage.call("ADD", "c1", { config });
      await stage.until(
        "claims of c1 and its gateway",
        async () => (await changes(stage)).filter((line) => line.includes("proto eigrp")).length === 2,
      );
      stage.interrupt();
      const { code, json } = await call;
      deepEqual([code, json?.code], [1, 107], json?.msg);
      deepEqual(await everything(stage), before);
    },
  },
];
