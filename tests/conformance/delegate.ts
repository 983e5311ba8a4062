/**
 * A stand-in for the IPAM plugin on `CNI_PATH`: notes the environment and standard input of each call, fails on demand, and
 * otherwise runs the real plugin.
 */
import type { Host } from "../lib/host.ts";
import { isObject, type JsonObject, parseJson } from "./answer.ts";

/** One call that reached the delegate. */
interface DelegateCall {
  readonly env: Record<string, string>;
  readonly stdin: JsonObject;
}

const HOME = "/run/conformance";

const SAID = "conformance: the delegate was called";

const SCRIPT = `#!/bin/sh
call=$(mktemp -d ${HOME}/calls/XXXXXXXX)
cat > "$call/stdin"
env > "$call/env"
echo "${SAID}" >&2
if [ -e "${HOME}/fail-$CNI_COMMAND" ]; then cat "${HOME}/fail-$CNI_COMMAND"; exit 1; fi
exec REAL < "$call/stdin"
`;

/** The stand-in installed in one host. */
export class Delegate {
  /** The directory to put first in `CNI_PATH`. */
  readonly directory = `${HOME}/bin`;
  /** What the stand-in writes to standard error at each call. */
  readonly said = SAID;
  readonly #root: string;

  private constructor(host: Host) {
    this.#root = `/proc/${host.pid}/root${HOME}`;
  }

  /** Installs a stand-in for the plugin of this type; `real` is the path of the plugin it runs. */
  static async install(host: Host, type: string, real: string): Promise<Delegate> {
    const delegate = new Delegate(host);
    await Deno.mkdir(`${delegate.#root}/bin`, { recursive: true });
    await Deno.mkdir(`${delegate.#root}/calls`);
    await Deno.writeTextFile(`${delegate.#root}/bin/${type}`, SCRIPT.replace("REAL", real), { mode: 0o755 });
    return delegate;
  }

  /** From now on, calls with this verb fail with this error. */
  async failOn(verb: string, error: JsonObject): Promise<void> {
    await Deno.writeTextFile(`${this.#root}/fail-${verb}`, JSON.stringify(error));
  }

  /** The calls with this verb since the last `reset`. */
  async calls(verb: string): Promise<DelegateCall[]> {
    const calls: DelegateCall[] = [];
    for await (const { name } of Deno.readDir(`${this.#root}/calls`)) {
      const directory = `${this.#root}/calls/${name}`;
      const lines = (await Deno.readTextFile(`${directory}/env`)).split("\n").filter((line) => line.includes("="));
      const env = Object.fromEntries(
        lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
      );
      const stdin = parseJson(await Deno.readTextFile(`${directory}/stdin`));
      if (env["CNI_COMMAND"] === verb) calls.push({ env, stdin: isObject(stdin) ? stdin : {} });
    }
    return calls;
  }

  /** Forgets all calls and lets every verb succeed again. */
  async reset(): Promise<void> {
    for (const verb of ["ADD", "DEL", "CHECK", "GC", "STATUS"]) {
      await Deno.remove(`${this.#root}/fail-${verb}`).catch(() => {});
    }
    await Deno.remove(`${this.#root}/calls`, { recursive: true });
    await Deno.mkdir(`${this.#root}/calls`);
  }
}
