/** The operator's command line, put together. */
import type { Operator } from "../cli/command.ts";
import { runCommand } from "../cli/commands.ts";
import { install } from "../system/install.ts";
import { realWorld } from "../system/world.ts";

/** Runs one command; returns the exit code. */
export async function run(environment: Readonly<Record<string, string>>): Promise<number> {
  const operator: Operator = {
    ...realWorld(environment, new AbortController().signal),
    readFile: (path) => Deno.readTextFileSync(path),
    listFolder,
    print: (text) => console.log(text),
    warn: (text) => console.error(text),
    install: (binDir) => install(Deno.execPath(), binDir),
  };
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
