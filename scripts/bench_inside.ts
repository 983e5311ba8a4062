/** The measuring part of `deno task bench`; runs on the host of the lab: `bench_inside.ts EXECUTABLE ROUNDS`, prints JSON. */
import type { Answer } from "../tests/lib/call.ts";
import { must } from "../tests/lib/run.ts";
import { callTimed, redConfig, runTimed, type Subject } from "./bench_call.ts";

/** Times in ms by name, and the highest peak of resident memory in kB by verb. */
export interface Measured {
  times: Record<string, number[]>;
  memory: Record<string, number>;
}

const CNI_PATH = "/usr/lib/cni";
const WARM_UP = 2;
const CONTAINERS = ["first", "second", "reference"];
const VERSION_INPUT = JSON.stringify({ cniVersion: "1.0.0" });

async function measure(executable: string, rounds: number): Promise<Measured> {
  // As its default /var/lib/cni: on a disk.
  const dataDir = await Deno.makeTempDir({ prefix: "vxlan-cni-bench-" });
  try {
    return await measureCalls(executable, rounds, dataDir);
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
}

async function measureCalls(executable: string, rounds: number, dataDir: string): Promise<Measured> {
  const ours: Subject = { program: executable, path: CNI_PATH, config: redConfig({ propagationTimeout: 0 }) };
  const reference: Subject = {
    program: `${CNI_PATH}/macvlan`,
    path: CNI_PATH,
    config: {
      ...{ cniVersion: "1.0.0", name: "reference", type: "macvlan", master: "ul0", mode: "bridge" },
      ipam: { type: "host-local", subnet: "10.98.0.0/24", routes: [{ dst: "0.0.0.0/0" }], dataDir },
    },
  };
  const empty = "/run/empty.js";
  await Deno.writeTextFile(empty, "");
  for (const name of CONTAINERS) await must(["ip", "netns", "add", name]);
  const times: Record<string, number[]> = {};
  const results = new Map<string, Answer | undefined>();
  async function note(name: string, round: number, work: () => Promise<{ time: number; answer?: Answer | undefined }>) {
    const { time, answer } = await work();
    if (round >= WARM_UP) (times[name] ??= []).push(time);
    return answer;
  }
  async function add(name: string, round: number, subject: Subject, container: string) {
    results.set(container, await note(name, round, () => callTimed(subject, "ADD", container)));
  }
  async function del(name: string, round: number, subject: Subject, container: string) {
    await note(name, round, () => callTimed(subject, "DEL", container, results.get(container)));
  }
  const home = { HOME: "/run", DENO_NO_UPDATE_CHECK: "1" };
  for (let round = 0; round < rounds + WARM_UP; round++) {
    await note("empty", round, () => runTimed([Deno.execPath(), "run", empty], home, ""));
    await note("VERSION", round, () => runTimed([executable], { CNI_COMMAND: "VERSION" }, VERSION_INPUT));
    await add("first ADD", round, ours, "first");
    await add("reference ADD", round, reference, "reference");
    await add("ADD", round, ours, "second");
    await del("reference DEL", round, reference, "reference");
    await del("DEL", round, ours, "second");
    await del("last DEL", round, ours, "first");
  }
  const memory = { VERSION: await peak([executable], { CNI_COMMAND: "VERSION" }, VERSION_INPUT), ADD: 0, DEL: 0 };
  const weighed = { ...ours, program: "/run/weighed" };
  const weigh = `#!/bin/sh\nexec /usr/bin/time -q -f %M -o /run/peak ${executable}\n`;
  await Deno.writeTextFile(weighed.program, weigh, { mode: 0o755 });
  const { answer } = await callTimed(weighed, "ADD", "first");
  memory.ADD = await readPeak();
  await callTimed(weighed, "DEL", "first", answer);
  memory.DEL = await readPeak();
  return { times, memory };
}

/** Peak of a program's resident memory in kB, as wait4(2) reports it. */
async function peak(command: readonly string[], env: Record<string, string>, stdin: string): Promise<number> {
  await runTimed(["/usr/bin/time", "-q", "-f", "%M", "-o", "/run/peak", ...command], env, stdin);
  return readPeak();
}

async function readPeak(): Promise<number> {
  return Number(await Deno.readTextFile("/run/peak")) * 1.024;
}

if (import.meta.main) {
  const [executable = "", rounds = "30"] = Deno.args;
  console.log(JSON.stringify(await measure(executable, Number(rounds))));
}
