/** An operator at the terminal of a world: what is printed and warned of is kept. */
import type { Operator } from "../../src/cli/command.ts";
import { runCommand } from "../../src/cli/commands.ts";
import type { World } from "../../src/world.ts";
import { fakeWorld } from "../fake/world.ts";

interface Ran {
  code: number;
  printed: string;
  warned: string;
}

interface Desk {
  world?: World;
  /** Contents of files by full path. */
  files?: Readonly<Record<string, string>>;
  /** What becomes of an installation. */
  install?: Operator["install"];
}

/** Runs one command with these words. */
export async function operate(words: readonly string[], desk: Desk = {}): Promise<Ran> {
  const { world = fakeWorld(), files = {}, install = () => Promise.reject(new Error("Cannot install: no disk")) } =
    desk;
  const printed: string[] = [];
  const warned: string[] = [];
  const operator: Operator = {
    ...world,
    install,
    print: (text) => void printed.push(text),
    warn: (text) => void warned.push(text),
    readFile(path) {
      const content = files[path];
      if (content === undefined) throw new Error(`No such file or directory: "${path}"`);
      return content;
    },
    listFolder: (folder) => Object.keys(files).filter((path) => path.startsWith(`${folder}/`)).sort(),
  };
  const code = await runCommand(words, operator);
  return { code, printed: printed.join("\n"), warned: warned.join("\n") };
}
