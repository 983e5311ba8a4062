/** Races for addresses: rounds that the tests run a few of, and the race task many. */
import { addresses, type Cluster } from "./cluster.ts";

/** How the same address is asked for on all nodes. */
interface Round {
  address: string;
  network?: string;
  /** Milliseconds between one node's call and the next one's. */
  skew: number;
}

interface Outcome {
  /** Names of the nodes whose ADD succeeded. */
  winners: string[];
  /** Milliseconds of the calls that failed, from start to end of the process. */
  losers: number[];
  /** Why, in their own words. */
  reasons: string[];
  /** What the failed calls said that is no sign of a lost race. */
  oddities: string[];
}

/** Address taken. */
const TAKEN = 101;

/** Asks for one address on all nodes, and releases it where it was given; the containers must exist. */
export async function race(cluster: Cluster, id: string, { address, network, skew }: Round): Promise<Outcome> {
  const outcome: Outcome = { winners: [], losers: [], reasons: [], oddities: [] };
  const wish = network === undefined ? {} : { network };
  const begun = performance.now();
  await Promise.all(cluster.nodes.map(async (node, index) => {
    await until(begun + index * skew);
    const start = performance.now();
    const called = await cluster.call(node, "ADD", id, { ip: address, ...wish });
    if (addresses(called.json).includes(address)) outcome.winners.push(node.name);
    else if (called.json?.code === TAKEN) {
      outcome.losers.push(performance.now() - start);
      outcome.reasons.push(`${node.name}: ${called.json.msg}`);
    } else outcome.oddities.push(called.stdout + called.stderr);
  }));
  const winners = cluster.nodes.filter(({ name }) => outcome.winners.includes(name));
  await Promise.all(winners.map((node) => cluster.del(node, id, wish)));
  return outcome;
}

/** The race's own clock: its skew is what is tested. */
function until(time: number): Promise<void> {
  const left = time - performance.now();
  return left <= 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, left));
}

interface Filled {
  given: string[];
  /** Error codes, each once. */
  codes: number[];
}

/** Asks for `atOnce` addresses on every node at once, then for one after another until no node gets any more; releases all. The first network's containers. */
export async function fill(cluster: Cluster, id: string, atOnce: number): Promise<Filled> {
  const given: string[] = [];
  const codes = new Set<number>();
  const undo: (() => Promise<void>)[] = [];
  const add = async (at: number, name: string): Promise<boolean> => {
    const node = cluster.lab.node(at);
    await node.host.container(name);
    const called = await cluster.call(node, "ADD", name);
    if (called.json?.code !== undefined) codes.add(called.json.code);
    given.push(...addresses(called.json));
    undo.push(async () => {
      if (called.code === 0) await cluster.del(node, name);
      await node.host.must(["ip", "netns", "del", name]);
    });
    return called.code === 0;
  };
  const indexes = cluster.nodes.map((_, index) => index);
  await Promise.all(
    indexes.flatMap((at) => Array.from({ length: atOnce }, (_, index) => add(at, `${id}-${index}`))),
  );
  for (let count = 0, failed = 0; failed < indexes.length; count++) {
    failed = await add(count % indexes.length, `${id}-more-${count}`) ? 0 : failed + 1;
  }
  await Promise.all(undo.map((release) => release()));
  return { given, codes: [...codes] };
}
