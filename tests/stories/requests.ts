/** What a container may ask for: an address, a hardware address, a network. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import type { Call } from "../lib/call.ts";
import { addresses } from "../lib/caller.ts";
import { blue, netConf, red } from "../lib/config.ts";
import { changes, type Stage, type Story } from "../lib/stage.ts";
import { refuses } from "./unchanged.ts";

const PREFIX = "vxlan-cni.travishegner.com/";
/** Nobody gets one of the wanted addresses by chance. */
const LATE = [red({ excludeFirst: 100 })];

/** Adds containers until no address is left; returns the addresses, the gateway's first. */
async function fill(stage: Stage, config: unknown): Promise<string[]> {
  const all: string[] = [];
  for (let index = 1;; index++) {
    const id = `c${index}`;
    if (index > 3) await stage.ip(`netns add ${id}`);
    const { code, json } = await stage.call("ADD", id, { config });
    if (code !== 0) {
      equal(json?.code, 102, json?.msg);
      match(json?.msg ?? "", new RegExp(`all ${all.length} are taken`));
      deepEqual(await changes(stage, id), []);
      return all;
    }
    const [ip] = json?.ips ?? [];
    if (all.length === 0) all.push(ip?.gateway ?? "");
    equal(ip?.gateway, all[0]);
    all.push(...addresses(json ?? {}));
  }
}

const SUBNETS: [cidr: string, first: number, last: number, wanted: string[]][] = [
  ["10.97.1.8/29", 0, 0, [9, 10, 11, 12, 13, 14].map((one) => `10.97.1.${one}`)],
  ["10.97.1.8/29", 1, 1, [10, 11, 12, 13].map((one) => `10.97.1.${one}`)],
  ["10.97.1.0/30", 0, 0, ["10.97.1.1", "10.97.1.2"]],
  ["10.97.1.2/31", 0, 0, ["10.97.1.2", "10.97.1.3"]],
  ["fd00:97::8/125", 2, 1, ["fd00:97::b", "fd00:97::c", "fd00:97::d", "fd00:97::e"]],
  ["fd00:97::a/127", 0, 0, ["fd00:97::a", "fd00:97::b"]],
];

const SMALL: readonly Story[] = SUBNETS.map(([cidr, excludeFirst, excludeLast, wanted]) => ({
  title: `${cidr}, ${excludeFirst} and ${excludeLast} excluded: every address can be used, then it is full at once`,
  async run(stage) {
    const config = netConf({ vxlans: [red({ cidr, excludeFirst, excludeLast })] });
    deepEqual((await fill(stage, config)).toSorted(), wanted.toSorted());
    const claims = async () => (await changes(stage)).filter((line) => line.includes("proto eigrp"));
    const before = await claims();
    equal((await stage.refuse("STATUS", "", { config })).code, 50);
    // One goes, one can come.
    await stage.run("DEL", "c1", { config });
    await stage.run("STATUS", "", { config });
    await stage.run("ADD", "c1", { config });
    deepEqual(await claims(), before);
    for (let one = 1; one < wanted.length; one++) await stage.run("DEL", `c${one}`, { config });
    deepEqual(await changes(stage), []);
  },
}));

export const REQUESTS: readonly Story[] = [
  ...SMALL,
  {
    title: "a full subnet says how many addresses are excluded",
    async run(stage) {
      const config = netConf({ vxlans: [red({ cidr: "10.97.1.0/29", excludeFirst: 1, excludeLast: 1 })] });
      for (const id of ["c1", "c2", "c3"]) await stage.run("ADD", id, { config });
      await stage.ip("netns add c4");
      const words = /10\.97\.1\.0\/29: all 4 are taken \(1 excluded at its start, 1 at its end\)/;
      await refuses(stage, "c4", { config }, [102, words]);
    },
  },
  {
    title: "a subnet with one address has none for a container and its gateway",
    async run(stage) {
      for (const cidr of ["10.97.1.9/32", "fd00:97::9/128"]) {
        const { code } = await stage.refuse("ADD", "c1", { config: netConf({ vxlans: [red({ cidr })] }) });
        equal(code, 102);
        deepEqual(await changes(stage), []);
      }
    },
  },
  {
    title: "cidr and cidrs together give one address of each family",
    async run(stage) {
      for (const keys of [{ cidrs: ["fd00:97::/64"] }, { cidr: undefined, cidrs: ["10.97.1.0/24", "fd00:97::/64"] }]) {
        const added = await stage.run("ADD", "c1", { config: netConf({ vxlans: [red(keys)] }) });
        deepEqual(addresses(added).map((ip) => ip.includes(":")), [false, true]);
        await stage.run("DEL", "c1");
      }
      for (const cidrs of [["10.98.0.0/24"], [], ["fd00::/64", "fd01::/64"], ["fd00::1"]]) {
        await refuses(stage, "c1", { config: netConf({ vxlans: [red({ cidrs })] }) }, [7, /vxlans\[0\]\.cidrs/]);
      }
    },
  },
  {
    title: "address and hardware address: by capability, then args.cni, then CNI_ARGS, then annotation",
    async run(stage) {
      await stage.run("ADD", "c2", { config: netConf({ vxlans: LATE }) });
      const annotations = { [`${PREFIX}RequestedAddress`]: "10.97.1.24" };
      const runtimeConfig = { ips: ["10.97.1.21/24"], mac: "02:00:5e:10:00:21" };
      const args = { cni: { ips: ["10.97.1.22"], mac: "02:00:5e:10:00:22" }, annotations };
      const words = "IP=10.97.1.23;MAC=02:00:5e:10:00:23;K8S_POD_NAME=x;K8S_POD_NAMESPACE=y";
      const cases: [config: Record<string, unknown>, words: string | undefined, ip: string, mac?: string][] = [
        [{ runtimeConfig, args }, words, "10.97.1.21", "02:00:5e:10:00:21"],
        [{ args }, words, "10.97.1.22", "02:00:5e:10:00:22"],
        [{ args: { annotations } }, words, "10.97.1.23", "02:00:5e:10:00:23"],
        [{ args: { annotations } }, "IgnoreUnknown=1;COLOUR=red", "10.97.1.24"],
        [{ runtimeConfig: { ips: [] }, args: { annotations } }, undefined, "10.97.1.24"],
      ];
      for (const [changed, asked, ip, mac] of cases) {
        const added = await stage.run("ADD", "c1", { config: netConf({ vxlans: LATE, ...changed }), args: asked });
        deepEqual(addresses(added), [ip]);
        const eth = await stage.link("eth0", "c1");
        equal(added.interfaces?.[2]?.mac, eth?.mac);
        if (mac !== undefined) equal(eth?.mac, mac);
        await stage.run("DEL", "c1");
      }
    },
  },
  {
    title: "an address of each family can be asked for, in any order and spelling",
    async run(stage) {
      const vxlans = [blue({ cidrs: ["fd00:97::/64"] })];
      const runtimeConfig = { ips: ["fd00:97::5", "10.97.2.5/24"] };
      const added = await stage.run("ADD", "c1", {
        config: netConf({ runtimeConfig, vxlans, defaultNetwork: "blue" }),
      });
      deepEqual(addresses(added), ["10.97.2.5", "fd00:97::5"]);
    },
  },
  {
    title: "an address that is taken, that no host can have, or that is none is refused at once",
    async run(stage) {
      const config = netConf({ vxlans: LATE });
      await stage.run("ADD", "c1", { config, args: "IP=10.97.1.20" });
      await stage.ip("route add 10.97.1.30 via 192.0.2.9 dev ul0");
      const gateway = (await changes(stage)).flatMap((line) => /address mv_red inet ([^/]+)/.exec(line)?.[1] ?? [])[0];
      const cases: [args: string, code: number, words: RegExp][] = [
        ["IP=10.97.1.20", 101, /address 10\.97\.1\.20: a host route leads to it/],
        ["IP=10.97.1.30", 101, /address 10\.97\.1\.30: a host route leads to it/],
        [`IP=${gateway}`, 101, /a host route leads to it/],
        ["IP=10.97.1.255", 7, /broadcast address/],
        ["IP=10.97.1.0", 7, /network id/],
        ["IP=10.97.2.20", 7, /wanted an address in 10\.97\.1\.0\/24, got "10\.97\.2\.20"/],
        ["IP=10.97.1.256", 7, /CNI_ARGS IP: wanted an IP address, got "10\.97\.1\.256"/],
        ["IP=fd00::1", 7, /fd00::1/],
        ["IP=10.97.1.40,10.97.1.41", 7, /one address of each family/],
      ];
      for (const [args, code, words] of cases) await refuses(stage, "c2", { config, args }, [code, words]);
      deepEqual(addresses(await stage.run("ADD", "c2", { config, args: "IP=10.97.1.21" })), ["10.97.1.21"]);
    },
  },
  {
    title: "a hardware address that no device can have is refused",
    async run(stage) {
      for (const mac of ["ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "00:00:00:00:00:00", "02:00:5e", "text"]) {
        const config = netConf({ runtimeConfig: { mac } });
        await refuses(stage, "c1", { config }, [7, new RegExp(`runtimeConfig\\.mac.*"${mac}"`)]);
        await refuses(stage, "c1", { args: `MAC=${mac}` }, [7, new RegExp(`CNI_ARGS MAC.*"${mac}"`)]);
      }
    },
  },
  {
    title: "the node's own gateway never takes the address that its first container asks for",
    async run(stage) {
      const config = netConf({ vxlans: [red({ cidr: "10.97.1.0/30", cidrs: ["fd00:97::/127"] })] });
      for (let round = 0; round < 8; round++) {
        const ips = round % 2 === 0 ? ["10.97.1.1", "fd00:97::"] : ["10.97.1.2", "fd00:97::1"];
        deepEqual(addresses(await stage.run("ADD", "c1", { config, args: `IP=${ips.join(",")}` })), ips);
        await stage.run("DEL", "c1", { config });
      }
    },
  },
  {
    title: "the network is chosen by annotation, then Kubernetes namespace, then default",
    async run(stage) {
      const vxlans = [red(), blue()];
      const args = { annotations: { [`${PREFIX}NetworkName`]: "red" } };
      const cases: [changed: Record<string, unknown>, words: string | undefined, prefix: string][] = [
        [{ defaultNetwork: "blue", args }, "K8S_POD_NAMESPACE=blue", "10.97.1."],
        [{ defaultNetwork: "red", k8sNetworkFromNamespace: true }, "K8S_POD_NAMESPACE=blue", "10.97.2."],
        [{ defaultNetwork: "red", k8sNetworkFromNamespace: true }, "K8S_POD_NAMESPACE=other", "10.97.1."],
        [{ defaultNetwork: "red" }, "K8S_POD_NAMESPACE=blue", "10.97.1."],
      ];
      for (const [changed, words, prefix] of cases) {
        const options: Call = { config: netConf({ vxlans, ...changed }), args: words };
        ok(addresses(await stage.run("ADD", "c1", options))[0]?.startsWith(prefix), JSON.stringify(changed));
        await stage.run("DEL", "c1", options);
      }
      const green = { annotations: { [`${PREFIX}NetworkName`]: "green" } };
      const words = /NetworkName.*"red", "blue".*"green"/;
      await refuses(stage, "c1", { config: netConf({ vxlans, args: green }) }, [7, words]);
      deepEqual(await changes(stage), []);
    },
  },
];
