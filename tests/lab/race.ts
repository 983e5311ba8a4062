/** Races for one address: rounds that the tests run a few of, and the race task many. */
import type { Cluster } from "./cluster.ts";

/** How the same address is asked for on all nodes. */
export interface Round {
  address: string;
  /** Milliseconds between one node's call and the next one's. */
  skew: number;
}

export interface Outcome {
  /** Names of the nodes whose ADD succeeded. */
  winners: string[];
  /** Milliseconds of the calls that failed, from start to end of the process. */
  losers: number[];
  /** What the failed calls said that is no sign of a lost race. */
  oddities: string[];
}

/** Address taken. */
const TAKEN = 101;

/** Asks for one address on all nodes, and releases it again; the containers must exist. */
export async function race(cluster: Cluster, id: string, { address, skew }: Round): Promise<Outcome> {
  const outcome: Outcome = { winners: [], losers: [], oddities: [] };
  const begun = performance.now();
  await Promise.all(cluster.nodes.map(async (node, index) => {
    await until(begun + index * skew);
    const start = performance.now();
    const { code, stdout, json } = await cluster.call(node, "ADD", id, { ip: address });
    if (code === 0) outcome.winners.push(node.name);
    else if (json?.code === TAKEN) outcome.losers.push(performance.now() - start);
    else outcome.oddities.push(stdout);
  }));
  await Promise.all(cluster.nodes.map((node) => cluster.del(node, id)));
  return outcome;
}

/** The race's own clock: its skew is what is tested. */
function until(time: number): Promise<void> {
  const left = time - performance.now();
  return left <= 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, left));
}

/** Fills a prefix from all nodes at once, then one by one, until an ADD fails; returns the addresses that were given, and the last error's code. */
export async function fill(
  cluster: Cluster,
  id: string,
  atOnce: number,
): Promise<{ given: string[]; last: number | undefined }> {
  const calls = cluster.nodes.flatMap((node) =>
    Array.from({ length: atOnce }, (_, index) => ({ node, name: `${id}-${index}` }))
  );
  const made = [...calls];
  const given: string[] = [];
  await Promise.all(calls.map(async ({ node, name }) => {
    await cluster.container(node, name);
    const { json } = await cluster.call(node, "ADD", name);
    given.push(...(json?.ips ?? []).map(({ address }) => address));
  }));
  let last: number | undefined;
  for (let count = 0; last === undefined && count < 64; count++) {
    const node = cluster.nodes[count % cluster.nodes.length];
    if (node === undefined) break;
    const name = await cluster.container(node, `${id}-more-${count}`);
    made.push({ node, name });
    const { json } = await cluster.call(node, "ADD", name);
    last = json?.code;
    given.push(...(json?.ips ?? []).map(({ address }) => address));
  }
  await Promise.all(made.map(({ node, name }) => cluster.del(node, name)));
  return { given, last };
}
