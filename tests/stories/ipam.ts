/** The IPAM plugin on its own: called by another main plugin, or by the original one with nothing but CNI_ARGS. */
import { deepEqual, equal, match } from "node:assert/strict";
import { addresses } from "../lib/caller.ts";
import type { Call } from "../lib/call.ts";
import { changes, everything, type Stage, type Story } from "../lib/stage.ts";

const IPAM = { type: "routetable-ipam", subnet: "10.97.1.0/24", device: "mv_red", propagationTimeout: 0 };
/** What a subnet of two addresses is. */
const TINY = { subnet: "10.97.1.0/30" };

function conf(ipam: object = {}, top: object = {}): Record<string, unknown> {
  return { cniVersion: "1.1.0", name: "vxnet", type: "macvlan", master: "ul0", ipam: { ...IPAM, ...ipam }, ...top };
}

/** The claims on a node with a device for them, and the ways to ask. */
async function claiming(stage: Stage) {
  await stage.ip("link add mv_red link ul0 type macvlan mode bridge");
  await stage.ip("link set mv_red up");
  const before = await everything(stage);
  const as = (config: unknown, options: Call): Call => ({ program: "routetable-ipam", config, ...options });
  return {
    run: (verb: string, id: string, config: unknown = conf(), options: Call = {}) =>
      stage.run(verb, id, as(config, options)),
    refuse: (verb: string, id: string, config: unknown = conf(), options: Call = {}) =>
      stage.refuse(verb, id, as(config, options)),
    /** An ADD that is refused and changes nothing. */
    async refuses(id: string, config: unknown, options: Call, [code, words]: readonly [number, RegExp]) {
      const state = await everything(stage);
      const { code: got, msg } = await stage.refuse("ADD", id, as(config, options));
      equal(got, code, msg);
      match(msg, words);
      deepEqual(await everything(stage), state, msg);
    },
    async claims() {
      return (await changes(stage)).flatMap((line) => /^\+ route (\S+) dev \S+ proto/.exec(line)?.[1] ?? []);
    },
    nothingLeft: async () => deepEqual(await everything(stage), before),
  };
}

const NONSENSE: [ipam: object, options: Call, code: number, message: RegExp][] = [
  [{ subnet: "10.97.1.0" }, {}, 7, /ipam\.subnet: wanted a prefix .*, got "10\.97\.1\.0"/],
  [{ subnet: undefined }, {}, 7, /ipam\.subnet: wanted a prefix .*, got nothing/],
  [{ cidrs: ["10.98.0.0/16"] }, {}, 7, /ipam\.cidrs: wanted at most one prefix of each family/],
  [{ device: "none0" }, {}, 7, /ipam\.device: wanted a network device .*, got "none0"/],
  [{ device: 5 }, {}, 7, /ipam\.device: wanted the name of a network device, got 5/],
  [{ excludeFirst: -1 }, {}, 7, /ipam\.excludeFirst: wanted a whole number/],
  [{ propagationTimeout: "250" }, {}, 7, /ipam\.propagationTimeout: wanted a whole number from 0 to 60000, got "250"/],
  [{ routeProtocol: 2 }, {}, 7, /ipam\.routeProtocol: wanted a whole number from 4 to 255, got 2/],
  [{ routeMetric: -1 }, {}, 7, /ipam\.routeMetric/],
  [{ probe: 1 }, {}, 7, /ipam\.probe: wanted true or false, got 1/],
  [{ reserve: 1001 }, {}, 7, /ipam\.reserve: wanted a whole number from 0 to 1000, got 1001/],
  [{ routes: [{}] }, {}, 7, /ipam\.routes\[0\]\.dst: wanted a prefix, got nothing/],
  [{ gateway: "x" }, {}, 7, /ipam\.gateway: wanted an IP address, got "x"/],
  [{}, { args: "CIDR=x" }, 7, /CNI_ARGS CIDR/],
  [{}, { args: "LINK_INDEX=x" }, 4, /LINK_INDEX: wanted a whole number, got "x"/],
  [{}, { args: "LINK_INDEX=77" }, 7, /LINK_INDEX 77, which does not exist/],
  [{}, { args: "FOO=1" }, 4, /unknown key FOO/],
];

export const IPAM_ALONE: readonly Story[] = [
  {
    title: "ADD answers with an address, its routes and its gateway; the claim is a host route",
    async run(stage) {
      const { run, claims } = await claiming(stage);
      const routes = [{ dst: "0.0.0.0/0" }];
      const added = await run("ADD", "c1", conf({ gateway: "10.97.1.1", routes, excludeFirst: 1 }));
      const address = added.ips?.[0]?.address;
      deepEqual(added, { cniVersion: "1.1.0", ips: [{ address, gateway: "10.97.1.1" }], routes, dns: {} });
      deepEqual(await claims(), addresses(added));
    },
  },
  {
    title: "the keys subnet, cidr and cidrs mean the same, both families at once",
    async run(stage) {
      const { run, nothingLeft } = await claiming(stage);
      for (
        const keys of [{ cidr: "10.97.1.0/24", subnet: undefined }, { subnet: undefined, cidrs: ["10.97.1.0/24"] }]
      ) {
        equal((await run("ADD", "c1", conf(keys))).ips?.length, 1);
        await run("DEL", "c1", conf(keys));
      }
      const { ips } = await run("ADD", "c1", conf({ cidrs: ["fd00:97:1::/64"] }));
      deepEqual(ips?.map(({ address }) => address.split("/")[1]), ["24", "64"]);
      await run("DEL", "c1");
      await nothingLeft();
    },
  },
  {
    title: "protocol and metric of the claim are as configured; without a device it is the main plugin's",
    async run(stage) {
      const { run } = await claiming(stage);
      const added = await run("ADD", "c1", conf({ routeProtocol: 98, routeMetric: 77, device: undefined }));
      const routes = (await changes(stage)).filter((line) => line.includes("proto 98"));
      deepEqual(routes, [`+ route ${addresses(added)[0]} dev ul0 proto 98 metric 77`]);
    },
  },
  {
    title: "the original's hand-off: everything in CNI_ARGS, an empty ipam section, and its result in 0.4.0",
    async run(stage) {
      const { run, refuse, claims, nothingLeft } = await claiming(stage);
      const device = await stage.link("mv_red");
      const args = `CIDR=10.97.1.0/24;EXCLUDE_FIRST=1;EXCLUDE_LAST=1;LINK_INDEX=${device?.index}`;
      const config = {
        ...{ cniVersion: "0.4.0", name: "vxnet", type: "vxlan" },
        ipam: { type: "route-table", propagationTimeout: 0 },
      };
      const asked = { args: `${args};IP=10.97.1.20` };
      const added = await run("ADD", "c1", config, asked);
      const ips = [{ version: "4", address: "10.97.1.20/24" }];
      deepEqual(added, { cniVersion: "0.4.0", ips, routes: [], dns: {} });
      deepEqual(await claims(), ["10.97.1.20"]);
      equal((await refuse("ADD", "c2", config, asked)).code, 101);
      await run("DEL", "c1", config, asked);
      await nothingLeft();
    },
  },
  {
    title: "an excluded address can be asked for, the network id and the broadcast cannot",
    async run(stage) {
      const { run, refuses } = await claiming(stage);
      const config = conf({ excludeFirst: 10 });
      deepEqual(addresses(await run("ADD", "c1", config, { args: "IP=10.97.1.5" })), ["10.97.1.5"]);
      await refuses("c2", config, { args: "IP=10.97.1.0" }, [7, /its network id/]);
      await refuses("c2", config, { args: "IP=10.97.1.255" }, [7, /its broadcast address/]);
      await refuses("c2", config, { args: "IP=10.97.2.1" }, [7, /an address in 10\.97\.1\.0\/24/]);
    },
  },
  {
    title: "twice for the same interface is an error, as is a full subnet and a taken address",
    async run(stage) {
      const { run, refuses } = await claiming(stage);
      await run("ADD", "c1", conf(TINY), { args: "IP=10.97.1.1" });
      await refuses("c1", conf(TINY), {}, [101, /its address is 10\.97\.1\.1 already; call DEL first/]);
      await refuses("c2", conf(), { args: "IP=10.97.1.1" }, [101, /10\.97\.1\.1/]);
      await run("ADD", "c2", conf(TINY));
      await refuses("c3", conf(TINY), {}, [102, /all 2 are taken/]);
    },
  },
  {
    title: "DEL releases what the record says, whatever has become of the configuration; twice, and for nothing",
    async run(stage) {
      const { run, nothingLeft } = await claiming(stage);
      for (const ipam of [{}, { subnet: "no" }, { device: "none0" }, { subnet: undefined }, { routeProtocol: 77 }]) {
        await run("ADD", "c1");
        for (let time = 0; time < 2; time++) await run("DEL", "c1", conf(ipam));
        await run("DEL", "c9", conf(ipam));
        await nothingLeft();
      }
    },
  },
  {
    title: "DEL without a record goes by prevResult",
    async run(stage) {
      const { run, nothingLeft } = await claiming(stage);
      const prevResult = await run("ADD", "c1");
      for (const line of await changes(stage)) {
        if (line.startsWith("+ file ")) stage.store.remove(line.slice("+ file ".length));
      }
      await run("DEL", "c1", conf({}, { prevResult }));
      await nothingLeft();
    },
  },
  {
    title: "CHECK: the claim is there; it is gone; another node's route to the address",
    async run(stage) {
      const { run, refuse } = await claiming(stage);
      const prevResult = await run("ADD", "c1", conf({ routeMetric: 100 }), { args: "IP=10.97.1.20" });
      const config = conf({ routeMetric: 100 }, { prevResult });
      deepEqual(await run("CHECK", "c1", config), {});
      await stage.ip("addr add 198.51.100.9/24 dev ul0");
      // The node with the higher address on the underlay loses: 198.51.100.9 is ours.
      await stage.ip("route add 10.97.1.20 via 198.51.100.12 dev ul0 proto bird");
      deepEqual(await run("CHECK", "c1", config), {});
      await stage.ip("route del 10.97.1.20");
      await stage.ip("route add 10.97.1.20 via 198.51.100.3 dev ul0 proto bird");
      const { code, msg } = await refuse("CHECK", "c1", config);
      equal(code, 105);
      match(msg, /the node behind 198\.51\.100\.3 has the same address, and keeps it/);
      await stage.ip("route del 10.97.1.20");
      await stage.ip("route flush proto 192");
      match((await refuse("CHECK", "c1", config)).msg, /its host route on "mv_red" is missing/);
    },
  },
  {
    title: "CHECK of what was never added finds nothing to look for",
    async run(stage) {
      const { refuse } = await claiming(stage);
      const { code, msg } = await refuse("CHECK", "c1");
      equal(code, 105);
      match(msg, /no record and no address in prevResult/);
    },
  },
  {
    title: "STATUS: ready, full, without its device",
    async run(stage) {
      const { run, refuse } = await claiming(stage);
      deepEqual(await run("STATUS", ""), {});
      equal((await refuse("STATUS", "", conf({ device: "none0" }))).code, 50);
      const single = conf({ subnet: "10.97.1.0/32" });
      await run("ADD", "c1", single);
      const { code, msg } = await refuse("STATUS", "", single);
      deepEqual([code, msg], [50, "Cannot give out addresses of 10.97.1.0/32: all 1 are taken"]);
    },
  },
  {
    title: "GC: error 7 without a list; what is not listed goes, of this network only",
    async run(stage) {
      const { run, refuse, claims } = await claiming(stage);
      await run("ADD", "c1", conf(), { args: "IP=10.97.1.1" });
      await run("ADD", "c2", conf(), { args: "IP=10.97.1.2" });
      await run("ADD", "c3", conf({}, { name: "other" }), { args: "IP=10.97.1.3" });
      const gc = (kept: unknown[]) => run("GC", "", conf({}, { "cni.dev/valid-attachments": kept }));
      equal((await refuse("GC", "")).code, 7);
      equal((await claims()).length, 3);
      await gc([{ containerID: "c1", ifname: "eth0" }]);
      deepEqual(await claims(), ["10.97.1.1", "10.97.1.3"]);
      await gc([]);
      deepEqual(await claims(), ["10.97.1.3"]);
    },
  },
  ...NONSENSE.map(([ipam, options, code, message]): Story => ({
    title: `${JSON.stringify({ ...ipam, ...options })} is an error that names key, wanted and got`,
    run: async (stage) => await (await claiming(stage)).refuses("c1", conf(ipam), options, [code, message]),
  })),
];
