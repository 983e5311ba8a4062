/** Checks the shape of the house: who imports whom, no cycles, what a part may reach, exports that somebody imports, short files. */

/** Folders of src/, and the files directly in it ("leaf"), with what each may import besides itself. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  leaf: [],
  netlink: ["leaf"],
  state: ["netlink", "leaf"],
  cni: ["leaf"],
  vxlan: ["cni", "state", "netlink", "leaf"],
  routetable: ["cni", "state", "netlink", "leaf"],
  recipes: ["leaf"],
  cli: ["cni", "state", "netlink", "leaf", "vxlan", "routetable", "recipes"],
  system: ["leaf"],
  entry: ["cni", "state", "netlink", "leaf", "vxlan", "routetable", "cli", "system"],
  start: ["cni", "system", "entry"],
};
/** What a part's script must not hold, in other words: what a call of it would pay for in vain. */
const UNREACHABLE: Readonly<Record<string, RegExp>> = {
  "src/entry/plugin.ts": /^src\/(cli|recipes)\/|^node:|^npm:(?!\/?zod@)/,
};
const MAX_LINES = 300;
/** Folders whose files are looked at. */
const FOLDERS = ["src", "scripts", "tests"];

interface Module {
  specifier: string;
  dependencies?: {
    specifier: string;
    code?: { specifier?: string };
    type?: { specifier?: string };
    isDynamic?: boolean;
  }[];
}

interface Import {
  path: string;
  isDynamic: boolean;
}

const root = new URL("..", import.meta.url);
const faults: string[] = [];

function layerOf(path: string): string | undefined {
  if (path === "main.ts") return "start";
  const match = /^src\/(?:([^/]+)\/)?[^/]+\.ts$/.exec(path);
  return match === null ? undefined : match[1] ?? "leaf";
}

function checkLayer(from: string, to: string): void {
  const [source, target] = [layerOf(from), layerOf(to)];
  if (source === undefined || target === undefined || (source === target && source !== "leaf")) return;
  // Leaves import each other; that they do so without a cycle is checked below.
  if (source === "leaf" && target === "leaf") return;
  const allowed = ALLOWED[source];
  if (allowed === undefined) faults.push(`${from}: folder "${source}" is no layer`);
  else if (!allowed.includes(target)) faults.push(`${from}: ${source} may not import ${target} (${to})`);
}

async function listSources(folder: URL): Promise<string[]> {
  const out: string[] = [];
  for await (const entry of Deno.readDir(folder)) {
    const url = new URL(entry.isDirectory ? `${entry.name}/` : entry.name, folder);
    if (entry.isDirectory) out.push(...await listSources(url));
    else if (entry.name.endsWith(".ts")) out.push(url.href.slice(root.href.length));
  }
  return out;
}

/** Every file with what it imports, by type as well; packages as `npm:...`. */
async function readGraph(files: readonly string[]): Promise<Map<string, Import[]>> {
  const graph = new Map<string, Import[]>();
  // One module that imports all: `deno info` takes one.
  const all = `data:application/typescript,${
    encodeURIComponent(files.map((file) => `import "${new URL(file, root)}";`).join(""))
  }`;
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json", all], cwd: root }).output();
  for (
    const { specifier, dependencies = [] } of (JSON.parse(new TextDecoder().decode(stdout)) as { modules: Module[] })
      .modules
  ) {
    if (!specifier.startsWith(root.href)) continue;
    const imports = dependencies.map(({ specifier: named, code, type, isDynamic = false }): Import => {
      const to = code?.specifier ?? type?.specifier ?? named;
      return { path: to.startsWith(root.href) ? to.slice(root.href.length) : to, isDynamic };
    });
    graph.set(specifier.slice(root.href.length), imports);
  }
  return graph;
}

/** Each cycle once, as the way round it. */
function findCycles(graph: ReadonlyMap<string, readonly Import[]>): string[] {
  const done = new Set<string>();
  const cycles = new Set<string>();
  const walk = (path: string, way: readonly string[]) => {
    const at = way.indexOf(path);
    if (at >= 0) cycles.add([...way.slice(at), path].join(" -> "));
    if (at >= 0 || done.has(path)) return;
    for (const { path: next } of graph.get(path) ?? []) walk(next, [...way, path]);
    done.add(path);
  };
  for (const path of graph.keys()) walk(path, []);
  return [...cycles];
}

/** Everything that a file loads, what it loads later included. */
function reach(graph: ReadonlyMap<string, readonly Import[]>, path: string, seen = new Set<string>()): Set<string> {
  if (seen.has(path)) return seen;
  seen.add(path);
  for (const { path: next } of graph.get(path) ?? []) reach(graph, next, seen);
  return seen;
}

/** `name`s that a file exports, and those that it imports from where. */
function namesIn(path: string, text: string): { exported: string[]; imported: { from: string; name: string }[] } {
  const exported = [
    ...text.matchAll(/^export (?:async )?(?:abstract )?(?:function|const|class|interface|type|let) (\w+)/gm),
  ]
    .flatMap(([, name]) => name ?? []);
  const imported = [...text.matchAll(/^(?:import|export) (?:type )?\{([^}]*)\} from "(\.[^"]+)"/gm)].flatMap(
    ([, list = "", from = ""]) => {
      const target = new URL(from, new URL(path, root)).href.slice(root.href.length);
      const names = list.split(",").map((one) => one.trim().replace(/^type /, "").replace(/ as .*/, ""));
      return names.filter((name) => name !== "").map((name) => ({ from: target, name }));
    },
  );
  // What is loaded later is taken as a whole.
  for (const [, from = ""] of text.matchAll(/import\("(\.[^"]+)"\)/g)) {
    imported.push({ from: new URL(from, new URL(path, root)).href.slice(root.href.length), name: "*" });
  }
  return { exported, imported };
}

const files = [
  "main.ts",
  ...(await Promise.all(FOLDERS.map((folder) => listSources(new URL(`${folder}/`, root))))).flat(),
];
const graph = await readGraph(files);
for (const [from, imports] of graph) {
  for (const { path } of imports) {
    if (/^(jsr|https?):/.test(path)) {
      faults.push(`${from}: imports ${path}; only npm: and node: can be reached everywhere`);
    } else checkLayer(from, path);
  }
}
for (const cycle of findCycles(graph)) faults.push(`${cycle}: a cycle`);
for (const [part, forbidden] of Object.entries(UNREACHABLE)) {
  for (const path of reach(graph, part)) if (forbidden.test(path)) faults.push(`${part}: must not reach ${path}`);
}
const started = reach(graph, "main.ts");
const used = new Set<string>();
const exports: string[] = [];
for (const file of files) {
  const text = await Deno.readTextFile(new URL(file, root));
  const lines = text.split("\n").length - 1;
  if (lines > MAX_LINES) faults.push(`${file}: ${lines} lines, at most ${MAX_LINES}`);
  if (file.startsWith("src/") && !started.has(file)) faults.push(`${file}: nothing that main.ts runs imports it`);
  const { exported, imported } = namesIn(file, text);
  exports.push(...exported.map((name) => `${file}: ${name}`));
  for (const { from, name } of imported) used.add(`${from}: ${name}`);
}
for (const one of exports) {
  if (used.has(one) || used.has(one.replace(/: .*/, ": *"))) continue;
  faults.push(`${one} is exported, but nobody imports it`);
}
for (const fault of faults.sort()) console.error(fault);
if (faults.length > 0) Deno.exit(1);
console.log(`layers: ${files.length} files, no fault`);
