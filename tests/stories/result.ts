/** The result of ADD: its shape in every version, and what a chain brought before. */
import { deepEqual, equal, match } from "node:assert/strict";
import { addresses } from "../lib/caller.ts";
import { netConf, red } from "../lib/config.ts";
import { changes, type Stage, type Story } from "../lib/stage.ts";

const VERSIONS = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"];
/** Nobody gets an address that is asked for below by chance. */
const DUAL = [red({ cidrs: ["fd00:97::/64"], excludeFirst: 100 })];

const BEFORE = {
  interfaces: [{ name: "lo", sandbox: "/run/netns/c1" }, { name: "br0", mac: "02:00:5e:10:00:01" }],
  ips: [{ address: "192.168.7.2/24", gateway: "192.168.7.1", interface: 1 }],
  routes: [{ dst: "192.168.0.0/16", gw: "192.168.7.1" }],
  dns: { nameservers: ["192.168.7.53"] },
};

function since(version: string, least: string): boolean {
  return VERSIONS.indexOf(version) >= VERSIONS.indexOf(least);
}

/** The result that a version's specification asks for, from what `ip` shows. */
async function wanted(stage: Stage, version: string, id: string, ips: string[]): Promise<Record<string, unknown>> {
  const gateways = (await changes(stage)).flatMap((line) => /address mv_red inet6? ([^/]+)/.exec(line)?.[1] ?? []);
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
  const mac = async (name: string, container?: string) => (await stage.link(name, container))?.mac;
  return {
    cniVersion: version,
    interfaces: [
      { name: "vx_red", mac: await mac("vx_red"), ...mtu },
      { name: "mv_red", mac: await mac("mv_red"), ...mtu },
      { name: "eth0", mac: await mac("eth0", id), ...mtu, sandbox: `/run/netns/${id}` },
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

/** Every verb in one version; what did not exist in it is refused. */
async function speak(stage: Stage, version: string, ips: string[]): Promise<void> {
  const config = netConf({ cniVersion: version, vxlans: DUAL });
  const added = await stage.run("ADD", "c1", { config, args: `IP=${ips.join(",")}` });
  deepEqual(added, await wanted(stage, version, "c1", ips));
  const again = { config: { ...config, prevResult: added } };
  const gc = { config: { ...config, "cni.dev/valid-attachments": [{ containerID: "c2", ifname: "eth0" }] } };
  const verbs = [["CHECK", again, "0.4.0"], ["DEL", again, "0.1.0"], ["STATUS", { config }, "1.1.0"], [
    "GC",
    gc,
    "1.1.0",
  ]] as const;
  for (const [verb, options, least] of verbs) {
    if (since(version, least)) {
      const { code, stdout, stderr } = await stage.call(verb, "c1", options);
      deepEqual([code, stdout, stderr], [0, "", ""], `${verb} in ${version}`);
    } else {
      const { code, msg } = await stage.refuse(verb, "c1", options);
      equal(code, 1, msg);
      match(msg, new RegExp(`it exists since ${least}`));
    }
  }
}

export const RESULT: readonly Story[] = [
  {
    title: "it names three interfaces, and the address's by its position; dns is the configuration's",
    async run(stage) {
      const dns = {
        ...{ nameservers: ["10.97.1.53"], domain: "example.org" },
        ...{ search: ["example.org"], options: ["ndots:2"] },
      };
      const added = await stage.run("ADD", "c1", { config: netConf({ dns }) });
      deepEqual(added.interfaces?.map(({ name, mtu, sandbox }) => [name, mtu, sandbox]), [
        ["vx_red", 1450, undefined],
        ["mv_red", 1450, undefined],
        ["eth0", 1450, "/run/netns/c1"],
      ]);
      equal(added.interfaces?.[2]?.mac, (await stage.link("eth0", "c1"))?.mac);
      deepEqual([added.ips?.length, added.ips?.[0]?.interface], [1, 2]);
      deepEqual(added.routes, [{ dst: "0.0.0.0/0", gw: added.ips?.[0]?.gateway }]);
      deepEqual(added.dns, dns);
    },
  },
  {
    title: "every verb answers in every version, in its exact shape",
    async run(stage) {
      // The node's side stays as long as this one does.
      await stage.run("ADD", "c2", { config: netConf({ vxlans: DUAL }) });
      for (const [index, version] of VERSIONS.entries()) {
        await speak(stage, version, ["10.97.1.", "fd00:97::"].map((prefix) => `${prefix}${50 + index}`));
      }
      await stage.run("DEL", "c2");
      deepEqual(await changes(stage), []);
    },
  },
  {
    title: "a version that does not exist is refused with the list of those that do",
    async run(stage) {
      for (const verb of ["ADD", "DEL", "CHECK", "STATUS", "GC"]) {
        const { code, msg } = await stage.refuse(verb, "c1", { config: netConf({ cniVersion: "2.0.0" }) });
        equal(code, 1, verb);
        for (const version of VERSIONS) match(msg, new RegExp(version.replaceAll(".", "\\.")));
      }
      deepEqual(await changes(stage), []);
    },
  },
  {
    title: "in a chain, ours comes after what was there, positions stay right, in every version",
    async run(stage) {
      for (const cniVersion of ["0.3.1", "0.4.0", "1.0.0", "1.1.0"]) {
        const ips = BEFORE.ips.map((ip) => cniVersion.startsWith("0.") ? { version: "4", ...ip } : ip);
        const config = netConf({ cniVersion, prevResult: { cniVersion, ...BEFORE, ips } });
        const added = await stage.run("ADD", "c1", { config });
        equal(added.cniVersion, cniVersion);
        deepEqual(added.interfaces?.map(({ name }) => name), ["lo", "br0", "vx_red", "mv_red", "eth0"]);
        deepEqual(added.ips?.map((ip) => ip.interface), [1, 4]);
        equal(added.ips?.[0]?.address, "192.168.7.2/24");
        deepEqual(added.routes?.map(({ dst }) => dst), ["192.168.0.0/16", "0.0.0.0/0"]);
        deepEqual(added.dns, BEFORE.dns);
        if (cniVersion !== "0.3.1") await stage.run("CHECK", "c1", { config: { ...config, prevResult: added } });
        await stage.run("DEL", "c1", { config: { ...config, prevResult: added } });
        deepEqual(await changes(stage), []);
      }
    },
  },
  {
    title: "a default route that a chain has made stays the only one",
    async run(stage) {
      await stage.ip("link set lo up", "c1");
      await stage.ip("route add default dev lo", "c1");
      const prevResult = { cniVersion: "1.1.0", ips: [], routes: [{ dst: "0.0.0.0/0" }] };
      const added = await stage.run("ADD", "c1", { config: netConf({ prevResult }) });
      deepEqual(added.routes, [{ dst: "0.0.0.0/0" }]);
      const routes = (await changes(stage, "c1")).filter((line) => line.includes("default"));
      deepEqual(routes, ["+ route default dev lo scope link"]);
      equal(addresses(added).length, 1);
    },
  },
  {
    title: "a prevResult that is none is refused",
    async run(stage) {
      for (const prevResult of ["text", 5, [], { ips: "none" }, { ips: [{ address: 5 }] }]) {
        const { code, msg } = await stage.refuse("ADD", "c1", { config: netConf({ prevResult }) });
        equal(code, 6, msg);
        match(msg, /prevResult/);
      }
      deepEqual(await changes(stage), []);
    },
  },
];
