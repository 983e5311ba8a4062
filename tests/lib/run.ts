/** Runs programs for the tests: arguments in, exit code and text out. */

export interface RunOptions {
  /** Written to standard input, which is then closed; nothing when not given. */
  stdin?: string | Uint8Array;
  /** Added to the environment, or all of it with `clearEnv`. */
  env?: Record<string, string>;
  clearEnv?: boolean;
  cwd?: string;
  /** After this many milliseconds the program is killed; 60,000 when not given. */
  timeout?: number;
}

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end; the exit code is the caller's to judge. */
export async function run(command: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const [program, ...args] = command;
  if (program === undefined) throw new TypeError("Cannot run an empty command");
  const child = new Deno.Command(program, {
    args,
    env: options.env ?? {},
    clearEnv: options.clearEnv ?? false,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdin: options.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(options.timeout ?? 60_000),
  }).spawn();
  if (options.stdin !== undefined) {
    const bytes = typeof options.stdin === "string" ? new TextEncoder().encode(options.stdin) : options.stdin;
    const writer = child.stdin.getWriter();
    // A program that does not read its input to the end closes the pipe: that is its right.
    await writer.write(bytes).then(() => writer.close()).catch(() => {});
  }
  const { code, stdout, stderr } = await child.output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

/** Runs a program that must succeed and returns what it printed. */
export async function must(command: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await run(command, options);
  if (code !== 0) throw new Error(`Command failed with ${code}: ${command.join(" ")}\n${stdout}${stderr}`);
  return stdout;
}
