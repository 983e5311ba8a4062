/**
 * The routing daemons of one node, as children of a shell that is process 1 of a pid namespace and waits on a pipe.
 *
 * Whatever ends the test closes the pipe; the shell ends, and the kernel kills every process of that namespace. No pid file is
 * trusted and no process is looked up by name.
 */
import type { Host } from "../lib/host.ts";

/** How a daemon is run: commands for the foreground, each started when the shell words before it succeed. */
export interface DaemonPlan {
  /** Shell words that prepare folders; run first, must succeed. */
  prepare: string;
  /** Long-running commands in the foreground, in order of their start. */
  commands: readonly string[];
  /** Shell words that run when all are started, for example to load the configuration; must succeed. */
  ready: string;
  /** Shell words that stop it in the way the recipe advises; afterwards each command still there gets a SIGTERM. */
  stop: string;
}

export class Daemon {
  readonly #child: Deno.ChildProcess;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
  }

  /** Starts the daemons of a plan on a host and waits until they answer. */
  static async start(host: Host, plan: DaemonPlan): Promise<Daemon> {
    const child = spawn(host, plan);
    const errors: string[] = [];
    const draining = drain(child.stderr, errors);
    const reader = child.stdout.getReader();
    const first = await reader.read();
    reader.releaseLock();
    if (new TextDecoder().decode(first.value) !== "ready\n") {
      await child.stdin.close().catch(() => {});
      await child.status;
      await child.stdout.cancel().catch(() => {});
      await draining;
      throw new Error(`Cannot start a routing daemon on ${host.name}: ${errors.join("")}`);
    }
    return new Daemon(child);
  }

  /** Ends the daemons: "stop" asks them to end and waits for it, "kill" is a crash. */
  async end(how: "stop" | "kill"): Promise<void> {
    if (how === "stop") {
      const writer = this.#child.stdin.getWriter();
      await writer.write(new TextEncoder().encode("stop\n")).catch(() => {});
      writer.releaseLock();
    }
    if (how === "kill") await this.#child.stdin.close().catch(() => {});
    await this.#child.status;
    if (how === "stop") await this.#child.stdin.close().catch(() => {});
    await this.#child.stdout.cancel().catch(() => {});
  }
}

function spawn(host: Host, plan: DaemonPlan): Deno.ChildProcess {
  // Process 1 does nothing but wait for a word: the end of the pipe ends it, and all, at any moment.
  const script = `
    { ${plan.prepare}; } >&2 || exit 1
    pids=
    ${plan.commands.map((command) => `${command} </dev/null >&2 & pids="$! $pids"`).join("\n")}
    { ( ${plan.ready} ) >&2 && echo ready || echo failed; } </dev/null &
    read -r word || exit 1
    ${plan.stop}
    for pid in $pids; do kill -TERM $pid 2>/dev/null; wait $pid; done`;
  const [program, ...args] = host.enter(["unshare", "--pid", "--fork", "--kill-child", "--", "sh", "-c", script]);
  if (program === undefined) throw new TypeError("Cannot run an empty command");
  return new Deno.Command(program, { args, stdin: "piped", stdout: "piped", stderr: "piped" }).spawn();
}

async function drain(stream: ReadableStream<Uint8Array>, into: string[]): Promise<void> {
  for await (const chunk of stream) {
    into.push(new TextDecoder().decode(chunk));
    if (into.length > 200) into.shift();
  }
}
