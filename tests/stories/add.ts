/** ADD: what is made on the node and in the container, and from what. */
import { deepEqual, equal, match } from "node:assert/strict";
import type { Answer } from "../lib/call.ts";
import { addresses } from "../lib/caller.ts";
import { blue, IPAM, netConf, OPTIONS, red } from "../lib/config.ts";
import { changes, type Stage, type Story } from "../lib/stage.ts";

const DUAL = netConf({ vxlans: [red({ cidrs: ["fd00:97::/64"] })] });
const BOTH = [red(), blue()];
const ON_BLUE = netConf({ vxlans: BOTH, defaultNetwork: "blue" });

const gatewaysOf = ({ ips = [] }: Answer) => ips.map(({ gateway = "" }) => gateway);

async function mtus(stage: Stage): Promise<(number | undefined)[]> {
  const links = [await stage.link("vx_red"), await stage.link("mv_red"), await stage.link("eth0", "c1")];
  return links.map((link) => link?.mtu);
}

export const ADD: readonly Story[] = [
  {
    title: "the first container gets the network made on the node, and everything in its own namespace",
    async run(stage) {
      const added = await stage.run("ADD", "c1");
      const [[ip], [gateway]] = [addresses(added), gatewaysOf(added)];
      deepEqual((await changes(stage)).filter((line) => !line.startsWith("+ file")), [
        `+ address mv_red inet ${gateway}/24`,
        "+ link mv_red",
        "+ link vx_red",
        "+ route 10.97.1.0/24 dev mv_red table 192 scope link",
        ...[ip, gateway].map((one) => `+ route ${one} dev mv_red proto eigrp`).sort(),
        "+ rule 32765:\tfrom 10.97.1.0/24 to 10.97.1.0/24 lookup 192",
      ]);
      deepEqual(await changes(stage, "c1"), [
        `+ address eth0 inet ${ip}/24`,
        "+ link eth0",
        `+ route default via ${gateway} dev eth0`,
      ]);
      await stage.ping(gateway ?? "", "c1");
      await stage.ping(ip ?? "");
    },
  },
  {
    title: "what this node made is recorded by facts, and by whose it is",
    async run(stage) {
      const added = await stage.run("ADD", "c1");
      const [[ip], [gateway]] = [addresses(added), gatewaysOf(added)];
      deepEqual((await changes(stage)).filter((line) => line.startsWith("+ file")), [
        ...[ip, gateway].map((one) => `+ file addresses/${one}.json`).sort(),
        "+ file attachments/vx_red/c1@eth0.json",
        `+ file claims/c1@eth0/mv_red@${ip}.json`,
        `+ file claims/gateway:mv_red/mv_red@${gateway}.json`,
        "+ file networks/vx_red.json",
      ]);
    },
  },
  {
    title: "the devices: a vxlan on the underlay, and macvlans on it; router advertisements count for nothing",
    async run(stage) {
      await stage.run("ADD", "c1");
      const [vx, mv, eth] = [
        await stage.link("vx_red"),
        await stage.link("mv_red"),
        await stage.link("eth0", "c1"),
      ];
      deepEqual([vx?.kind, mv?.kind, eth?.kind, mv?.parent, eth?.parent], [
        ...["vxlan", "macvlan", "macvlan"],
        ...["vx_red", "vx_red"],
      ]);
      deepEqual([vx?.up, mv?.up, eth?.up, (await stage.link("lo", "c1"))?.up], [true, true, true, false]);
      const { id, group, link, port, ageing, learning } = vx?.data ?? {};
      deepEqual([id, group, link, port, ageing, learning], [101, "239.1.1.101", "ul0", 4789, 300, true]);
      using node = stage.world.host();
      deepEqual(["vx_red", "mv_red"].map((name) => node.sysctl(`ipv6/conf/${name}/accept_ra`)), ["0", "0"]);
    },
  },
  {
    title: "both families have an address, a gateway, a claim, a bypass and a default route each",
    async run(stage) {
      const added = await stage.run("ADD", "c1", { config: DUAL });
      const [[, ip = ""], [gateway4, gateway = ""]] = [addresses(added), gatewaysOf(added)];
      deepEqual(added.ips?.map(({ address }) => address.split("/")[1]), ["24", "64"]);
      deepEqual(added.routes, [{ dst: "0.0.0.0/0", gw: gateway4 }, { dst: "::/0", gw: gateway }]);
      deepEqual((await changes(stage)).filter((line) => /^\+ (route|rule|address).*fd00:97:/.test(line)), [
        `+ address mv_red inet6 ${gateway}/64`,
        "+ route fd00:97::/64 dev mv_red table 192 metric 1024 pref medium",
        ...[ip, gateway].map((one) => `+ route ${one} dev mv_red proto eigrp metric 1024 pref medium`).sort(),
        "+ rule6 32765:\tfrom fd00:97::/64 to fd00:97::/64 lookup 192",
      ]);
      deepEqual((await changes(stage, "c1")).filter((line) => line.includes("fd00:97:")), [
        `+ address eth0 inet6 ${ip}/64`,
        `+ route default via ${gateway} dev eth0 metric 1024 pref medium`,
      ]);
      const [mv, eth] = [await stage.link("mv_red"), await stage.link("eth0", "c1")];
      deepEqual([mv?.tentative, eth?.tentative], [false, false]);
      await stage.ping(gateway, "c1");
      await stage.ping(ip);
    },
  },
  {
    title: "large IPv6 prefixes work alone, for two containers that reach each other",
    async run(stage) {
      for (const [cidr, length] of [["fd00:97::/64", 64], ["fd00:97:5::/48", 48]] as const) {
        const config = netConf({ vxlans: [red({ cidr })] });
        const [one, two] = [await stage.run("ADD", "c1", { config }), await stage.run("ADD", "c2", { config })];
        match(one.ips?.[0]?.address ?? "", new RegExp(`^fd00:97:.*/${length}$`));
        deepEqual(one.routes, [{ dst: "::/0", gw: gatewaysOf(one)[0] }]);
        for (const to of [...addresses(two), ...gatewaysOf(one)]) await stage.ping(to, "c1");
        await stage.run("CHECK", "c1", { config: { ...config, prevResult: one } });
        for (const id of ["c1", "c2"]) await stage.run("DEL", id, { config });
        deepEqual(await changes(stage), []);
      }
    },
  },
  {
    title: "the bypass can be turned off, and its table chosen",
    async run(stage) {
      const off = netConf({ vxlans: [red({ bypass: false })] });
      await stage.run("ADD", "c1", { config: off });
      deepEqual((await changes(stage)).filter((line) => /^\+ rule|table 192/.test(line)), []);
      await stage.run("DEL", "c1", { config: off });
      const config = netConf({ vxlans: [red({ bypassTable: 70000 })] });
      await stage.run("ADD", "c1", { config });
      deepEqual((await changes(stage)).filter((line) => /^\+ rule|table (192|70000)/.test(line)), [
        "+ route 10.97.1.0/24 dev mv_red table 70000 scope link",
        "+ rule 32765:\tfrom 10.97.1.0/24 to 10.97.1.0/24 lookup 70000",
      ]);
      await stage.run("DEL", "c1", { config });
      deepEqual(await changes(stage), []);
    },
  },
  {
    title: "claims carry the configured protocol and metric",
    async run(stage) {
      const config = netConf({ ipam: { ...IPAM, routeProtocol: 98, routeMetric: 77 } });
      const added = await stage.run("ADD", "c1", { config });
      deepEqual(
        (await changes(stage)).filter((line) => line.includes("proto 98")),
        [...addresses(added), ...gatewaysOf(added)].map((ip) => `+ route ${ip} dev mv_red proto 98 metric 77`).sort(),
      );
      await stage.run("CHECK", "c1", { config: { ...config, prevResult: added } });
      await stage.run("DEL", "c1", { config });
      deepEqual(await changes(stage), []);
    },
  },
  {
    title: "a vxlan gets only the options that are given; without a port it is the kernel's",
    async run(stage) {
      const options = { vtepdev: "ul0", group: "239.1.1.101", learning: "false", age: "60" };
      await stage.run("ADD", "c1", { config: netConf({ vxlans: [red({ mtu: 1400, options })] }) });
      const { data, txqlen } = await stage.link("vx_red") ?? {};
      deepEqual([data?.learning, data?.ageing, data?.port, data?.link], [false, 60, 8472, "ul0"]);
      deepEqual([await mtus(stage), txqlen], [[1400, 1400, 1400], 1000]);
    },
  },
  {
    title: "hardware address and queue length of the vxlan are the configured ones",
    async run(stage) {
      const options = { ...OPTIONS, vxlanhardwareaddr: "02:00:5E:10:00:01", vxlantxqlen: "123" };
      const config = netConf({ vxlans: [red({ options })] });
      const added = await stage.run("ADD", "c1", { config });
      const { mac, txqlen } = await stage.link("vx_red") ?? {};
      deepEqual([mac, txqlen, added.interfaces?.[0]?.mac], ["02:00:5e:10:00:01", 123, "02:00:5e:10:00:01"]);
      await stage.run("CHECK", "c1", { config: { ...config, prevResult: added } });
    },
  },
  {
    title: "the MTU is the configured one, else the underlay's minus the overhead of its family",
    async run(stage) {
      const cases: [mtu: number, changes: Record<string, unknown>, wanted: number][] = [
        [1500, {}, 1450],
        [9000, {}, 8950],
        [1500, { options: { ...OPTIONS, group: "ff05::101" } }, 1430],
        [1500, { options: { vtepdev: "ul0", srcaddr: "fd00:ff::1" } }, 1430],
        [1500, { mtu: 1300 }, 1300],
      ];
      for (const [mtu, changed, wanted] of cases) {
        await stage.ip(`link set ul0 mtu ${mtu}`);
        const config = netConf({ vxlans: [red(changed)] });
        const added = await stage.run("ADD", "c1", { config });
        deepEqual(added.interfaces?.map((one) => one.mtu), Array(3).fill(wanted), JSON.stringify(changed));
        deepEqual(await mtus(stage), Array(3).fill(wanted), JSON.stringify(changed));
        await stage.run("DEL", "c1", { config });
      }
    },
  },
  {
    title: "without vtepdev the underlay is the device of the route to the group, else of the default route",
    async run(stage) {
      await stage.ip("link add ul1 mtu 1400 type bridge");
      await stage.ip("link set ul1 up");
      await stage.ip("route add 239.1.1.103 dev ul1");
      const { vtepdev: _1, group: _2, ...options } = OPTIONS;
      const cases: [group: object, device: string | undefined, mtu: number][] = [
        [{ group: "239.1.1.101" }, "ul0", 1450],
        [{ group: "239.1.1.103" }, "ul1", 1350],
        [{ srcaddr: "fd00:ff::1" }, "ul0", 1430],
        [{}, "ul0", 1450],
      ];
      for (const [group, device, mtu] of cases) {
        const config = netConf({ vxlans: [red({ options: { ...options, ...group } })] });
        const added = await stage.run("ADD", "c1", { config });
        deepEqual([(await stage.link("vx_red"))?.data.link, (await mtus(stage))[0]], [device, mtu]);
        await stage.run("CHECK", "c1", { config: { ...config, prevResult: added } });
        await stage.run("DEL", "c1", { config });
      }
    },
  },
  {
    title: "the second container uses what is there, and gets the same gateway",
    async run(stage) {
      const [first, second] = [await stage.run("ADD", "c1"), await stage.run("ADD", "c2")];
      deepEqual(gatewaysOf(second), gatewaysOf(first));
      equal((await changes(stage)).filter((line) => line.startsWith("+ link")).length, 2);
    },
  },
  {
    title: "a second interface on another network keeps the first default route",
    async run(stage) {
      const first = await stage.run("ADD", "c1", { config: netConf({ vxlans: BOTH }) });
      const second = await stage.run("ADD", "c1", { config: ON_BLUE, ifname: "eth1" });
      match(addresses(second)[0] ?? "", /^10\.97\.2\./);
      deepEqual(second.routes, []);
      deepEqual((await changes(stage, "c1")).filter((line) => line.includes("default")), [
        `+ route default via ${gatewaysOf(first)[0]} dev eth0`,
      ]);
      const other = { config: { ...ON_BLUE, prevResult: second }, ifname: "eth1" };
      await stage.run("CHECK", "c1", other);
      await stage.run("CHECK", "c1", { config: netConf({ vxlans: BOTH, prevResult: first }) });
      await stage.run("DEL", "c1", other);
      await stage.run("CHECK", "c1", { config: netConf({ vxlans: BOTH, prevResult: first }) });
      await stage.run("DEL", "c1");
      deepEqual(await changes(stage), []);
    },
  },
  {
    title: "ADDs that come together make each network once, with one gateway",
    async run(stage) {
      const ipam = { type: "routetable-ipam", propagationTimeout: 100 };
      const config = netConf({ ipam, vxlans: BOTH });
      const added = await Promise.all([
        ...["c1", "c2", "c3"].map((id) => stage.run("ADD", id, { config })),
        stage.run("ADD", "c1", { config: { ...ON_BLUE, ipam }, ifname: "eth1" }),
      ]);
      equal(new Set(added.flatMap(addresses)).size, 4);
      equal(new Set(added.slice(0, 3).flatMap(gatewaysOf)).size, 1);
      equal((await changes(stage)).filter((line) => line.startsWith("+ address")).length, 2);
    },
  },
];
