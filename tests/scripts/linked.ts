/** An executable that runs a script: deno itself, with the script linked into it. */
import { link } from "../../scripts/link.ts";

/** `code` sees its arguments and the executable's own path as any program of Deno's does. */
export async function linkedDeno(code: string): Promise<AsyncDisposable & { path: string }> {
  const folder = await Deno.makeTempDir({ prefix: "vxlan-cni-link-" });
  const path = `${folder}/linked`;
  const args = () => ["run", "-A", "--no-config", "--no-lock", `data:text/javascript,${encodeURIComponent(code)}`];
  // Where Deno can write its cache it also puts a folder of its own into PATH.
  const env = ["ADDED=yes", "DENO_DIR=/proc/none", "DENO_NO_UPDATE_CHECK=1"];
  const dropped = ["ADDED=", "DROP", "EXACT="];
  const linked = link(await Deno.readFile(Deno.execPath()), { script: new Uint8Array(), args, env, dropped });
  await Deno.writeFile(path, linked, { mode: 0o755 });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
}
