/** `deno task bench:cluster`: what waiting for the cluster costs, alone, many at once, and with a large routing table. */
import { binDir, succeed } from "../tests/lib/call.ts";
import { Host, underlay } from "../tests/lib/host.ts";
import { ensurePackages } from "../tests/lib/packages.ts";
import { run } from "../tests/lib/run.ts";
import type { Adds } from "./bench_adds.ts";
import { duration, median, printTable, ratio, type Row } from "./bench_table.ts";
import { ensureBuilt } from "./built.ts";

/** Milliseconds: the program's own default. */
const WINDOW = 250;
const ROUNDS = Number(Deno.args[0] ?? 10);
const TABLES = [100, 10_000, 100_000];
const ORIGINAL = ["github.com/travishegner/vxlan-cni", "github.com/travishegner/routetable-ipam"];

async function bench(): Promise<string[]> {
  await ensurePackages(["iproute2", "procps"]);
  await ensureBuilt();
  const folder = await binDir();
  const original = `${folder}/original`;
  const ours = await adds(`${folder}/vxlan`, folder, "ours");
  const theirs = await installOriginal(original)
    ? await adds(`${original}/vxlan-cni`, original, "original")
    : undefined;
  const cost = await claims();
  const beside = (time: number | undefined) =>
    time === undefined ? {} : { comparedWith: `original, ${duration(time)}` };
  const row = (what: string, key: keyof Adds, goal?: number): Row => {
    const time = ours[key];
    if (time === null) return { what, measured: "n/a" };
    return {
      what,
      measured: duration(time),
      value: time,
      unit: "ms",
      ...(goal === undefined ? {} : { goal }),
      ...beside(theirs?.[key] ?? undefined),
    };
  };
  const [small = NaN, ...large] = cost;
  return printTable(`Claims with a window of ${WINDOW} ms, medians of ${ROUNDS}`, [
    row("first ADD of a network on a node", "first", WINDOW + 40),
    row("next ADD", "next"),
    row("ADD without a window", "none"),
    ours.reserved === null
      ? { what: "ADD with a reservation", measured: "n/a" }
      : ratio("ADD with a reservation", ours.reserved, ["ADD without a window", ours.none ?? NaN], 1.3),
    row("20 ADDs at once", "twenty"),
    row("100 ADDs at once", "hundred", 4000),
    row("ADD with one address left in a /24", "last", WINDOW + 100),
    { what: `claim, ${TABLES[0]} routes in the table`, measured: duration(small) },
    ...large.map((time, index) =>
      ratio(`claim, ${TABLES[index + 1]} routes in the table`, time, [`${TABLES[0]} routes`, small], 1.2)
    ),
  ], "median");
}

/** Measures a main plugin on a host of its own. */
async function adds(program: string, path: string, whose: "ours" | "original"): Promise<Adds> {
  await using host = await Host.make("bench");
  await using _wire = await underlay([host]);
  const script = new URL("bench_adds.ts", import.meta.url).pathname;
  const inside = [Deno.execPath(), "run", "-A", "--quiet", script, program, path, whose, String(ROUNDS)];
  return JSON.parse(await host.must(inside, { timeout: 600_000 })) as Adds;
}

/** What the IPAM plugin alone needs for a claim without a window, in ms; one host for each size of the table, called in turn. */
async function claims(): Promise<number[]> {
  await using stack = new AsyncDisposableStack();
  const hosts: Host[] = [];
  for (const size of TABLES) {
    const host = stack.use(await Host.make(`routes${size}`));
    hosts.push(host);
    await host.must(["sh", "-ec", "ip link add ul0 type veth peer name ul1; ip link set ul0 up; ip link set ul1 up"]);
    const lines = Array.from(
      { length: size },
      (_, k) => `route add 172.${16 + (k >> 16)}.${k >> 8 & 255}.${k & 255}/32 dev ul0`,
    );
    await host.must(["ip", "-batch", "-"], { stdin: `${lines.join("\n")}\n` });
  }
  const ipam = { type: "routetable-ipam", subnet: "10.97.1.0/24", device: "ul0", propagationTimeout: 0 };
  const config = { cniVersion: "1.0.0", name: "bench", type: "macvlan", ipam };
  const call = { program: "routetable-ipam", config, containerId: "c1", netns: "c1", ifname: "eth0" };
  const times = TABLES.map((): number[] => []);
  for (let round = 0; round < 3 * ROUNDS + 1; round++) {
    for (const [index, host] of hosts.entries()) {
      const start = performance.now();
      await succeed(host, "ADD", call);
      if (round > 0) times[index]?.push(performance.now() - start);
      await succeed(host, "DEL", call);
    }
  }
  return times.map(median);
}

/** Installs the original programs from their module path; says so when that cannot be done. */
async function installOriginal(folder: string): Promise<boolean> {
  const say = (reason: string) => console.log(`Without the original programs: ${reason.trim().replace(/\.+$/, "")}.`);
  const go = await run(["sh", "-c", "command -v go"]);
  if (go.code !== 0) return say("there is no `go` on this machine"), false;
  await Deno.mkdir(folder);
  for (const module of ORIGINAL) {
    const env = { GOBIN: folder, GOPATH: `${folder}/go`, GOCACHE: `${folder}/cache`, GOFLAGS: "-modcacherw" };
    const { code, stderr } = await run(["go", "install", `${module}@latest`], { env, timeout: 180_000 })
      .catch((error: unknown) => ({ code: 1, stderr: String(error) }));
    if (code !== 0) return say(stderr.trim().split("\n").at(-1) ?? `cannot install ${module}`), false;
  }
  await Deno.link(`${folder}/routetable-ipam`, `${folder}/route-table`);
  return true;
}

const missed = await bench();
if (missed.length > 0) console.log(`\nGoals missed: ${missed.join(", ")}`);
