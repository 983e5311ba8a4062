/**
 * `deno task test:race [ROUNDS=100] [--write]`: the same address asked for on three nodes, at the same moment and with skews, under each way
 * to spread the claims; and a /28 filled from three nodes. Prints the tables of docs/routing.md; `--write` puts them there.
 */
import { Cluster, type ClusterOptions } from "../tests/lab/cluster.ts";
import { fill, race } from "../tests/lab/race.ts";

const SKEWS = [0, 1, 5, 20, 100];
const NETWORKS = [{ name: "red", cidrs: ["10.97.0.0/16", "fd00:97:1::/64"] }];
const WAYS: [name: string, options: Pick<ClusterOptions, "routing" | "ipam">][] = [
  ["BIRD iBGP", { routing: "bird-ibgp" }],
  ["BIRD OSPF (window 250 ms)", { routing: "bird-ospf", ipam: { propagationTimeout: 250 } }],
  ["FRR iBGP", { routing: "frr-bgp" }],
  ["no daemon", { routing: "none" }],
  ["BIRD iBGP, `reserve: 2`", { routing: "bird-ibgp", ipam: { reserve: 2 } }],
];
const FILLS = 20;
const DOCUMENT = new URL("../docs/routing.md", import.meta.url);
const MARK = /<!-- RACE TABLE[^>]*-->[^]*$/;

const rounds = Number(Deno.args.find((word) => /^\d+$/.test(word)) ?? 100);

/** One row of the table. */
async function races([name, options]: typeof WAYS[number]): Promise<string> {
  await using cluster = await Cluster.make({ networks: NETWORKS, ...options });
  for (const node of cluster.nodes) await cluster.add(node, "first");
  for (const node of cluster.nodes) await cluster.container(node, "c");
  const losers: number[] = [];
  const winners = new Map<number, number>();
  const oddities: string[] = [];
  let total = 0;
  for (const skew of SKEWS) {
    for (let round = 0; round < rounds; round++) {
      const number = total++;
      const address = number % 5 === 4
        ? `fd00:97:1::${number.toString(16)}`
        : `10.97.${10 + (number >> 7)}.${1 + (number & 127)}`;
      const outcome = await race(cluster, "c", { address, skew });
      winners.set(outcome.winners.length, (winners.get(outcome.winners.length) ?? 0) + 1);
      losers.push(...outcome.losers);
      oddities.push(...outcome.oddities);
    }
  }
  for (const text of oddities) console.error(`${name}: ${text}`);
  const times = losers.sort((a, b) => a - b);
  const at = (part: number) => Math.round(times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? NaN);
  const more = [...winners].reduce((sum, [count, often]) => sum + (count > 1 ? often : 0), 0);
  return `| ${name} | ${total} | ${winners.get(1) ?? 0} | ${more} | ${winners.get(0) ?? 0} | ${at(0.5)} / ${
    at(0.95)
  } / ${at(1)} |`;
}

async function fills([name, options]: typeof WAYS[number]): Promise<string> {
  await using cluster = await Cluster.make({ networks: [{ name: "red", cidrs: ["10.97.1.0/28"] }], ...options });
  let distinct = 0;
  let clean = 0;
  for (let round = 0; round < FILLS; round++) {
    const { given, last } = await fill(cluster, `r${round}`, 4);
    if (given.length === 11 && new Set(given).size === 11) distinct++;
    if (last === 102 && (await cluster.left()).length === 0) clean++;
  }
  return `| ${name} | ${FILLS} | ${distinct} | ${clean} |`;
}

const rows = await Promise.all(WAYS.map(races));
const filled = await Promise.all([WAYS[0], WAYS[3]].flatMap((way) => way === undefined ? [] : [fills(way)]));
const table = `<!-- RACE TABLE: written by the race task. -->

Measured ${
  new Date().toISOString().slice(0, 10)
} on ${navigator.hardwareConcurrency} cores, all rows at the same time. Each race: one address, asked for on
three nodes by the built executable, ${rounds} rounds with each skew of ${
  SKEWS.join(", ")
} ms between the nodes' calls; every fifth address is IPv6.
The losers' time is that of the whole process, start-up included.

| routing | races | one winner | more than one | none | losers know after: median / p95 / max ms |
|---|---|---|---|---|---|
${rows.join("\n")}

A /28 filled from three nodes, four ADDs at once on each, then one by one: 11 addresses beside the three gateways.

| routing | rounds | 11 distinct addresses | last ADD error 102, nothing left |
|---|---|---|---|
${filled.join("\n")}
`;
console.log(table);
if (Deno.args.includes("--write")) {
  await Deno.writeTextFile(DOCUMENT, (await Deno.readTextFile(DOCUMENT)).replace(MARK, () => table));
}
