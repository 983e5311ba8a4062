/** A program on CNI_PATH in the place of a plugin: it notes each call, then answers, fails on demand, or hands on to the real plugin. */
import type { Host } from "./host.ts";

/** One call as the program got it, and what it answered. */
export interface Recorded {
  verb: string;
  env: Readonly<Record<string, string>>;
  /** CNI_ARGS as pairs. */
  args: Readonly<Record<string, string>>;
  stdin: string;
  stdout: string;
  /** Undefined while it runs, and when it was killed. */
  code: number | undefined;
}

interface Played {
  /** The plugin's name. */
  type: string;
  /** Shell: what the program does with its input once it has noted it; `exec PLUGIN` hands on. Without it calls are handed on to the `type` in `beside`. */
  then?: string;
  /** Folders whose plugins can all be found beside the program, under their own names. */
  beside?: readonly string[];
  /** A line that each call leaves on standard error. */
  says?: string;
}

export class Recorder {
  readonly #root: string;

  private constructor(readonly home: string, root: string) {
    this.#root = root;
  }

  /** In a folder of this machine. */
  static async make(home: string, played: Played): Promise<Recorder> {
    return await new Recorder(home, "").#set(played);
  }

  /** In a folder of a host's `/run`. */
  static async on(host: Host, played: Played): Promise<Recorder> {
    return await new Recorder(`/run/recorder-${played.type}`, `/proc/${host.pid}/root`).#set(played);
  }

  /** The folder for CNI_PATH. */
  get path(): string {
    return `${this.home}/bin`;
  }

  /** Its files as this process sees them. */
  get #seen(): string {
    return `${this.#root}${this.home}`;
  }

  /** The calls since the last reset, oldest first. */
  async calls(verb?: string): Promise<Recorded[]> {
    const names = Array.from(Deno.readDirSync(`${this.#seen}/calls`), ({ name }) => name).sort();
    const calls = await Promise.all(names.map((name) => readCall(`${this.#seen}/calls/${name}`)));
    return calls.filter((call) => verb === undefined || call.verb === verb);
  }

  /** As calls(), and forgets them. */
  async take(): Promise<Recorded[]> {
    const calls = await this.calls();
    await this.#clear("calls");
    return calls;
  }

  /** From now on calls with this verb fail with this error. */
  async failOn(verb: string, error: unknown): Promise<void> {
    await Deno.writeTextFile(`${this.#seen}/fail/${verb}`, JSON.stringify(error));
  }

  /** Forgets all calls, and lets every verb succeed again. */
  async reset(): Promise<void> {
    await this.#clear("calls");
    await this.#clear("fail");
  }

  async #clear(folder: string): Promise<void> {
    await Deno.remove(`${this.#seen}/${folder}`, { recursive: true }).catch(() => {});
    await Deno.mkdir(`${this.#seen}/${folder}`);
  }

  async #set({ type, beside = [], then, says }: Played): Promise<Recorder> {
    await Deno.mkdir(`${this.#seen}/bin`, { recursive: true });
    await this.reset();
    const real = new Map<string, string>();
    for (const folder of beside) {
      for await (const { name } of Deno.readDir(`${this.#root}${folder}`)) {
        if (!real.has(name)) real.set(name, `${folder}/${name}`);
      }
    }
    const path = real.get(type);
    if (then === undefined && path === undefined) {
      throw new Error(`Cannot hand on to plugin "${type}": it is in none of ${beside.join(", ")}`);
    }
    real.delete(type);
    for (const [name, target] of real) await Deno.symlink(target, `${this.#seen}/bin/${name}`);
    const text = script(this.home, then ?? `exec ${path}`, says);
    await Deno.writeTextFile(`${this.#seen}/bin/${type}`, text, { mode: 0o755 });
    return this;
  }
}

/** What does the work gets the signals as well: a shell waits for its child before it looks at one. */
function script(home: string, work: string, says?: string): string {
  return `#!/bin/sh
call="${home}/calls/$(date +%s%N)-$$"
mkdir "$call"
env -0 > "$call/env"
cat > "$call/stdin"
${says === undefined ? ":" : `echo "${says}" >&2`}
if [ -e "${home}/fail/$CNI_COMMAND" ]; then
  cat "${home}/fail/$CNI_COMMAND" > "$call/stdout"
  code=1
else
  (
${work}
  ) < "$call/stdin" > "$call/stdout" &
  child=$!
  trap 'kill -TERM $child' TERM
  wait $child
  code=$?
  while kill -0 $child 2>/dev/null; do wait $child; code=$?; done
fi
echo $code > "$call/code"
cat "$call/stdout"
exit $code
`;
}

async function readCall(folder: string): Promise<Recorded> {
  const read = (name: string) => Deno.readTextFile(`${folder}/${name}`).catch(() => "");
  const env = pairs(await read("env"), "\0");
  const code = await read("code");
  return {
    verb: env.CNI_COMMAND ?? "",
    env,
    args: pairs(env.CNI_ARGS ?? "", ";"),
    stdin: await read("stdin"),
    stdout: await read("stdout"),
    code: code === "" ? undefined : Number(code),
  };
}

function pairs(text: string, separator: string): Record<string, string> {
  return Object.fromEntries(
    text.split(separator).filter((pair) => pair.includes("=")).map((pair) => {
      const at = pair.indexOf("=");
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}
