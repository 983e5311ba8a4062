/**
 * A machine for a real client, with a process namespace and with an overlay over `/etc`, `/opt` and `/var`: whatever the client
 * starts ends with the test, and nothing that it writes stays.
 */
import type { Host } from "../lib/host.ts";
import { SYSTEM_PATH } from "../lib/call.ts";
import { must, type Ran, run, type RunOptions } from "../lib/run.ts";
import { Machine } from "./machine.ts";
import { Recorder } from "./recorder.ts";
import { makeRootfs } from "./rootfs.ts";
import type { Subject } from "./subject.ts";

// crun refuses a host with both generations of cgroups: the second one is taken away here. The process id is read before
// the new /proc hides it. The shell stays in front of `cat` to reap what the client leaves behind.
const setUp = `
read pid rest < /proc/self/stat
mount -t proc proc /proc
if grep -q " /sys/fs/cgroup/unified " /proc/self/mounts; then umount /sys/fs/cgroup/unified; fi
for name in etc opt var; do
  mkdir -p /run/overlay/$name/upper /run/overlay/$name/work
  mount -t overlay -o lowerdir=/$name,upperdir=/run/overlay/$name/upper,workdir=/run/overlay/$name/work overlay /$name || exit 1
done
mkdir -p /etc/cni/net.d /opt/cni/bin
rm -rf /etc/cni/net.d/*
echo $pid
cat
exit 0
`;

export class ClientHost implements AsyncDisposable {
  readonly #parts: AsyncDisposableStack;
  /** A temporary folder with `rootfs`, the file system of a container. */
  readonly folder: string;
  readonly host: Host;
  readonly subject: Subject;

  private constructor(
    parts: AsyncDisposableStack,
    machine: Machine,
    readonly recorder: Recorder,
    readonly pid: number,
  ) {
    this.#parts = parts;
    this.folder = machine.folder;
    this.host = machine.host;
    this.subject = machine.subject;
  }

  /** Makes a host whose plugins are `recorder.pluginDir`, and whose list is also in `/etc/cni/net.d`. */
  static async make(): Promise<ClientHost> {
    await using parts = new AsyncDisposableStack();
    const machine = parts.use(await Machine.make());
    const { folder, subject: { conflist, pluginDirs }, host } = machine;
    const recorder = await Recorder.make(folder, conflist.plugins[0]!.type, pluginDirs);
    await makeRootfs(`${folder}/rootfs`);
    const pid = await startInit(host, parts);
    const client = new ClientHost(parts.move(), machine, recorder, pid);
    await client.must(["mount", "--bind", recorder.pluginDir, "/opt/cni/bin"]);
    await client.must(["tee", "/etc/cni/net.d/50-vxnet.conflist"], { stdin: JSON.stringify(conflist) });
    return client;
  }

  /** The words that put a command into this host and its process namespace. */
  enter(command: readonly string[]): string[] {
    return ["nsenter", "-t", String(this.pid), "-n", "-m", "-u", "-p", "--", ...command];
  }

  /** The environment of every command here: nothing of the machine's own. */
  get env(): Record<string, string> {
    return { PATH: SYSTEM_PATH, HOME: this.folder, LANG: "C.UTF-8" };
  }

  run(command: readonly string[], options: RunOptions = {}): Promise<Ran> {
    return run(this.enter(command), { ...options, env: { ...this.env, ...options.env }, clearEnv: true });
  }

  must(command: readonly string[], options: RunOptions = {}): Promise<string> {
    return must(this.enter(command), { ...options, env: { ...this.env, ...options.env }, clearEnv: true });
  }

  /** Starts a program that ends at the latest with this host. */
  spawn(command: readonly string[], env: Record<string, string> = {}): Deno.ChildProcess {
    const [program, ...args] = this.enter(command);
    return new Deno.Command(program!, {
      args,
      env: { ...this.env, ...env },
      clearEnv: true,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.disposeAsync();
  }
}

/** Starts the first process of the process namespace; returns its process id on the machine. */
async function startInit(host: Host, parts: AsyncDisposableStack): Promise<number> {
  const command = host.enter(["unshare", "--pid", "--fork", "--kill-child", "--mount", "sh", "-c", setUp]);
  const child = new Deno.Command(command[0]!, {
    args: command.slice(1),
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  parts.defer(async () => {
    await child.stdin.close().catch(() => {});
    await child.stdout.cancel().catch(() => {});
    await child.status;
  });
  return Number(await firstLine(child.stdout, /^\d+$/));
}

/** Reads up to the first line that matches; goes on reading and forgetting, so that the writer never blocks. */
export async function firstLine(stream: ReadableStream<Uint8Array>, pattern: RegExp): Promise<string> {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (true) {
    const { done, value } = await reader.read();
    text += value ?? "";
    const found = text.split("\n").slice(0, -1).find((line) => pattern.test(line));
    if (found !== undefined) {
      void drain(reader);
      return found;
    }
    if (done) throw new Error(`Cannot find a line like ${pattern}: the program ended after ${JSON.stringify(text)}`);
  }
}

async function drain(reader: ReadableStreamDefaultReader<string>): Promise<void> {
  while (!(await reader.read().catch(() => ({ done: true }))).done);
}
