/** DEL: success, and everything of the attachment released, whatever has become of the rest of the world. */
import { deepEqual, equal, ok } from "node:assert/strict";
import type { Call } from "../lib/call.ts";
import { addresses } from "../lib/caller.ts";
import { blue, IPAM, netConf, red } from "../lib/config.ts";
import { changes, everything, type Stage, type Story } from "../lib/stage.ts";

const { vxlans: _, ...WITHOUT_VXLANS } = netConf();
const ANNOTATION = { annotations: { "vxlan-cni.travishegner.com/NetworkName": "green" } };

/** What happened to the world since ADD, in words for `ip` (behind a name those in that container), and what DEL comes with. */
const CASES: Readonly<Record<string, { damages?: readonly string[]; options?: Call }>> = {
  "as it should be": {},
  "with prevResult null": { options: { config: netConf({ prevResult: null }) } },
  "without CNI_NETNS": { options: { netns: "" } },
  "without CNI_NETNS and CNI_PATH": { options: { netns: undefined, path: "" } },
  "with a CNI_NETNS that is a file": { options: { netns: "/etc/passwd" } },
  "namespace gone": { damages: ["netns del c1"] },
  "namespace replaced by a new one": { damages: ["netns del c1", "netns add c1"] },
  "interface gone": { damages: ["c1: link del eth0"] },
  "node's devices gone": { damages: ["link del vx_red"] },
  "interface and node's devices gone": { damages: ["c1: link del eth0", "link del vx_red"] },
  "mv_ gone": { damages: ["link del mv_red"] },
  "underlay gone": { damages: ["link del ul0"] },
  "claims and rule gone": { damages: ["route flush proto 192", "rule del priority 32765"] },
  "devices set down and changed": {
    damages: ["link set mv_red down mtu 1300", "link set vx_red down mtu 1300"],
  },
  "interface set down and changed": { damages: ["c1: link set eth0 down mtu 1300 address 02:00:00:00:00:77"] },
  "network renamed": { options: { config: netConf({ vxlans: [blue()], defaultNetwork: "blue" }) } },
  "network and ids renamed": {
    options: { config: netConf({ vxlans: [blue({ id: 7, cidr: "10.55.0.0/16" })], defaultNetwork: "blue" }) },
  },
  "vxlans gone": { options: { config: WITHOUT_VXLANS } },
  "vxlans broken": { options: { config: netConf({ vxlans: "none" }) } },
  "no default network": { options: { config: netConf({ defaultNetwork: "" }) } },
  "underlay renamed": { options: { config: netConf({ vxlans: [red({ options: { vtepdev: "none0" } })] }) } },
  "IPAM changed": { options: { config: netConf({ ipam: { type: "host-local" } }) } },
  "IPAM gone": { options: { config: netConf({ ipam: {} }) } },
  "id and protocol changed": {
    options: {
      config: netConf({ ipam: { ...IPAM, routeProtocol: 77 }, vxlans: [red({ id: 9, cidr: "10.9.0.0/24" })] }),
    },
  },
  "Kubernetes asked for": { options: { config: netConf({ k8sReadAnnotations: true }) } },
  "an annotation for another network": { options: { config: netConf({ args: ANNOTATION }) } },
  "unknown CNI_ARGS": { options: { args: "COLOUR=red" } },
};

/** A DEL that succeeds and says nothing. */
async function silent(stage: Stage, id: string, options: Call = {}): Promise<void> {
  const { code, stdout, stderr } = await stage.call("DEL", id, options);
  deepEqual([code, stdout, stderr], [0, "", ""]);
}

const WHATEVER: readonly Story[] = Object.entries(CASES).map(([name, { damages = [], options }]) => ({
  title: `${name}: everything is released, twice`,
  async run(stage) {
    await stage.run("ADD", "c1");
    for (const words of damages) {
      if (words.startsWith("c1: ")) await stage.ip(words.slice("c1: ".length), "c1");
      else await stage.ip(words);
    }
    for (let time = 1; time <= 2; time++) {
      await silent(stage, "c1", options);
      // What was damaged beside ours is not ours to mend.
      deepEqual((await changes(stage)).filter((line) => line.startsWith("+")), [], `after DEL ${time}`);
      deepEqual((await changes(stage, "c1")).filter((line) => line.startsWith("+")), [], `after DEL ${time}`);
    }
  },
}));

export const DEL: readonly Story[] = [
  ...WHATEVER,
  {
    title: "the namespace's file left behind: everything is released",
    async run(stage) {
      await stage.run("ADD", "c1");
      await stage.unmount("c1");
      await silent(stage, "c1");
      deepEqual(await changes(stage), []);
    },
  },
  ...[red({ cidrs: ["fd00:97::/64"] }), red({ bypass: false })].map((vxlan): Story => ({
    title: `the last container takes the network with it: ${JSON.stringify(vxlan.cidrs ?? "no bypass")}`,
    async run(stage) {
      const before = await everything(stage);
      const config = netConf({ vxlans: [vxlan] });
      await stage.run("ADD", "c1", { config });
      await silent(stage, "c1", { config });
      deepEqual(await everything(stage), before);
    },
  })),
  {
    title: "one of two containers goes, once, twice, or one that never was: the other stays as it is",
    async run(stage) {
      const prevResult = await stage.run("ADD", "c1");
      const alone = await everything(stage);
      await stage.run("ADD", "c2");
      for (const id of ["c2", "c2", "c9"]) {
        await silent(stage, id);
        deepEqual(await everything(stage), alone, id);
        await stage.run("CHECK", "c1", { config: netConf({ prevResult }) });
      }
    },
  },
  {
    title: "an interface of the same name in the namespace of another container is not taken for ours",
    async run(stage) {
      await stage.run("ADD", "c1");
      const prevResult = await stage.run("ADD", "c2");
      await silent(stage, "c1", { netns: "c2" });
      await silent(stage, "c9", { netns: "c2" });
      await stage.run("CHECK", "c2", { config: netConf({ prevResult }) });
      equal(await stage.link("eth0", "c1"), undefined);
      await silent(stage, "c2");
      deepEqual(await changes(stage), []);
    },
  },
  {
    title: "of two interfaces of one container only the named one goes, with its address",
    async run(stage) {
      const [one = ""] = addresses(await stage.run("ADD", "c1"));
      const alone = await everything(stage);
      const [two = ""] = addresses(await stage.run("ADD", "c1", { ifname: "eth1" }));
      await silent(stage, "c1", { ifname: "eth1" });
      deepEqual(await everything(stage), alone);
      ok(one !== two);
      await silent(stage, "c1");
      deepEqual(await changes(stage), []);
    },
  },
  {
    title: "a namespace made anew under the same path: DEL of the old container leaves the new one's interface",
    async run(stage) {
      await stage.run("ADD", "c1");
      await stage.ip("netns del c1");
      await stage.ip("netns add c1");
      const prevResult = await stage.run("ADD", "c2", { netns: "c1" });
      const before = await changes(stage, "c1");
      await silent(stage, "c1");
      deepEqual(await changes(stage, "c1"), before);
      await stage.run("CHECK", "c2", { netns: "c1", config: netConf({ prevResult }) });
      await silent(stage, "c2", { netns: "c1" });
      deepEqual([await changes(stage), await changes(stage, "c1")], [[], []]);
    },
  },
  {
    title: "without its records, the configuration and prevResult say what was claimed",
    async run(stage) {
      await stage.run("ADD", "c1");
      const prevResult = await stage.run("ADD", "c2");
      const [ip = ""] = addresses(prevResult);
      for (const line of await changes(stage)) {
        const file = line.replace("+ file ", "");
        if (/c2@|addresses/.test(file) && (file.includes("c2@") || file.includes(ip))) stage.store.remove(file);
      }
      await silent(stage, "c2", { config: netConf({ prevResult }) });
      deepEqual(await changes(stage, "c2"), []);
      equal((await changes(stage)).filter((line) => line.includes("proto eigrp")).length, 2);
      await silent(stage, "c1");
      deepEqual(await changes(stage), []);
    },
  },
  {
    title: "an interface of that name that is not ours stays",
    async run(stage) {
      await stage.run("ADD", "c1");
      await stage.ip("link del eth0", "c1");
      await stage.ip("link add eth0 type bridge", "c1");
      await silent(stage, "c1");
      deepEqual([await changes(stage), await changes(stage, "c1")], [[], ["+ link eth0"]]);
    },
  },
  {
    title: "when nobody is attached nothing of the ledger stays, not even a lock, whatever was called last",
    async run(stage) {
      const inTheWay = netConf({ vxlans: [blue()], defaultNetwork: "blue" });
      const last: Readonly<Record<string, () => Promise<unknown>>> = {
        DEL: () => silent(stage, "c1"),
        "a second DEL": () => silent(stage, "c1"),
        GC: () => stage.run("GC", "", { config: netConf({ "cni.dev/valid-attachments": [] }) }),
        "a refused ADD": () => stage.refuse("ADD", "c1", { config: inTheWay }),
      };
      await stage.ip("link add vx_blue type bridge");
      for (const [name, call] of Object.entries(last)) {
        await stage.run("ADD", "c1");
        if (name !== "GC") await silent(stage, "c1");
        await call();
        deepEqual(["lock", "making", "attachments", "networks"].flatMap((one) => stage.store.list(one)), [], name);
      }
    },
  },
  {
    title: "a route of a routing daemon's in the subnet is none of ours",
    async run(stage) {
      await stage.ip("route add 10.97.1.77 via 192.0.2.2 dev ul0 proto bird");
      const before = await everything(stage);
      await stage.run("ADD", "c1");
      await silent(stage, "c1");
      deepEqual(await everything(stage), before);
    },
  },
];
