/** One command of the operator's command line. */
import type { ParseArgsConfig } from "node:util";
import type { World } from "../world.ts";

/** What commands need beside the world: files, a terminal, the way onto the disk. */
export interface Operator extends World {
  readFile(path: string): string;
  /** Full paths of the files in a folder, sorted; none when there is no such folder. */
  listFolder(path: string): string[];
  print(text: string): void;
  /** Puts this executable into a folder under the names that runtimes call; returns the paths. */
  install(binDir: string): Promise<string[]>;
}

/** The words behind a command's name. */
export interface Words {
  values: Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;
  positionals: readonly string[];
}

export interface Command {
  options: NonNullable<ParseArgsConfig["options"]>;
  /** Returns the exit code: 0, or 1 when something is found that an operator must see to. Throws an Error that says what is wrong. */
  run(words: Words, operator: Operator): Promise<number>;
}

/** The words make no command: the usage is shown. */
export function usageError(text: string): TypeError {
  return Object.assign(new TypeError(text), { code: "USAGE" });
}

/** The value of an option that has one; undefined when it was not given. */
export function textOf({ values }: Words, option: string): string | undefined {
  const value = values[option];
  return typeof value === "string" ? value : undefined;
}
