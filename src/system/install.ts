/** The names under which container runtimes look for the program. */
export const PLUGIN_NAMES = ["vxlan", "routetable-ipam", "route-table"] as const;

/**
 * Puts the executable into `binDir` under each name (hard links of one copy, mode 0755) and returns their paths.
 * Each name is replaced by rename(2) after the copy is on the disk: whoever calls it gets the old program or the new
 * one, also while it runs. On failure the names that were not reached keep what they were.
 */
export async function install(
  executable: string,
  binDir: string,
  names: readonly string[] = PLUGIN_NAMES,
): Promise<string[]> {
  const wrong = names.find((name) => name === "" || name.startsWith(".") || name.includes("/"));
  if (wrong !== undefined) throw new TypeError(`Cannot install as ${JSON.stringify(wrong)}: it is no plain file name`);
  const directory = binDir.replace(/(?<=.)\/+$/, "");
  const suffix = crypto.randomUUID();
  const temporary = (name: string) => `${directory}/.${name}.${suffix}.tmp`;
  const copy = "vxlan-cni";
  // Renaming a link over a link of the same file does nothing and leaves both: every call makes a new file, and a name
  // given twice is taken once.
  const wanted = [...new Set(names)];
  const isDirectory = await Deno.stat(binDir).then((found) => found.isDirectory, () => false);
  if (!isDirectory) throw new Error(`Cannot install into "${binDir}": it is no directory; create it first`);
  try {
    await copyToDisk(executable, temporary(copy));
    for (const name of wanted) await Deno.link(temporary(copy), temporary(name));
    for (const name of wanted) await Deno.rename(temporary(name), `${directory}/${name}`);
    await Deno.remove(temporary(copy));
    await sync(directory, { read: true });
  } catch (cause) {
    for (const name of [copy, ...wanted]) await Deno.remove(temporary(name)).catch(() => {});
    throw new Error(`Cannot install into "${binDir}": ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
  return wanted.map((name) => `${directory}/${name}`);
}

async function copyToDisk(from: string, to: string): Promise<void> {
  await Deno.copyFile(from, to);
  await Deno.chmod(to, 0o755);
  await sync(to, { write: true });
}

/** fsync(2), of a directory too. */
async function sync(path: string, options: Deno.OpenOptions): Promise<void> {
  using file = await Deno.open(path, options);
  await file.sync();
}
