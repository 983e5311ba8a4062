/** Who am I? A CNI plugin when a runtime calls (CNI_COMMAND), else the operator's command line. */
import { CniError, Code } from "./src/cni/error.ts";
import { answer, type Plugin } from "./src/cni/plugin.ts";

/** Names under which this executable is the IPAM plugin. */
const IPAM_NAMES = ["routetable-ipam", "route-table"];

/** Set by the executable itself for Deno (scripts/build.ts): not the caller's, not for children. */
const OWN_VARIABLES = ["DENO_NO_UPDATE_CHECK", "DENO_DIR", "DENO_NO_PACKAGE_JSON"];

/** The name this program was called by; the process's own arguments hold it as the runtime wrote it. */
function calledAs(): string {
  const [name = ""] = Deno.readTextFileSync("/proc/self/cmdline").split("\0");
  return name.slice(name.lastIndexOf("/") + 1);
}

/** Called by an IPAM's name, or with the hand-off that only an IPAM plugin gets (through a wrapper that hides the name). */
function isIpam({ CNI_ARGS = "" }: Record<string, string>): boolean {
  return IPAM_NAMES.includes(calledAs()) || /(^|;)LINK_INDEX=/.test(CNI_ARGS);
}

/** Milliseconds that VERSION waits for a question: a runtime may leave standard input open and say nothing. */
const VERSION_WAIT = 100;

async function readInput(verb: string | undefined): Promise<string> {
  const { readStdin, readStdinWithin } = await import("./src/system/stdin.ts");
  return verb === "VERSION" ? readStdinWithin(VERSION_WAIT, isComplete) : readStdin() || handOff(verb);
}

/** The original `vxlan` says everything in CNI_ARGS and writes nothing: a configuration for its IPAM, in its version. */
function handOff(verb: string | undefined): string {
  const complete = verb !== undefined && /(^|;)CIDR=/.test(Deno.env.get("CNI_ARGS") ?? "");
  return complete ? JSON.stringify({ cniVersion: "0.4.0", name: "vxlan" }) : "";
}

function isComplete(json: string): boolean {
  try {
    JSON.parse(json);
    return true;
  } catch {
    return false;
  }
}

/** Loads what the verb needs and no more: start-up is on the way of every container. */
async function loadPlugin(environment: Record<string, string>): Promise<Plugin> {
  const { realWorld } = await import("./src/system/world.ts");
  const interrupted = new AbortController();
  const stop = () =>
    interrupted.abort(new CniError(Code.interrupted, "Cannot finish: interrupted by a signal; everything was undone"));
  for (const signal of ["SIGTERM", "SIGINT"] as const) Deno.addSignalListener(signal, stop);
  const world = realWorld(environment, interrupted.signal);
  const { routetable } = await import("./src/routetable/plugin.ts");
  const ipam = routetable(world);
  if (isIpam(environment)) return ipam;
  const { vxlan } = await import("./src/vxlan/plugin.ts");
  return vxlan(world, Object.fromEntries(IPAM_NAMES.map((name) => [name, ipam])));
}

async function main(): Promise<number> {
  const environment = Deno.env.toObject();
  for (const name of OWN_VARIABLES) {
    delete environment[name];
    Deno.env.delete(name);
  }
  if (environment.CNI_COMMAND === undefined) {
    const { runCommandLine } = await import("./src/cli/command_line.ts");
    const { install } = await import("./src/system/install.ts");
    return await runCommandLine(Deno.args, {
      install: (binDir) => install(Deno.execPath(), binDir),
      world: async () => (await import("./src/system/world.ts")).realWorld(environment, new AbortController().signal),
      readFile: (path) => Deno.readTextFileSync(path),
      listFolder,
    });
  }
  const plugin: Plugin = async (invocation) => await (await loadPlugin(environment))(invocation);
  const { stdout, code } = await answer(plugin, environment, () => readInput(environment.CNI_COMMAND));
  if (stdout !== "") writeAll(`${stdout}\n`);
  return code;
}

function listFolder(path: string): string[] {
  try {
    return Array.from(Deno.readDirSync(path), ({ name }) => `${path}/${name}`).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

function writeAll(text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
}

main().then((code) => Deno.exit(code));
