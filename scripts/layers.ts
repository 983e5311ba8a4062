/** Checks who imports whom (docs/architecture.md): what a folder may import is written down here, once. */

/** Folders of src/, and the files directly in it ("leaf"), with what each may import besides itself. */
const ALLOWED: Record<string, readonly string[]> = {
  leaf: [],
  cni: ["leaf"],
  netlink: ["leaf"],
  state: ["netlink", "leaf"],
  vxlan: ["cni", "state", "netlink", "leaf"],
  routetable: ["cni", "state", "netlink", "leaf"],
  system: ["leaf"],
  cli: ["cni", "state", "netlink", "leaf", "vxlan", "routetable"],
};
const MAX_LINES = 300;

interface Info {
  modules: {
    specifier: string;
    dependencies?: { specifier: string; code?: { specifier?: string }; type?: { specifier?: string } }[];
  }[];
}

const root = new URL("..", import.meta.url);
const faults: string[] = [];

function layer(path: string): string | undefined {
  const match = /^src\/(?:([^/]+)\/)?[^/]+\.ts$/.exec(path);
  if (path === "src/program.ts") return "program";
  return match === null ? undefined : match[1] ?? "leaf";
}

function checkImport(from: string, to: string): void {
  const [source, target] = [layer(from), layer(to)];
  if (target === undefined) return;
  const outside = from === "main.ts" || source === "program" || from.startsWith("tests/") ||
    from.startsWith("scripts/");
  if (outside || source === undefined) {
    if (!outside) faults.push(`${from}: imports ${to} from a place that has no layer`);
    return;
  }
  if (source === target && source !== "leaf") return;
  const allowed = ALLOWED[source];
  if (allowed === undefined) faults.push(`${from}: folder "${source}" is no layer`);
  else if (!allowed.includes(target)) faults.push(`${from}: ${source} may not import ${target} (${to})`);
}

async function sources(folder: URL): Promise<string[]> {
  const out: string[] = [];
  for await (const entry of Deno.readDir(folder)) {
    const url = new URL(entry.isDirectory ? `${entry.name}/` : entry.name, folder);
    if (entry.isDirectory) out.push(...await sources(url));
    else if (entry.name.endsWith(".ts")) out.push(url.href.slice(root.href.length));
  }
  return out;
}

const files = ["main.ts", ...await sources(new URL("src/", root))];
const output = await new Deno.Command(Deno.execPath(), { args: ["info", "--json", ...files.slice(0, 1)], cwd: root })
  .output();
const graphs = [JSON.parse(new TextDecoder().decode(output.stdout)) as Info];
const seen = new Set<string>();
for (const { modules } of graphs) {
  for (const { specifier, dependencies = [] } of modules) {
    if (!specifier.startsWith(root.href)) continue;
    const from = specifier.slice(root.href.length);
    seen.add(from);
    for (const { specifier: named, code, type } of dependencies) {
      if (/^(jsr|https?):/.test(named)) {
        faults.push(`${from}: imports ${named}; only npm: and node: can be reached everywhere`);
      }
      const to = code?.specifier ?? type?.specifier ?? "";
      if (to.startsWith(root.href)) checkImport(from, to.slice(root.href.length));
    }
  }
}
for (const file of files) {
  if (!seen.has(file)) faults.push(`${file}: nothing that main.ts runs imports it`);
  const lines = (await Deno.readTextFile(new URL(file, root))).split("\n").length - 1;
  if (lines > MAX_LINES) faults.push(`${file}: ${lines} lines, at most ${MAX_LINES}`);
}
for (const fault of faults.sort()) console.error(fault);
if (faults.length > 0) Deno.exit(1);
console.log(`layers: ${files.length} files, no fault`);
