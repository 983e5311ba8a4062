/** A call of a container runtime: the plugins put together. */
import { answer } from "../cni/answer.ts";
import { CniError, Code } from "../cni/error.ts";
import { configOfOriginal, isHandoff } from "../cni/handoff.ts";
import { parseArgs } from "../cni/invocation.ts";
import type { Plugin } from "../cni/plugin.ts";
import { routetable } from "../routetable/plugin.ts";
import { openNode } from "../state/node.ts";
import { readStdin, write } from "../system/standard.ts";
import { hasEarlierLedger } from "../system/store.ts";
import { realWorld } from "../system/world.ts";
import { IPAM_NAMES } from "../text.ts";
import { vxlan } from "../vxlan/plugin.ts";

/** Answers one call, all verbs but VERSION; returns the exit code. */
export async function run(environment: Readonly<Record<string, string>>): Promise<number> {
  const interrupted = new AbortController();
  const stop = () =>
    interrupted.abort(new CniError(Code.interrupted, "Cannot finish: interrupted by a signal; everything was undone"));
  const args = argsOf(environment);
  const plugin: Plugin = async (invocation) => {
    // Only ADD is undone; the others are carried on by the next call.
    if (invocation.verb === "ADD") {
      for (const signal of ["SIGTERM", "SIGINT"] as const) Deno.addSignalListener(signal, stop);
    }
    if (hasEarlierLedger()) await (await import("./upgrade.ts")).run(environment, interrupted.signal);
    using node = openNode(realWorld(environment, interrupted.signal));
    const ipam = routetable(node);
    // Called by an IPAM's name, or with what only an IPAM plugin gets, through a wrapper that hides the name.
    const isIpam = IPAM_NAMES.includes(calledAs()) || isHandoff(args);
    const chosen = isIpam ? ipam : vxlan(node, Object.fromEntries(IPAM_NAMES.map((name) => [name, ipam])));
    return await chosen(invocation);
  };
  const { stdout, code } = await answer(plugin, environment, () => readStdin() || configOfOriginal(args));
  if (stdout !== "") write(`${stdout}\n`);
  return code;
}

/** What CNI_ARGS say, if they can be read: if not, the answer will be an error. */
function argsOf({ CNI_ARGS = "" }: Readonly<Record<string, string>>): Record<string, string> {
  try {
    return parseArgs(CNI_ARGS);
  } catch (error) {
    if (error instanceof CniError) return {};
    throw error;
  }
}

/** The name this program was called by; the process's own arguments hold it as the runtime wrote it. */
function calledAs(): string {
  const [name = ""] = Deno.readTextFileSync("/proc/self/cmdline").split("\0");
  return name.slice(name.lastIndexOf("/") + 1);
}
