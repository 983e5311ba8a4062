/** `deno task test`: all tests with their own set-up; the last line says how many passed and failed. */
import { EXECUTABLE } from "../tests/lib/call.ts";
import { ensurePackages } from "../tests/lib/packages.ts";
import { bold, green, heading, red, seconds } from "./steps.ts";

const ROOT = new URL("..", import.meta.url).pathname;
/** Those that tests need and do not install by themselves. */
const PACKAGES = [
  "iproute2",
  "iputils-ping",
  "procps",
  "strace",
  "time",
  "bird2",
  "frr",
  "containernetworking-plugins",
];
/** Folders that `deno task ok` leaves out, with minutes for each: lanes run side by side, a lane's folders one after another. */
const LANES: readonly (readonly [folder: string, minutes: number][])[] = [
  [["kernel", 5], ["program", 10], ["clients", 8]],
  [["conformance", 14]],
];
/** Those that have the machine for themselves: who claims first is a matter of milliseconds. */
const ALONE: readonly [folder: string, minutes: number][] = [["lab", 12]];
/** Milliseconds for everything. */
const TOTAL = 28 * 60_000;
/** Lines of a failed phase that are shown. */
const TAIL = 300;

const begun = performance.now();
let interrupted = false;

interface Phase {
  name: string;
  passed: number;
  failed: number;
  milliseconds: number;
}

/** Runs a command as a phase; its output is shown when it fails. A phase that ends without a summary of tests failed once. */
async function phase(name: string, command: readonly string[], minutes: number, tests: boolean): Promise<Phase> {
  const start = performance.now();
  const limit = Math.max(1000, Math.min(minutes * 60_000, TOTAL - (start - begun)));
  const { code, output, late } = await capture(command, limit);
  const { passed, failed } = count(output);
  const milliseconds = performance.now() - start;
  const broken = code !== 0 || (tests && passed + failed === 0);
  const result = {
    name,
    passed: broken || tests ? passed : passed + 1,
    failed: broken ? Math.max(1, failed) : failed,
    milliseconds,
  };
  const mark = broken ? red("FAIL") : green("ok  ");
  const counts = result.failed > 0 ? `${result.passed} passed, ${result.failed} failed` : `${result.passed} passed`;
  console.log(`  ${mark} ${name.padEnd(14)} ${seconds(milliseconds).padStart(9)}  ${counts}`);
  if (broken) {
    console.log(worthReading(output).map((line) => `       ${line}`).join("\n"));
    if (late) console.log(red(`       Stopped: it took longer than ${seconds(limit)}`));
  }
  return result;
}

/** The errors that `deno test` collects at its end, else the last lines. */
function worthReading(output: string): string[] {
  const lines = output.trimEnd().split("\n");
  const errors = lines.lastIndexOf(" ERRORS ");
  return (errors < 0 ? lines : lines.slice(errors)).slice(-TAIL);
}

/** Runs a command in a process group of its own, so that nothing of it is left when its time is up. */
async function capture(
  command: readonly string[],
  limit: number,
): Promise<{ code: number; output: string; late: boolean }> {
  const script = 'exec 2>&1; exec "$@"';
  const child = new Deno.Command("setsid", {
    args: ["--wait", "sh", "-c", script, "phase", ...command],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    endSession(child.pid);
  }, limit);
  const stop = () => {
    interrupted = true;
    endSession(child.pid);
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) Deno.addSignalListener(signal, stop);
  const { code, stdout } = await child.output();
  clearTimeout(timer);
  for (const signal of signals) Deno.removeSignalListener(signal, stop);
  return { code, late, output: new TextDecoder().decode(stdout) };
}

/** Kills the session of a phase; hosts of tests die with their test's process. */
function endSession(pid: number): void {
  // It was no leader of a group, so that setsid(1) did not have to fork: its id is the session's.
  kill(-pid);
}

function kill(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch { /* It has ended by itself. */ }
}

/** Adds up the summaries of `deno test`: `ok | 12 passed (34 steps) | 0 failed (2s)`; where there is none, the lines of its tests. */
function count(output: string): { passed: number; failed: number } {
  let [passed, failed] = [0, 0];
  for (
    const line of output.matchAll(
      /^(?:ok|FAILED) \| (\d+) passed(?: \((\d+) steps?\))? \| (\d+) failed(?: \((\d+) steps?\))?/gm,
    )
  ) {
    passed += Number(line[1]) + Number(line[2] ?? 0);
    failed += Number(line[3]) + Number(line[4] ?? 0);
  }
  if (passed + failed > 0) return { passed, failed };
  const lines = (pattern: RegExp) => [...output.matchAll(pattern)].length;
  return { passed: lines(/\bok \(\d+m?s\)$/gm), failed: lines(/\bFAILED \(\d+m?s\)$/gm) };
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

async function test(): Promise<Phase[]> {
  if (Deno.uid() !== 0) throw new Error("Cannot make network namespaces: the tests need root");
  heading("Set up");
  const start = performance.now();
  await ensurePackages(PACKAGES);
  console.log(`  ${green("ok  ")} ${"packages".padEnd(14)} ${seconds(performance.now() - start).padStart(9)}`);
  const deno = Deno.execPath();
  const phases = [await phase("build", [deno, "task", "--quiet", "build"], 3, false)];
  if (!await exists(EXECUTABLE)) return phases;
  heading("Tests");
  phases.push(await phase("ok", [deno, "task", "--quiet", "ok"], 6, true));
  const lanes = await Promise.all(LANES.map(folders));
  return [...phases, ...lanes.flat(), ...await folders(ALONE)];
}

/** Tests folders one after another. */
async function folders(lane: readonly [folder: string, minutes: number][]): Promise<Phase[]> {
  const phases: Phase[] = [];
  for (const [folder, minutes] of lane) {
    if (interrupted) break;
    if (!await exists(`${ROOT}tests/${folder}`)) continue;
    const options = ["--no-check", "--quiet", "--permit-no-files"];
    phases.push(await phase(folder, [Deno.execPath(), "test", "-A", ...options, `tests/${folder}`], minutes, true));
  }
  return phases;
}

const phases = await test().catch((error: unknown): Phase[] => {
  console.log(`  ${red("FAIL")} ${error instanceof Error ? error.message : error}`);
  return [{ name: "set-up", passed: 0, failed: 1, milliseconds: 0 }];
});
const sum = (key: "passed" | "failed") => phases.reduce((total, phase) => total + phase[key], 0);
const broken = phases.filter(({ failed }) => failed > 0).map(({ name }) => name);
console.log(
  `\n${bold("Total")} ${seconds(performance.now() - begun)}${
    broken.length === 0 ? "" : `; failed: ${broken.join(", ")}`
  }`,
);
console.log(`${sum("passed")} passed, ${sum("failed")} failed`);
Deno.exit(broken.length === 0 ? 0 : 1);
