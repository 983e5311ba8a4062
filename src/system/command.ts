/** Programs: found in folders, run with an environment and standard input of their own. */
import type { Output } from "../world.ts";

/** Full path of the first executable file of this name, and whether it is the program that runs now. */
export function find(name: string, folders: readonly string[]): { path: string; self: boolean } | undefined {
  for (const folder of folders) {
    const path = `${folder}/${name}`;
    try {
      const file = Deno.statSync(path);
      if (!file.isFile || ((file.mode ?? 0) & 0o111) === 0) continue;
      const self = Deno.statSync("/proc/self/exe");
      return { path, self: file.ino === self.ino && file.dev === self.dev };
    } catch (error) {
      if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) continue;
      throw error;
    }
  }
  return undefined;
}

/** Runs a program to its end; passes on that this one was interrupted. */
export async function execute(
  path: string,
  environment: Readonly<Record<string, string>>,
  stdin: string,
  interrupted: AbortSignal,
): Promise<Output> {
  const child = new Deno.Command(path, {
    env: { ...environment },
    clearEnv: true,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const stop = () => {
    try {
      child.kill("SIGTERM");
    } catch {
      // It has ended already.
    }
  };
  interrupted.addEventListener("abort", stop);
  const writer = child.stdin.getWriter();
  // A program that ends before it has read everything closes the pipe: what it printed still counts.
  await writer.write(new TextEncoder().encode(stdin)).then(() => writer.close()).catch(() => {});
  const { code, stdout, stderr } = await child.output();
  interrupted.removeEventListener("abort", stop);
  // What a plugin says there is for whoever reads our own (CNI spec 1.1.0, section 4).
  if (stderr.length > 0) Deno.stderr.writeSync(stderr);
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}
