/** A part that is not asked for is not read: what calls read of the executable, seen by strace. */
import { deepEqual, equal, ok } from "node:assert/strict";
import { run } from "../lib/run.ts";
import { build, partsOf } from "../scripts/building.ts";

const ADD = { CNI_COMMAND: "ADD", CNI_CONTAINERID: "c1", CNI_NETNS: "/n", CNI_IFNAME: "eth0", CNI_PATH: "/" };

/** Ranges of a file that a call has read, as strace tells them: from, to. */
function readsOf(trace: string, file: string): [from: number, to: number][] {
  const out: [number, number][] = [];
  const positions = new Map<string, number>();
  for (const line of trace.split("\n")) {
    const [, name, fd, path, rest = ""] = /(\w+)\((\d+)<([^>]*)>(.*)/.exec(line) ?? [];
    if (path !== file || fd === undefined) continue;
    const result = Number(/= (\d+)$/.exec(rest)?.[1]);
    const at = positions.get(fd) ?? 0;
    if (name === "lseek") positions.set(fd, result);
    else if (name === "close") positions.delete(fd);
    else if (name === "pread64") {
      const from = Number(/, (\d+)\) +=/.exec(rest)?.[1]);
      out.push([from, from + result]);
    } else {
      out.push([at, at + result]);
      positions.set(fd, at + result);
    }
  }
  return out;
}

Deno.test("a call reads the start and the part that is asked for, and nothing else of the program", async () => {
  await using built = await build(["--base", "link"]);
  equal(built.code, 0, built.stderr);
  const parts = partsOf(await Deno.readFile(built.output));
  const [start = 0, plugin = 0, operator = 0, upgrade = 0] = parts;
  const calls: [args: string[], env: Record<string, string>, stdin: string, read: number[]][] = [
    [[], { CNI_COMMAND: "VERSION" }, '{"cniVersion":"1.0.0"}', [start]],
    [[], ADD, "{", [start, plugin]],
    [[], { CNI_COMMAND: "STATUS", CNI_PATH: "/" }, "{}", [start, plugin]],
    [["version"], {}, "", [start, operator]],
    [["help"], {}, "", [start, operator]],
  ];
  for (const [args, env, stdin, wanted] of calls) {
    const trace = `${built.folder}/trace`;
    const tracer = ["strace", "-qq", "-f", "-y", "-o", trace, "-e", "trace=lseek,read,readv,pread64,close"];
    const { stdout } = await run([...tracer, built.output, ...args], { env, clearEnv: true, stdin });
    ok(stdout.length > 0, "it says something");
    const ranges = readsOf(await Deno.readTextFile(trace), built.output).filter(([, to]) => to > start);
    const touched = parts.filter((part, index) =>
      ranges.some(([from, to]) => to > part && from < (parts[index + 1] ?? Infinity))
    );
    deepEqual(touched, wanted, `${env.CNI_COMMAND ?? ""} ${args}`);
    ok(!touched.includes(upgrade));
    // Each part once, by its position and size.
    deepEqual(ranges.map(([from]) => from), wanted);
  }
});
