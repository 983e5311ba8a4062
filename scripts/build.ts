/** `deno task build`: bundles the program to one script and makes one executable of the script and Deno. */

import * as path from "node:path";
import { parseArgs } from "node:util";
import { link } from "./link.ts";

const USAGE = "usage: build.ts [--entry main.ts] [--output dist/vxlan-cni] [--base compile|link]";
const LARGEST_BUNDLE = 150 * 1024;
const RUNS = 15;
/**
 * V8 would parse the whole script a second time when the first Error is made (3 ms for 100 KiB), collect garbage in the middle of
 * an ADD, and measure the CPU's clock for 3 ms where its threads meet at a lock: a call is too short for all three.
 */
const V8_FLAGS = "--v8-flags=--no-enable-lazy-source-positions,--min-semi-space-size=16,--single-threaded";
/** The program may do all that root may; it looks for nothing around it, fetches nothing and caches nothing. */
const FLAGS = [
  "-A",
  "--no-config",
  "--no-lock",
  "--no-npm",
  "--no-remote",
  "--cached-only",
  "--no-code-cache",
  V8_FLAGS,
];
/** The linked executable adds these; nothing can be created in /proc, so Deno keeps its caches in memory. */
const ENVIRONMENT = ["DENO_DIR=/proc/vxlan-cni", "DENO_NO_UPDATE_CHECK=1", "DENO_NO_PACKAGE_JSON=1"];
/** Variables that start so could make Deno write files, send telemetry or refuse to start. */
const DROPPED = ["DENO_", "OTEL_DENO", "NODE_CHANNEL_FD=", "SSLKEYLOGFILE="];
const SERVER = "https://dl.deno.land/release";
const TRIPLE = `${Deno.build.arch}-unknown-linux-gnu`;

async function build(args: string[]): Promise<void> {
  const root = path.dirname(import.meta.dirname ?? ".");
  const { values } = parseArgs({
    args,
    options: {
      entry: { type: "string", default: path.join(root, "main.ts") },
      output: { type: "string", default: path.join(root, "dist", "vxlan-cni") },
      base: { type: "string" },
    },
  });
  if (![undefined, "compile", "link"].includes(values.base)) throw new TypeError(USAGE);
  const output = path.resolve(values.output);
  const temporary = `${output}.${Deno.pid}.tmp`;
  await Deno.mkdir(path.dirname(output), { recursive: true });
  try {
    const script = await bundle(path.resolve(values.entry), `${temporary}.js`);
    const base = await assemble(script, temporary, values.base);
    await Deno.chmod(temporary, 0o755);
    const milliseconds = await startUp(temporary);
    await Deno.rename(temporary, output);
    const megabytes = (await Deno.stat(output)).size / 1e6;
    console.log(`${path.relative(Deno.cwd(), output)}: ${base}`);
    console.log(`size ${megabytes.toFixed(1)} MB, of it bundle ${kibibytes(script.length)}`);
    console.log(`start-up ${milliseconds.toFixed(1)} ms ("version" in an empty environment, median of ${RUNS})`);
  } finally {
    await removeIfThere(temporary);
    await removeIfThere(`${temporary}.js`);
  }
}

/** The part of the program that VERSION does without: evaluated when it is imported, until then only a text to V8. */
const LATER = "./src/program.ts";

/**
 * Bundles to CommonJS: unlike in a module, what a lazily imported file needs of `node:` is then loaded as late as the
 * file itself (`node:process` alone is 17 ms). Dynamic imports become functions of the script they are in.
 */
async function bundle(entry: string, temporary: string): Promise<Uint8Array> {
  const folder = path.dirname(entry);
  const first = await bundleFile(entry, temporary, folder, [LATER]);
  const split = first.includes(JSON.stringify(LATER));
  const later = split ? wrap(await bundleFile(path.join(folder, LATER), temporary, folder, [])) : "";
  const load = `(name)=>name===${JSON.stringify(LATER)}?(0,eval)(later)(builtin,{}):builtin(name)`;
  const script =
    `((later)=>{const builtin=(name)=>process.getBuiltinModule(name);${wrap(first)}(${load},{})})(${quote(later)})\n` +
    `//# sourceURL=vxlan-cni.js\n`;
  const bytes = new TextEncoder().encode(script);
  if (bytes.length <= LARGEST_BUNDLE) return bytes;
  const [found, allowed] = [kibibytes(bytes.length), kibibytes(LARGEST_BUNDLE)];
  throw new Error(`Cannot build: the bundle has ${found}, more than ${allowed}; import less, or a smaller package`);
}

async function bundleFile(
  entry: string,
  temporary: string,
  folder: string,
  external: readonly string[],
): Promise<string> {
  const options = [
    "--quiet",
    "--no-lock",
    "--minify",
    "--format=cjs",
    "--platform=browser",
    ...external.map((name) => `--external=${name}`),
  ];
  await deno(["bundle", ...options, `--output=${temporary}`, entry], { cwd: folder });
  return (await Deno.readTextFile(temporary)).replaceAll(
    `import(${JSON.stringify(LATER)})`,
    `require(${JSON.stringify(LATER)})`,
  );
}

/** A CommonJS file as a function of `require` and `module` that returns what the file exports. */
function wrap(code: string): string {
  return `(function(require,module){"use strict";${code};return module.exports})`;
}

/** A text as a literal of the fewest bytes. */
function quote(text: string): string {
  return "`" + text.replace(/[\\`]|\$\{/g, "\\$&") + "`";
}

/** Writes the executable and says what it was made from. */
async function assemble(script: Uint8Array, file: string, wanted: string | undefined): Promise<string> {
  const denort = wanted === "link" ? undefined : await findDenort();
  if (denort !== undefined || wanted === "compile") {
    try {
      await Deno.writeFile(`${file}.js`, script);
      await deno(["compile", "--quiet", ...FLAGS, `--output=${file}`, `${file}.js`]);
      return `compiled with denort (${denort ?? "as asked"})`;
    } catch (cause) {
      if (wanted === "compile" || denort !== SERVER) throw cause;
    }
  }
  const base = Deno.execPath();
  const args = (position: number) => ["run", "--quiet", "--no-prompt", ...FLAGS, loader(position, script.length)];
  await Deno.writeFile(file, link(await Deno.readFile(base), { script, args, env: ENVIRONMENT, dropped: DROPPED }));
  return `linked into deno ${Deno.version.deno} (no denort at hand)`;
}

/** A module that evaluates the script: Deno would parse a module of this size for 10 ms before V8 does. */
function loader(position: number, size: number): string {
  const code = `const f=Deno.openSync("/proc/self/exe");f.seekSync(${position},0);const b=new Uint8Array(${size});` +
    `for(let n=0,r;n<${size};n+=r){r=f.readSync(b.subarray(n));if(!r)throw new Error("Cannot read the program")}` +
    `f.close();(0,eval)(new TextDecoder().decode(b))`;
  return `data:text/javascript,${encodeURIComponent(code)}`;
}

/** Where `deno compile` would take its runtime from: a file of the user's, Deno's cache, its server; or nowhere. */
async function findDenort(): Promise<string | undefined> {
  if (Deno.env.get("DENORT_BIN")) return "DENORT_BIN";
  const { denoDir } = JSON.parse(await deno(["info", "--json"])) as { denoDir: string };
  const release = `v${Deno.version.deno}/denort-${TRIPLE}.zip`;
  const cached = path.join(denoDir, "dl", "release", release);
  if (await Deno.stat(cached).then(({ isFile }) => isFile, () => false)) return cached;
  const request = { method: "HEAD", signal: AbortSignal.timeout(5000) };
  return await fetch(`${SERVER}/${release}`, request).then(({ ok }) => ok ? SERVER : undefined, () => undefined);
}

/** Runs the executable as a container runtime would and returns the median time in milliseconds. */
async function startUp(executable: string): Promise<number> {
  const command = new Deno.Command(executable, { args: ["version"], clearEnv: true, cwd: "/", stdin: "null" });
  const times: number[] = [];
  while (times.length < RUNS) {
    const start = performance.now();
    const { code, stdout, stderr } = await command.output();
    times.push(performance.now() - start);
    const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    if (code !== 0 || stdout.length === 0) throw new Error(`Cannot run what was built: exit code ${code}; ${said}`);
  }
  return times.sort((a, b) => a - b)[Math.floor(RUNS / 2)] ?? NaN;
}

async function deno(args: string[], options: { cwd?: string } = {}): Promise<string> {
  // A download that hangs must not hang the build.
  const signal = AbortSignal.timeout(120_000);
  const command = new Deno.Command(Deno.execPath(), {
    args,
    ...options,
    env: { NO_COLOR: "1" },
    signal,
    stdin: "null",
  });
  const { success, stdout, stderr } = await command.output();
  const text = new TextDecoder();
  if (!success) throw new Error(`Cannot run deno ${args[0]}: ${text.decode(stderr)}${text.decode(stdout)}`);
  return text.decode(stdout);
}

async function removeIfThere(file: string): Promise<void> {
  await Deno.remove(file).catch((error: unknown) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}

function kibibytes(bytes: number): string {
  return `${(bytes / 1024).toFixed(1)} KiB`;
}

if (import.meta.main) {
  await build(Deno.args).catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    Deno.exit(1);
  });
}
