/** Another plugin, made to look like one of ours: found on CNI_PATH, run as a process (CNI spec 1.1.0, section 4). */
import type { World } from "../world.ts";
import { reason } from "../text.ts";
import { CniError, Code } from "./error.ts";
import type { Invocation } from "./invocation.ts";
import type { Plugin } from "./plugin.ts";
import { decodeResult } from "./result.ts";
import { invalid } from "./schema.ts";

/** Throws CniError (7) unless `type` is a bare file name: nothing may lead out of CNI_PATH. */
export function checkPluginType(type: unknown, path: readonly PropertyKey[]): string {
  if (typeof type === "string" && /^[^/\0]+$/.test(type) && type !== "." && type !== "..") return type;
  throw invalid(path, "the file name of a plugin without '/', '..' and NUL", type);
}

/** The plugin of this type; `builtIn` has those that run in this process unless CNI_PATH holds a different program of the name. */
export function findPlugin(
  world: Pick<World, "find" | "execute">,
  type: string,
  path: readonly string[],
  builtIn: Readonly<Record<string, Plugin>>,
): Plugin {
  const found = world.find(type, path);
  const own = Object.hasOwn(builtIn, type) ? builtIn[type] : undefined;
  if (own !== undefined && (found === undefined || found.self)) return own;
  if (found !== undefined) return processPlugin(world, found.path);
  throw new CniError(
    Code.ipam,
    `Cannot find plugin "${type}": it is in none of the folders of CNI_PATH (${path.join(", ")})`,
  );
}

/** An executable as a plugin. */
export function processPlugin(world: Pick<World, "execute">, path: string): Plugin {
  return async (invocation) => {
    const { code, stdout, stderr } = await world.execute(path, childEnvironment(invocation), childInput(invocation));
    if (code !== 0) throw failure(path, code, stdout, stderr);
    if (invocation.verb !== "ADD") return undefined;
    return decodeResult(parse(path, stdout), `the result of "${path}"`);
  };
}

function childEnvironment(invocation: Invocation): Record<string, string> {
  return {
    ...invocation.environment,
    CNI_COMMAND: invocation.verb,
    CNI_CONTAINERID: invocation.containerId,
    CNI_NETNS: invocation.netns,
    CNI_IFNAME: invocation.ifname,
    CNI_ARGS: Object.entries(invocation.args).map(([key, value]) => `${key}=${value}`).join(";"),
  };
}

function childInput(invocation: Invocation): string {
  return JSON.stringify(invocation.config.raw);
}

function parse(path: string, stdout: string): unknown {
  try {
    return JSON.parse(stdout);
  } catch (error) {
    throw new CniError(Code.ipam, `Cannot decode what "${path}" printed: ${reason(error)}`);
  }
}

/** The plugin's own error where it printed one, else what it left on standard error. */
function failure(path: string, exit: number, stdout: string, stderr: string): CniError {
  try {
    const { code, msg, details } = JSON.parse(stdout) as Record<string, unknown>;
    if (typeof code === "number" && typeof msg === "string") {
      return new CniError(code, msg, { details: typeof details === "string" ? details : "" });
    }
  } catch {
    // Not an error of the specification's: told below.
  }
  return new CniError(
    Code.ipam,
    `Cannot run plugin "${path}": it ended with ${exit}`,
    { details: (stderr || stdout).trim().slice(0, 2000) },
  );
}
