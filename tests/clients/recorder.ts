/** Stands between a client and a plugin and writes down each call: what the client gave and what the plugin answered. */

/** One recorded call. */
interface Call {
  command: string;
  env: Record<string, string>;
  stdin: string;
  stdout: string;
  /** Undefined while the plugin runs. */
  code: number | undefined;
}

/** A folder of plugins in which one type is replaced by a script that records. */
export class Recorder {
  private constructor(readonly pluginDir: string, readonly records: string) {}

  /** Puts links to all plugins of `pluginDirs` into `folder`/plugins, and the script in the place of `type`. */
  static async make(folder: string, type: string, pluginDirs: readonly string[]): Promise<Recorder> {
    const recorder = new Recorder(`${folder}/plugins`, `${folder}/records`);
    await Deno.mkdir(recorder.pluginDir);
    await Deno.mkdir(recorder.records);
    const paths = new Map<string, string>();
    for (const dir of pluginDirs) {
      for await (const { name } of Deno.readDir(dir)) if (!paths.has(name)) paths.set(name, `${dir}/${name}`);
    }
    const real = paths.get(type);
    if (real === undefined) {
      throw new Error(`Cannot record plugin "${type}": it is in none of ${pluginDirs.join(", ")}`);
    }
    for (const [name, path] of paths) if (name !== type) await Deno.symlink(path, `${recorder.pluginDir}/${name}`);
    await Deno.writeTextFile(`${recorder.pluginDir}/${type}`, script(recorder.records, real), { mode: 0o755 });
    return recorder;
  }

  /** All calls so far, oldest first. */
  async calls(command?: string): Promise<Call[]> {
    const names = Array.from(Deno.readDirSync(this.records), ({ name }) => name).sort();
    const calls = await Promise.all(names.map((name) => readCall(`${this.records}/${name}`)));
    return command === undefined ? calls : calls.filter((call) => call.command === command);
  }
}

function script(records: string, real: string): string {
  return `#!/bin/sh
call="${records}/$(date +%s%N)-$$"
mkdir "$call"
env -0 > "$call/env"
cat > "$call/stdin"
"${real}" < "$call/stdin" > "$call/stdout"
code=$?
echo $code > "$call/code"
cat "$call/stdout"
exit $code
`;
}

async function readCall(folder: string): Promise<Call> {
  const read = (name: string) => Deno.readTextFile(`${folder}/${name}`).catch(() => "");
  const lines = (await read("env")).split("\0").filter((line) => line !== "");
  const env = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
  const code = await read("code");
  return {
    command: env.CNI_COMMAND ?? "",
    env,
    stdin: await read("stdin"),
    stdout: await read("stdout"),
    code: code === "" ? undefined : Number(code),
  };
}
