/** `deno task bench`: whole calls as a runtime makes them, interleaved with those of Debian's reference plugins. */
import { EXECUTABLE } from "../tests/lib/call.ts";
import { Host, underlay } from "../tests/lib/host.ts";
import { ensurePackages } from "../tests/lib/packages.ts";
import { must } from "../tests/lib/run.ts";
import type { Measured } from "./bench_inside.ts";
import { duration, median, printTable, ratio } from "./bench_table.ts";

const ROUNDS = Number(Deno.args[0] ?? 30);
const ROOT = new URL("..", import.meta.url).pathname;

async function bench(): Promise<string[]> {
  await ensurePackages(["iproute2", "procps", "containernetworking-plugins", "time"]);
  const built = await must([Deno.execPath(), "run", "-A", "scripts/build.ts"], { cwd: ROOT, timeout: 180_000 });
  // What a call reads: the start, and the part for plugins.
  const bundle = ["start", "plugin"].map((part) => Number(new RegExp(`${part} +([\\d.]+) KiB`).exec(built)?.[1]))
    .reduce((sum, kibibytes) => sum + kibibytes * 1.024, 0);
  await using host = await Host.make("bench");
  await using _wire = await underlay([host]);
  const inside = [
    Deno.execPath(),
    "run",
    "-A",
    "--quiet",
    `${ROOT}scripts/bench_inside.ts`,
    EXECUTABLE,
    String(ROUNDS),
  ];
  const { times, memory } = JSON.parse(await host.must(inside, { timeout: 600_000 })) as Measured;
  const time = (name: string) => median(times[name] ?? []);
  const reference = (verb: string): [string, number] => [`macvlan + host-local ${verb}`, time(`reference ${verb}`)];
  return printTable(`Whole calls, propagationTimeout 0, medians of ${ROUNDS}`, [
    { what: "empty script, `deno run`", measured: duration(time("empty")) },
    ratio("VERSION", time("VERSION"), ["empty script", time("empty")], 1.3),
    ratio("ADD", time("ADD"), reference("ADD"), 2.2),
    ratio("DEL", time("DEL"), reference("DEL"), 1.5),
    ratio("first ADD of a network on a node", time("first ADD"), reference("ADD")),
    ratio("last DEL", time("last DEL"), reference("DEL")),
    { what: "bundle", measured: `${bundle.toFixed(0)} kB`, value: bundle, goal: 150, unit: "kB" },
    ...Object.entries(memory).map(([verb, kilobytes]) => ({
      what: `peak memory of ${verb}`,
      measured: `${(kilobytes / 1000).toFixed(1)} MB`,
      value: kilobytes / 1000,
      goal: 50,
      unit: "MB",
    })),
  ], "median");
}

const missed = await bench();
if (missed.length > 0) console.log(`\nGoals missed: ${missed.join(", ")}`);
