/** The part of `deno task bench:cluster` that runs on the host of the lab: `bench_adds.ts PROGRAM CNI_PATH ours|original ROUNDS`. */
import type { Answer } from "../tests/lib/call.ts";
import { must } from "../tests/lib/run.ts";
import { callTimed, redConfig, type Subject } from "./bench_call.ts";
import { median } from "./bench_table.ts";

/** Times in ms; null where the program cannot do it. */
export interface Adds {
  /** The first ADD on the node, and the next one. */
  first: number;
  next: number;
  /** Without a window. */
  none: number | null;
  reserved: number | null;
  /** From the first spawn to the last exit of so many at once, on a node without the network. */
  twenty: number;
  hundred: number;
  /** With one address left in a /24. */
  last: number;
}

const AT_ONCE = 100;
/** Longer than the window, in ms: a reservation must have had it. */
const SPREAD = 500;

const [program = "", path = "", whose = "ours", count = "10"] = Deno.args;
const rounds = Number(count);

function subject(ipam: Record<string, unknown>, cidr?: string): Subject {
  const config = redConfig(ipam, cidr);
  return {
    program,
    path,
    config: whose === "ours" ? config : { ...config, cniVersion: "0.4.0", ipam: { type: "route-table" } },
  };
}

/** One ADD with its DEL left to the caller. */
async function add(of: Subject, container: string): Promise<{ time: number; del: () => Promise<void> }> {
  const { time, answer } = await callTimed(of, "ADD", container);
  return { time, del: () => del(of, container, answer) };
}

async function del(of: Subject, container: string, answer: Answer | undefined): Promise<void> {
  await callTimed(of, "DEL", container, answer);
}

/** First and next ADD, each as a median. */
async function firstAndNext(of: Subject): Promise<{ first: number; next: number }> {
  const times = { first: [] as number[], next: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    const one = await add(of, "c1");
    const two = await add(of, "c2");
    times.first.push(one.time);
    times.next.push(two.time);
    await two.del();
    await one.del();
  }
  return { first: median(times.first), next: median(times.next) };
}

/** ADDs beside a first container that keeps a reservation; null when the configuration does not have that. */
async function reserved(): Promise<number | null> {
  const of = subject({ reserve: 2 });
  const one = await add(of, "c1").catch((error: unknown) => {
    if (String(error).includes("reserve")) return null;
    throw error;
  });
  if (one === null) return null;
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    await new Promise((resolve) => setTimeout(resolve, SPREAD));
    const two = await add(of, "c2");
    times.push(two.time);
    await two.del();
  }
  await one.del();
  return median(times);
}

async function atOnce(of: Subject, many: number): Promise<number> {
  const start = performance.now();
  const made = await Promise.all(Array.from({ length: many }, (_, k) => add(of, `c${k + 1}`)));
  const time = performance.now() - start;
  for (const { del } of made) await del();
  return time;
}

/** An ADD when host routes of another node's lead to all addresses of the /24 but one. */
async function oneLeft(): Promise<number> {
  const of = subject({});
  const one = await add(of, "c1");
  const routes = JSON.parse(await must(["ip", "-j", "route"])) as { dst: string }[];
  const taken = new Set(routes.map(({ dst }) => dst));
  const free = Array.from({ length: 254 }, (_, k) => `10.97.1.${k + 1}`).filter((address) => !taken.has(address));
  const fill = (verb: string) => {
    const lines = free.slice(1).map((address) => `route ${verb} ${address}/32 via 192.0.2.2 dev ul0 proto bird`);
    return must(["ip", "-batch", "-"], { stdin: `${lines.join("\n")}\n` });
  };
  await fill("add");
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const two = await add(of, "c2");
    times.push(two.time);
    await two.del();
  }
  await fill("del");
  await one.del();
  return median(times);
}

for (let k = 1; k <= AT_ONCE; k++) await must(["ip", "netns", "add", `c${k}`]);
const wide = "10.97.0.0/16";
const measured: Adds = {
  ...await firstAndNext(subject({})),
  none: whose === "ours" ? (await firstAndNext(subject({ propagationTimeout: 0 }))).next : null,
  reserved: whose === "ours" ? await reserved() : null,
  twenty: await atOnce(subject({}, wide), 20),
  hundred: await atOnce(subject({}, wide), AT_ONCE),
  last: await oneLeft(),
};
console.log(JSON.stringify(measured));
