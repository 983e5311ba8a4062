/** Every vxlan option of the configuration against the words of `ip link` that mean the same. */
import { deepEqual } from "node:assert/strict";
import { netConf, red } from "../lib/config.ts";
import { type Host, loneHost } from "../lib/host.ts";
import { realStage } from "./stage.ts";

interface Link {
  txqlen: number;
  linkinfo: { info_data: Record<string, unknown> };
}

/** Options as the configuration spells them, and the words of `ip link add ... type vxlan`. */
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

async function link(host: Host, name: string): Promise<unknown> {
  const [found] = await host.ip<Link>(`link show ${name}`);
  return { txqlen: found?.txqlen, ...found?.linkinfo.info_data };
}

Deno.test("every vxlan option says to the kernel what it says to ip link, and nothing is said that was not given", async (t) => {
  await using host = await loneHost();
  await using reference = await loneHost();
  const stage = await realStage(host);
  for (const [index, [options, words]] of CASES.entries()) {
    await t.step(JSON.stringify(options), async () => {
      const config = netConf({ defaultNetwork: `n${index}`, vxlans: NETWORKS });
      await stage.run("ADD", "c1", { config, ifname: `eth${index}` });
      const port = options.port === undefined ? `dstport ${5000 + index}` : "";
      const command = `ip link add vx_n${index} type vxlan id ${1000 + index} dev ul0 ${port} ${words}`;
      await reference.must(command.split(/ +/).filter((word) => word !== ""));
      deepEqual(await link(host, `vx_n${index}`), await link(reference, `vx_n${index}`), command);
    });
  }
});
