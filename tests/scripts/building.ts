/** `scripts/build.ts`, run into a folder of its own, and what it made. */
import { type Ran, run } from "../lib/run.ts";
import { linkedDeno } from "./linked.ts";

export const ROOT = new URL("../..", import.meta.url).pathname;
/** What each part begins with (scripts/build.ts). */
const BEGIN = new TextEncoder().encode(`(function(require,module){"use strict";`);
/** Milliseconds. */
const LONG = 300_000;

interface Built extends Ran, AsyncDisposable {
  folder: string;
  output: string;
  /** Names in the folder afterwards. */
  left: string[];
}

/** Builds into a folder of its own; `denort` is a script that stands in for it, in an executable as `deno compile` wants one. */
export async function build(args: readonly string[], { denort = "", root = ROOT } = {}): Promise<Built> {
  const folder = await Deno.makeTempDir({ prefix: "vxlan-cni-build-" });
  const output = `${folder}/out/vxlan-cni`;
  await Deno.mkdir(`${folder}/out`);
  await using standIn = denort === "" ? undefined : await linkedDeno(denort);
  const env = { NO_COLOR: "1", DENORT_BIN: standIn?.path ?? "" };
  const words = [Deno.execPath(), "run", "-A", `${root}/scripts/build.ts`, "--output", output, ...args];
  const ran = await run(words, { env, timeout: LONG });
  const left = [...Deno.readDirSync(`${folder}/out`)].map(({ name }) => name);
  return { ...ran, folder, output, left, [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
}

/** Where the parts lie in an executable that was linked, in their order: behind deno itself. */
export function partsOf(bytes: Uint8Array): number[] {
  const out: number[] = [];
  const [first = 0] = BEGIN;
  for (let at = bytes.indexOf(first, Deno.statSync(Deno.execPath()).size); at >= 0; at = bytes.indexOf(first, at + 1)) {
    if (BEGIN.every((byte, index) => bytes[at + index] === byte)) out.push(at);
  }
  return out;
}
