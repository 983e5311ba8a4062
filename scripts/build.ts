/** `deno task build`: bundles the program to a script for each of its parts, and makes one executable of the scripts and Deno. */

import * as path from "node:path";
import { parseArgs } from "node:util";
import { link } from "./link.ts";
import { trial } from "./trial.ts";

const USAGE = "usage: build.ts [--output dist/vxlan-cni] [--base compile|link]";
const ROOT = path.dirname(import.meta.dirname ?? ".");
/** The parts of the program: the start reads the one that is asked for. A limit in KiB for each, because its bytes are paid in every call that reads it. */
const START = { source: "main.ts", limit: 6 };
const PARTS: Readonly<Record<string, { source: string; limit: number }>> = {
  plugin: { source: "src/entry/plugin.ts", limit: 111 },
  operator: { source: "src/entry/operator.ts", limit: 150 },
  upgrade: { source: "src/entry/upgrade.ts", limit: 110 },
};
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
/** Deno fetches its bundler at the first use, and 2.6 does not trust whom the system trusts of its own accord. */
const CERTIFICATES = "system,mozilla";
const SERVER = "https://dl.deno.land/release";
const TRIPLE = `${Deno.build.arch}-unknown-linux-gnu`;

async function build(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: { output: { type: "string", default: path.join(ROOT, "dist", "vxlan-cni") }, base: { type: "string" } },
  });
  if (![undefined, "compile", "link"].includes(values.base)) throw new TypeError(USAGE);
  const output = path.resolve(values.output);
  const temporary = `${output}.${Deno.pid}.tmp`;
  const folder = `${temporary}.parts`;
  await Deno.mkdir(folder, { recursive: true });
  try {
    const scripts = await bundle(folder);
    const { base, milliseconds } = await assemble(scripts, { file: temporary, folder, wanted: values.base });
    await Deno.rename(temporary, output);
    const megabytes = (await Deno.stat(output)).size / 1e6;
    console.log(`${path.relative(Deno.cwd(), output)}: ${base}`);
    console.log(`size ${megabytes.toFixed(1)} MB, start-up ${milliseconds.toFixed(1)} ms ("version", median)`);
    for (const [name, script] of Object.entries(scripts)) {
      const { limit } = PARTS[name] ?? START;
      console.log(`  ${name.padEnd(8)} ${kibibytes(script.length).padStart(9)} of at most ${limit} KiB`);
    }
  } finally {
    await removeIfThere(temporary);
    await removeIfThere(folder);
  }
}

/** The script of each part, the start first; throws when one is larger than it may be. */
async function bundle(folder: string): Promise<Record<string, Uint8Array<ArrayBuffer>>> {
  const scripts: Record<string, Uint8Array<ArrayBuffer>> = {};
  for (const [name, { source, limit }] of Object.entries({ start: START, ...PARTS })) {
    const code = wrap(await bundleFile(source, folder));
    const script = new TextEncoder().encode(
      `${code}\n${name === "start" ? "" : `//# sourceURL=vxlan-cni/${name}.js\n`}`,
    );
    scripts[name] = script;
    if (script.length <= limit * 1024) continue;
    const [found, allowed] = [kibibytes(script.length), kibibytes(limit * 1024)];
    throw new Error(
      `Cannot build: part "${name}" has ${found}, more than ${allowed}; import less, or a smaller package`,
    );
  }
  return scripts;
}

/**
 * Bundles to CommonJS: unlike in a module, what a lazily imported file needs of `node:` is then loaded as late as the
 * file itself (`node:process` alone is 17 ms). Dynamic imports become functions of the script they are in.
 */
async function bundleFile(source: string, folder: string): Promise<string> {
  const output = path.join(folder, "bundle.js");
  const others = Object.entries(PARTS).map(([name, part]) => {
    const relative = path.relative(path.dirname(source), part.source);
    return { name, specifier: relative.startsWith(".") ? relative : `./${relative}` };
  });
  const options = [
    "--quiet",
    "--no-lock",
    "--minify",
    "--format=cjs",
    "--platform=browser",
    ...others.map(({ specifier }) => `--external=${specifier}`),
  ];
  await deno(["bundle", ...options, `--output=${output}`, source]);
  const text = await Deno.readTextFile(output);
  await Deno.remove(output);
  // Which part is imported is known by its source; how it is read is for the one to know who put it there.
  return others.reduce(
    (code, { name, specifier }) => code.replaceAll(`import("${specifier}")`, `require("${name}")`),
    text,
  );
}

/** A CommonJS file as a function of `require` and `module` that returns what the file exports. */
function wrap(code: string): string {
  return `(function(require,module){"use strict";${code};return module.exports})`;
}

interface Assembling {
  file: string;
  folder: string;
  wanted: string | undefined;
}

type Scripts = Readonly<Record<string, Uint8Array<ArrayBuffer>>>;

/** Writes the executable, tries it, and says what it was made from. What was compiled and does not work is linked instead. */
async function assemble(scripts: Scripts, at: Assembling): Promise<{ base: string; milliseconds: number }> {
  const denort = at.wanted === "link" ? undefined : await findDenort();
  if (denort !== undefined || at.wanted === "compile") {
    try {
      await compile(scripts, at);
      return { base: `compiled with denort (${denort ?? "as asked"})`, milliseconds: await trial(at.file) };
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      if (at.wanted === "compile") throw cause;
      console.log(`Not compiled: ${why}`);
    }
  }
  await Deno.writeFile(at.file, await linked(scripts), { mode: 0o755 });
  const why = denort === undefined ? "no denort at hand" : "what was compiled does not work";
  return { base: `linked into deno ${Deno.version.deno} (${why})`, milliseconds: await trial(at.file) };
}

/** Through `deno compile`: the start as the main module, the other parts as files beside it. */
async function compile(scripts: Scripts, { file, folder }: Assembling): Promise<void> {
  const names = Object.keys(PARTS);
  for (const name of names) await Deno.writeFile(path.join(folder, `${name}.js`), scripts[name] ?? new Uint8Array());
  const read = "(name)=>Deno.readTextFileSync(import.meta.dirname+'/'+name+'.js')";
  const start = path.join(folder, "start.js");
  await Deno.writeTextFile(start, `${running(new TextDecoder().decode(scripts.start).trim(), read)};\n`);
  const includes = names.map((name) => `--include=${path.join(folder, `${name}.js`)}`);
  await deno(["compile", "--quiet", ...FLAGS, ...includes, `--output=${file}`, start]);
  await Deno.chmod(file, 0o755);
}

/** The scripts behind one another in the deno binary itself, read by their positions. */
async function linked(scripts: Scripts): Promise<Uint8Array<ArrayBuffer>> {
  const script = new Uint8Array(Object.values(scripts).reduce((sum, { length }) => sum + length, 0));
  const places: Record<string, [offset: number, length: number]> = {};
  let offset = 0;
  for (const [name, bytes] of Object.entries(scripts)) {
    script.set(bytes, offset);
    places[name] = [offset, bytes.length];
    offset += bytes.length;
  }
  const args = (position: number) => ["run", "--quiet", "--no-prompt", ...FLAGS, loader(position, places)];
  return link(await Deno.readFile(Deno.execPath()), { script, args, env: ENVIRONMENT, dropped: DROPPED });
}

/** A module that evaluates the start: Deno would parse a module of the program's size for 10 ms before V8 does. */
function loader(position: number, places: Record<string, [offset: number, length: number]>): string {
  const absolute = Object.entries(places).map(([name, [offset, length]]) => `${name}:[${position + offset},${length}]`);
  const code = `const places={${absolute}};const read=(name)=>{const[at,size]=places[name];` +
    `const f=Deno.openSync("/proc/self/exe");f.seekSync(at,0);const b=new Uint8Array(size);` +
    `for(let n=0,r;n<size;n+=r){r=f.readSync(b.subarray(n));if(!r)throw new Error("Cannot read the program")}` +
    `f.close();return new TextDecoder().decode(b)};` + running(`(0,eval)(read("start"))`, "read");
  return `data:text/javascript,${encodeURIComponent(code)}`;
}

/** Runs the start, a function of `require`; a part is read and evaluated when it is asked for. */
function running(start: string, read: string): string {
  return `((start,read)=>{const need=(name)=>${JSON.stringify(Object.keys(PARTS))}.includes(name)` +
    `?(0,eval)(read(name))(need,{}):process.getBuiltinModule(name);start(need,{})})(${start},${read})`;
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

async function deno(args: string[]): Promise<string> {
  // A download that hangs must not hang the build.
  const signal = AbortSignal.timeout(120_000);
  const command = new Deno.Command(Deno.execPath(), {
    args,
    cwd: ROOT,
    env: { NO_COLOR: "1", DENO_TLS_CA_STORE: Deno.env.get("DENO_TLS_CA_STORE") ?? CERTIFICATES },
    signal,
    stdin: "null",
  });
  const { success, stdout, stderr } = await command.output();
  const text = new TextDecoder();
  if (!success) throw new Error(`Cannot run deno ${args[0]}: ${text.decode(stderr)}${text.decode(stdout)}`);
  return text.decode(stdout);
}

async function removeIfThere(file: string): Promise<void> {
  await Deno.remove(file, { recursive: true }).catch((error: unknown) => {
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
