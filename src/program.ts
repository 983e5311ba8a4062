/** The parts put together: the plugins for a runtime (CNI_COMMAND), else the operator's command line. */
import { CniError, Code } from "./cni/error.ts";
import { answer, type Plugin } from "./cni/plugin.ts";
import { runCommandLine } from "./cli/command_line.ts";
import { routetable } from "./routetable/plugin.ts";
import { install } from "./system/install.ts";
import { readStdin, write } from "./system/standard.ts";
import { realWorld } from "./system/world.ts";
import { vxlan } from "./vxlan/plugin.ts";

/** Names under which this executable is the IPAM plugin. */
const IPAM_NAMES = ["routetable-ipam", "route-table"];

/** The name this program was called by; the process's own arguments hold it as the runtime wrote it. */
function calledAs(): string {
  const [name = ""] = Deno.readTextFileSync("/proc/self/cmdline").split("\0");
  return name.slice(name.lastIndexOf("/") + 1);
}

/** Called by an IPAM's name, or with the hand-off that only an IPAM plugin gets (through a wrapper that hides the name). */
function isIpam({ CNI_ARGS = "" }: Record<string, string>): boolean {
  return IPAM_NAMES.includes(calledAs()) || /(^|;)LINK_INDEX=/.test(CNI_ARGS);
}

/** The original `vxlan` says everything in CNI_ARGS and writes nothing: a configuration for its IPAM, in its version. */
function handOff(verb: string): string {
  const complete = verb !== "" && /(^|;)CIDR=/.test(Deno.env.get("CNI_ARGS") ?? "");
  return complete ? JSON.stringify({ cniVersion: "0.4.0", name: "vxlan" }) : "";
}

/** The plugin that this process is. All is imported at once: V8 parses a module twice that is wrapped up for a later import. */
function makePlugin(environment: Record<string, string>): Plugin {
  const interrupted = new AbortController();
  // Only ADD is undone; the others are carried on by the next call.
  const stop = () =>
    interrupted.abort(new CniError(Code.interrupted, "Cannot finish: interrupted by a signal; everything was undone"));
  if (environment.CNI_COMMAND === "ADD") {
    for (const signal of ["SIGTERM", "SIGINT"] as const) Deno.addSignalListener(signal, stop);
  }
  const world = realWorld(environment, interrupted.signal);
  const ipam = routetable(world);
  if (isIpam(environment)) return ipam;
  return vxlan(world, Object.fromEntries(IPAM_NAMES.map((name) => [name, ipam])));
}

/** Runs the program to its end, all verbs but VERSION; returns the exit code. */
export async function run(environment: Record<string, string>): Promise<number> {
  const verb = environment.CNI_COMMAND;
  if (verb === undefined) return await commandLine(environment);
  const plugin: Plugin = (invocation) => makePlugin(environment)(invocation);
  const { stdout, code } = await answer(
    plugin,
    environment,
    () => new Promise((resolve) => resolve(readStdin() || handOff(verb))),
  );
  if (stdout !== "") write(`${stdout}\n`);
  return code;
}

async function commandLine(environment: Record<string, string>): Promise<number> {
  return await runCommandLine(Deno.args, {
    install: (binDir) => install(Deno.execPath(), binDir),
    world: () => Promise.resolve(realWorld(environment, new AbortController().signal)),
    readFile: (path) => Deno.readTextFileSync(path),
    listFolder,
  });
}

function listFolder(path: string): string[] {
  try {
    return Array.from(Deno.readDirSync(path), ({ name }) => `${path}/${name}`).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
