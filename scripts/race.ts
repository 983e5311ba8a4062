/**
 * `deno task test:race [ROUNDS=100] [--write]`: the same address asked for on three nodes, at the same moment and with skews, under each way
 * to spread the claims; and a /28 filled from three nodes. Prints the tables of docs/routing.md; `--write` puts them there.
 */
import { Cluster, type ClusterOptions } from "../tests/lab/cluster.ts";
import { fill, race } from "../tests/lab/race.ts";
import { median } from "./bench_table.ts";

type Way = [name: string, options: Pick<ClusterOptions, "routing" | "ipam">];

/** Milliseconds between the nodes' calls. */
const SKEWS = [0, 1, 5, 20, 100];
/** One family each: in a network of both, a call that lost one address still waits for the other. */
const NETWORKS = [{ name: "red", cidrs: ["10.97.0.0/16"] }, { name: "blue", cidrs: ["fd00:97:1::/64"] }];
/** Nobody gets an address of the races by chance. */
const EXCLUDED = 4096;
const WAYS: Way[] = [
  ["BIRD iBGP", { routing: "bird-ibgp" }],
  ["FRR iBGP", { routing: "frr-bgp" }],
  ["BIRD OSPF", { routing: "bird-ospf" }],
  ["BIRD OSPF, probes only", { routing: "bird-ospf", ipam: { propagationTimeout: 250 } }],
  ["no daemon", { routing: "none" }],
  ["BIRD iBGP, `reserve: 2`", { routing: "bird-ibgp", ipam: { reserve: 2 } }],
];
const FILLS = 20;
/** Ways at the same time: as many as leave the machine some idle time. */
const AT_ONCE = 3;
const DOCUMENT = new URL("../docs/routing.md", import.meta.url);
const MARKED = /<!-- RACE TABLE[^>]*-->[^]*$/;

const rounds = Number(Deno.args.find((word) => /^\d+$/.test(word)) ?? 100);
let faults = 0;

interface Tally {
  one: number;
  more: number;
  none: number;
  losers: number[];
  /** Calls that are refused at once, in the same load: what a call costs without its claim. */
  refusals: number[];
}

/** The races of one way; returns a row of the table. */
async function races([name, options]: Way): Promise<string[]> {
  await using cluster = await Cluster.make({
    networks: NETWORKS,
    entry: () => ({ excludeFirst: EXCLUDED }),
    ...options,
  });
  const window = Number(cluster.options.ipam?.propagationTimeout ?? cluster.lab.node(0).ipam.propagationTimeout);
  // Those that wait long race more addresses at a time.
  const abreast = window > 500 ? 5 : 2;
  const ids = Array.from({ length: abreast }, (_, index) => `c${index}`);
  for (const node of cluster.nodes) for (const id of ids) await node.host.container(id);
  let number = 0;
  const tally: Tally = { one: 0, more: 0, none: 0, losers: [], refusals: [] };
  const rest = async (skew: number, id: string) => {
    const v6 = ++number % 2 === 0;
    const address = v6 ? `fd00:97:1::${number.toString(16)}` : `10.97.${number >> 8}.${number & 255}`;
    const { winners, losers, reasons, oddities } = await race(cluster, id, {
      ...{ address, skew, network: v6 ? "blue" : "red" },
    });
    tally[winners.length === 1 ? "one" : winners.length === 0 ? "none" : "more"]++;
    if (winners.length !== 1 || oddities.length > 0) {
      faults++;
      console.error(
        `${name}, ${address}, skew ${skew} ms: ${[`winners: ${winners}`, ...reasons, ...oddities].join("\n  ")}`,
      );
    }
    return losers;
  };
  // A fifth of the rounds: the race's containers are the first ones of their nodes.
  for (const skew of SKEWS) for (let round = 0; round < rounds / 5; round++) await rest(skew, "c0");
  const left = await cluster.left();
  const held = await Promise.all(cluster.nodes.map(async (node) => {
    const [address = ""] = await cluster.add(node, "red", { network: "red" });
    await cluster.add(node, "blue", { network: "blue" });
    return address;
  }));
  for (const skew of SKEWS) {
    for (let round = 0; round < rounds * 4 / 5; round += abreast) {
      tally.losers.push(...(await Promise.all(ids.map((id) => rest(skew, id)))).flat());
      if (round / abreast % 8 === 0) tally.refusals.push(...await refusals(cluster, held));
    }
  }
  for (const node of cluster.nodes) {
    for (const network of ["red", "blue"]) await cluster.del(node, network, { network });
  }
  left.push(...await cluster.left());
  if (left.length > 0) console.error(`${name}: left behind: ${left.join("\n  ")}`);
  faults += left.length;
  const { one, more, none } = tally;
  return [name, `${window}`, String(one + more + none), String(one), String(more), String(none), known(tally)];
}

/** Asks on every node for an address that it has given already. */
async function refusals(cluster: Cluster, held: readonly string[]): Promise<number[]> {
  return await Promise.all(cluster.nodes.map(async (node, index) => {
    const start = performance.now();
    await cluster.call(node, "ADD", "c0", { ip: held[index] ?? "", network: "red" });
    return performance.now() - start;
  }));
}

function known({ losers, refusals }: Tally): string {
  const times = losers.map((time) => Math.max(0, time - median(refusals))).sort((a, b) => a - b);
  const at = (part: number) => Math.round(times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? NaN);
  return `${at(0.5)} / ${at(0.95)} / ${at(1)}`;
}

async function fills([name, options]: Way): Promise<string[]> {
  await using cluster = await Cluster.make({ networks: [{ name: "red", cidrs: ["10.97.1.0/28"] }], ...options });
  for (const node of cluster.nodes) await cluster.add(node, "first");
  let [distinct, clean] = [0, 0];
  for (let round = 0; round < FILLS; round++) {
    const { given, codes } = await fill(cluster, `r${round}`, 3);
    if (given.length === 8 && new Set(given).size === 8) distinct++;
    if (codes.every((code) => code === 102)) clean++;
  }
  for (const node of cluster.nodes) await cluster.del(node, "first");
  const left = await cluster.left();
  faults += 2 * FILLS - distinct - clean + left.length;
  return [name, String(FILLS), String(distinct), String(clean), left.length === 0 ? "nothing" : left.join(", ")];
}

/** Works on a list, some at a time; results in the list's order. */
async function inTurn<T, R>(list: readonly T[], width: number, work: (one: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const entries = list.entries();
  await Promise.all(Array.from({ length: width }, async () => {
    for (const [index, one] of entries) results[index] = await work(one);
  }));
  return results;
}

/** A Markdown table as `deno fmt` lays it out. */
function table(lines: readonly string[][]): string {
  const widths = lines[0]?.map((_, at) => Math.max(3, ...lines.map((line) => line[at]?.length ?? 0))) ?? [];
  const row = (line: readonly string[]) => `| ${line.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(" | ")} |`;
  const [head = [], ...rest] = lines;
  return [row(head), row(widths.map((width) => "-".repeat(width))), ...rest.map(row)].join("\n");
}

const raced = await inTurn(WAYS, AT_ONCE, races);
const filled = await inTurn(WAYS.filter(([name]) => /iBGP|no daemon/.test(name)), AT_ONCE, fills);
const text = `<!-- RACE TABLE: written by the race task. -->

\`deno task test:race\`, ${
  new Date().toISOString().slice(0, 10)
}, ${navigator.hardwareConcurrency} cores, ${AT_ONCE} rows at a time. Three nodes ask for the same address, ${rounds} rounds with each skew
of ${
  SKEWS.join(", ")
} ms between their calls; half of them for an IPv6 address, a fifth as the first containers of their nodes.
What a call costs that is refused at once is not part of the losers' time.

${
  table([
    ["routing", "window ms", "races", "one winner", "more", "none", "losers know after ms: median / p95 / max"],
    ...raced,
  ])
}

A /28 filled from three nodes, three ADDs at once on each, then one by one until every node refuses. 14 addresses, of
which the nodes' gateways and first containers have 6.

${table([["routing", "rounds", "8 distinct addresses", "refused with 102 only", "left behind"], ...filled])}
`;
console.log(text);
if (Deno.args.includes("--write")) {
  await Deno.writeTextFile(DOCUMENT, (await Deno.readTextFile(DOCUMENT)).replace(MARKED, () => text));
}
if (faults > 0) Deno.exit(1);
