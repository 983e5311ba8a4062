/** The operator's command line, put together. */
import type { Operator } from "../cli/command.ts";
import { runCommand } from "../cli/commands.ts";
import { install } from "../system/install.ts";
import { hasEarlierLedger } from "../system/store.ts";
import { realWorld } from "../system/world.ts";
import { reason } from "../text.ts";

/** Runs one command; returns the exit code. */
export async function run(environment: Readonly<Record<string, string>>): Promise<number> {
  const { signal } = new AbortController();
  const operator: Operator = {
    ...realWorld(environment, signal),
    readFile: (path) => Deno.readTextFileSync(path),
    listFolder,
    print: (text) => console.log(text),
    warn: (text) => console.error(text),
    install: (binDir) => install(Deno.execPath(), binDir),
  };
  try {
    // The first thing that an operator asks after an upgrade may be what it has left.
    if (Deno.args[0] === "status" && hasEarlierLedger()) {
      await (await import("./upgrade.ts")).run(environment, signal);
    }
  } catch (error) {
    operator.warn(reason(error));
    return 1;
  }
  return await runCommand(Deno.args, operator);
}

function listFolder(path: string): string[] {
  try {
    return Array.from(Deno.readDirSync(path), ({ name }) => `${path}/${name}`).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
