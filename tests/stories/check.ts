/** CHECK: each damage is found and named; what a chain did is none. */
import { deepEqual, equal, match } from "node:assert/strict";
import { addresses } from "../lib/caller.ts";
import { netConf, red } from "../lib/config.ts";
import { changes, everything, type Stage, type Story } from "../lib/stage.ts";

const DUAL = { vxlans: [red({ cidrs: ["fd00:97::/64"] })] };
const KEPT = { "cni.dev/valid-attachments": [{ containerID: "c1", ifname: "eth0" }] };

/** Words for `ip`, in `c1` or on the node, and what CHECK must say of it. */
const DAMAGES: [words: string, container: string | undefined, message: RegExp][] = [
  ["link del eth0", "c1", /link "eth0" is missing/],
  ["link set eth0 down", "c1", /link "eth0" has state down, not up/],
  ["addr flush dev eth0 scope global", "c1", /address 10\.97\.1\.\d+\/24 on "eth0" is missing/],
  ["route del default", "c1", /route 0\.0\.0\.0\/0 via .* is missing/],
  ["link del vx_red", undefined, /link "vx_red" is missing/],
  ["link set vx_red down", undefined, /link "vx_red" has state down, not up/],
  ["link del mv_red", undefined, /link "mv_red" is missing/],
  ["link set mv_red down", undefined, /link "mv_red" has state down, not up/],
  ["rule del priority 32765", undefined, /rule 32765: from and to 10\.97\.1\.0\/24 lookup 192/],
  ["route flush table 192", undefined, /route 10\.97\.1\.0\/24 dev "mv_red" in table 192 is missing/],
  ["addr flush dev mv_red scope global", undefined, /gateway address of IPv4 on "mv_red" is missing/],
  [
    "route flush proto 192",
    undefined,
    /Cannot find the claim of 10\.97\.1\.\d+: its host route on "mv_red" is missing/,
  ],
];

/** The configuration of an attached `c1`, with its result. */
async function attached(stage: Stage): Promise<Record<string, unknown>> {
  const config = netConf(DUAL);
  return { ...config, prevResult: await stage.run("ADD", "c1", { config }) };
}

const FOUND: readonly Story[] = DAMAGES.map(([words, container, message]) => ({
  title: `it finds what "ip ${words}" does ${container === undefined ? "to the node" : "to the container"}`,
  async run(stage) {
    const config = await attached(stage);
    await stage.ip(words, container);
    const { code, msg } = await stage.refuse("CHECK", "c1", { config });
    equal(code, 105, msg);
    match(msg, message);
    await stage.run("DEL", "c1", { config });
    deepEqual(await changes(stage), []);
  },
}));

export const CHECK: readonly Story[] = [
  {
    title: "it says nothing of what is as it should be; CHECK, STATUS and GC change nothing",
    async run(stage) {
      const config = await attached(stage);
      const before = await everything(stage);
      for (const verb of ["CHECK", "STATUS", "GC"]) {
        const { code, stdout, stderr } = await stage.call(verb, "c1", { config: { ...config, ...KEPT } });
        deepEqual([code, stdout, stderr], [0, "", ""], verb);
        deepEqual(await everything(stage), before, verb);
      }
    },
  },
  ...FOUND,
  {
    title: "all differences are told at once",
    async run(stage) {
      const config = await attached(stage);
      await stage.ip("link set eth0 down", "c1");
      await stage.ip("rule del priority 32765");
      const { msg } = await stage.refuse("CHECK", "c1", { config });
      match(msg, /rule 32765.*; .*link "eth0" has state down/);
    },
  },
  {
    title: "it wants a prevResult of the same configuration and the same address, and a namespace",
    async run(stage) {
      const config = await attached(stage);
      const refused = async (options: Parameters<Stage["refuse"]>[2]) => {
        const { code, msg } = await stage.refuse("CHECK", "c1", options);
        return `${code} ${msg}`;
      };
      match(await refused({ config: netConf(DUAL) }), /^7 .*prevResult/);
      match(await refused({ config, netns: "/run/netns/none" }), /^8 .*CNI_NETNS/);
      match(await refused({ config: { ...config, vxlans: [red({ id: 7 })] } }), /^105 .*"vx_red" has id 101, not 7/);
      const prevResult = config.prevResult as { ips: { address: string }[] };
      const [ip = ""] = addresses(prevResult);
      const address = ip.endsWith(".9") ? "10.97.1.8/24" : "10.97.1.9/24";
      const wrong = { ...prevResult, ips: [{ ...prevResult.ips[0], address }] };
      match(await refused({ config: { ...config, prevResult: wrong } }), /^105 .*address 10\.97\.1\.[89]\/24/);
      await stage.ip("netns del c1");
      match(await refused({ config }), /^8 .*CNI_NETNS/);
    },
  },
  {
    title: "it does not mind what a chain added, moved or changed",
    async run(stage) {
      const config = await attached(stage);
      const [route = ""] = (await changes(stage, "c1")).filter((line) => line.includes("default via 10."));
      await stage.ip("link add net0 type bridge", "c1");
      await stage.ip("link set eth0 address 02:00:00:00:00:77 mtu 1300", "c1");
      await stage.ip("route add 10.55.0.0/16 dev eth0", "c1");
      await stage.ip("route del default", "c1");
      await stage.ip(`${route.replace("+ route", "route add")} table 100`, "c1");
      await stage.run("CHECK", "c1", { config });
    },
  },
];
