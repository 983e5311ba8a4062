/** The built executable for the scripts that call it: built when it is missing or older than its sources. */
import { EXECUTABLE } from "../tests/lib/call.ts";
import { must } from "../tests/lib/run.ts";

const ROOT = new URL("..", import.meta.url).pathname;

/** Builds when that is needed; says whether it was. */
export async function ensureBuilt(): Promise<"built" | "up to date"> {
  const built = modified(EXECUTABLE);
  const sources = ["deno.json", "main.ts", "scripts/build.ts", "scripts/link.ts", ...listSources("src")];
  const newest = Math.max(...sources.map((source) => modified(ROOT + source) ?? 0));
  if (built !== undefined && built >= newest) return "up to date";
  await must([Deno.execPath(), "run", "-A", "scripts/build.ts"], { cwd: ROOT, timeout: 180_000 });
  return "built";
}

function modified(path: string): number | undefined {
  try {
    return Deno.statSync(path).mtime?.getTime();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function listSources(folder: string): string[] {
  return [...Deno.readDirSync(ROOT + folder)].flatMap(({ name, isDirectory }) =>
    isDirectory ? listSources(`${folder}/${name}`) : [`${folder}/${name}`]
  );
}
