/** `deno task build`: linked, compiled with a stand-in for denort, and refused; and that a part which is not asked for is not needed. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { must, type Ran, run } from "../lib/run.ts";
import { build, partsOf, ROOT } from "./building.ts";

const PARTS = ["start", "plugin", "operator", "upgrade"];
const ADD = { CNI_COMMAND: "ADD", CNI_CONTAINERID: "c1", CNI_NETNS: "/n", CNI_IFNAME: "eth0", CNI_PATH: "/" };
/** An executable as a runtime or an operator calls it. */
async function call(
  executable: string,
  args: readonly string[],
  env: Record<string, string> = {},
  stdin = "",
): Promise<Ran> {
  return await run([executable, ...args], { env, clearEnv: true, stdin });
}

Deno.test("build: linked", async (t) => {
  await using built = await build(["--base", "link"]);
  equal(built.code, 0, built.stderr);

  await t.step("says what it is made from, and how many bytes a call of each part reads", () => {
    const [name = "", size = "", ...parts] = built.stdout.trimEnd().split("\n");
    match(name, /vxlan-cni: linked into deno \d+\.\d+\.\d+ \(no denort at hand\)$/);
    match(size, /^size \d+\.\d MB, start-up \d+\.\d ms \("version", median\)$/);
    deepEqual(parts.map((line) => line.trim().split(/ +/)[0]), PARTS);
    for (const line of parts) match(line, /^ {2}\w+ +\d+\.\d KiB of at most \d+ KiB$/);
    deepEqual(built.left, ["vxlan-cni"]);
  });

  await t.step("each call needs the start and one part: the others may be anything", async () => {
    const bytes = await Deno.readFile(built.output);
    const [start = 0, plugin = 0, operator = 0, upgrade = 0] = partsOf(bytes);
    ok(start > 0 && start < plugin && plugin < operator && operator < upgrade, "the parts lie in another order");
    const without = async (...spoiled: number[]) => {
      const copy = `${built.folder}/${spoiled.join("-")}`;
      const changed = bytes.slice();
      for (const at of spoiled) changed.fill(0xff, at, at + 1000);
      await Deno.writeFile(copy, changed, { mode: 0o755 });
      return copy;
    };
    const onlyStart = await without(plugin, operator, upgrade);
    const version = await call(onlyStart, [], { CNI_COMMAND: "VERSION" }, '{"cniVersion":"1.0.0"}');
    deepEqual([version.code, JSON.parse(version.stdout).cniVersion], [0, "1.0.0"]);
    const asPlugin = await without(operator, upgrade);
    const add = await call(asPlugin, [], ADD, "{");
    deepEqual([add.code, JSON.parse(add.stdout).code], [1, 6]);
    const asOperator = await without(plugin, upgrade);
    match((await call(asOperator, ["version"])).stdout, /^vxlan-cni \d/);
    // And it is those bytes that count.
    for (const [executable, args, env] of [[onlyStart, ["version"], {}], [onlyStart, [], ADD]] as const) {
      equal((await call(executable, args, env, "{")).stdout, "");
    }
  });
});

/** Runs what `deno compile` was given from where the build keeps it, and notes how it was called. */
const standIn = (log: string) => `
  Deno.writeTextFileSync("${log}", (Deno.env.get("CNI_COMMAND") ?? "") + " " + Deno.args + "\\n", { append: true });
  await import("file://" + Deno.execPath() + ".parts/start.js");
`;
const RUBBISH = `console.log("rubbish"); Deno.exit(3);`;
/** Answers the first trial only. */
const FORGETFUL = `if (Deno.args[0] === "version") console.log("vxlan-cni 0.1.0");`;

Deno.test("build: compiled, and tried as people and runtimes would", async () => {
  const log = await Deno.makeTempFile();
  try {
    await using built = await build(["--base", "compile"], { denort: standIn(log) });
    equal(built.code, 0, built.stderr);
    match(built.stdout, /vxlan-cni: compiled with denort \(DENORT_BIN\)\n/);
    deepEqual(built.left, ["vxlan-cni"]);
    const calls = (await Deno.readTextFile(log)).split("\n");
    deepEqual(calls.slice(0, 4), [" version", "VERSION ", "ADD ", "STATUS "]);
  } finally {
    await Deno.remove(log);
  }
});

Deno.test("build: what was compiled and does not work is told, and linked instead", async () => {
  const cases: [denort: string, complaint: RegExp][] = [
    [
      RUBBISH,
      /^Not compiled: Cannot run what was built: version ended with 3 and said "rubbish"$/m,
    ],
    [FORGETFUL, /^Not compiled: Cannot run what was built: VERSION ended with 0 and said ""$/m],
  ];
  for (const [denort, complaint] of cases) {
    await using built = await build([], { denort });
    equal(built.code, 0, built.stderr);
    match(built.stdout, complaint);
    match(built.stdout, /vxlan-cni: linked into deno .* \(what was compiled does not work\)$/m);
    match((await call(built.output, ["version"])).stdout, /^vxlan-cni \d/);
  }
});

Deno.test("build: where it must be compiled and does not work, nothing is left", async () => {
  await using built = await build(["--base", "compile"], { denort: RUBBISH });
  deepEqual([built.code, built.left], [1, []]);
  match(built.stderr, /^Cannot run what was built: version ended with 3 and said "rubbish"$/m);
});

Deno.test("build: a part that is larger than it may be stops it", async () => {
  const root = await Deno.makeTempDir({ prefix: "vxlan-cni-sources-" });
  try {
    await must(["cp", "-r", ...["main.ts", "deno.json", "src", "scripts"].map((name) => `${ROOT}${name}`), root]);
    const ballast = `export const BALLAST = "${"x".repeat(200 * 1024)}";\n`;
    await Deno.writeTextFile(`${root}/src/entry/plugin.ts`, ballast, { append: true });
    await using built = await build(["--base", "link"], { root });
    deepEqual([built.code, built.left], [1, []]);
    match(
      built.stderr,
      /^Cannot build: part "plugin" has 3\d\d\.\d KiB, more than \d+\.0 KiB; import less, or a smaller package$/m,
    );
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

Deno.test("build: a base that it does not know is a wrong word", async () => {
  await using built = await build(["--base", "gcc"]);
  deepEqual([built.code, built.left], [1, []]);
  match(built.stderr, /^usage: build\.ts /);
});
