/** The parts put together: the plugins for a runtime (CNI_COMMAND), else the operator's command line. */
import { CniError, Code } from "./cni/error.ts";
import { answer, type Plugin } from "./cni/plugin.ts";
import { readStdin, write } from "./system/standard.ts";
import { realWorld } from "./system/world.ts";

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

/** Loads what the verb needs and no more: start-up is on the way of every container. */
async function loadPlugin(environment: Record<string, string>): Promise<Plugin> {
  const interrupted = new AbortController();
  // Only ADD is undone; the others are carried on by the next call.
  const stop = () =>
    interrupted.abort(new CniError(Code.interrupted, "Cannot finish: interrupted by a signal; everything was undone"));
  if (environment.CNI_COMMAND === "ADD") {
    for (const signal of ["SIGTERM", "SIGINT"] as const) Deno.addSignalListener(signal, stop);
  }
  const world = realWorld(environment, interrupted.signal);
  const { routetable } = await import("./routetable/plugin.ts");
  const ipam = routetable(world);
  if (isIpam(environment)) return ipam;
  const { vxlan } = await import("./vxlan/plugin.ts");
  return vxlan(world, Object.fromEntries(IPAM_NAMES.map((name) => [name, ipam])));
}

/** Runs the program to its end, all verbs but VERSION; returns the exit code. */
export async function run(environment: Record<string, string>): Promise<number> {
  const verb = environment.CNI_COMMAND;
  if (verb === undefined) return await commandLine(environment);
  const plugin: Plugin = async (invocation) => await (await loadPlugin(environment))(invocation);
  const { stdout, code } = await answer(plugin, environment, () => Promise.resolve(readStdin() || handOff(verb)));
  if (stdout !== "") write(`${stdout}\n`);
  return code;
}

async function commandLine(environment: Record<string, string>): Promise<number> {
  const { runCommandLine } = await import("./cli/command_line.ts");
  const { install } = await import("./system/install.ts");
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
