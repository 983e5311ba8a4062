import assert from "node:assert/strict";
import { EXECUTABLE } from "../lib/call.ts";
import { must } from "../lib/run.ts";
import { Node } from "./node.ts";

/** System calls that make or change a file whose name they are given. */
const CHANGES =
  /^(creat|mkdir|mknod|rename|link|symlink|unlink|rmdir|truncate|(l|f)?chmod|l?chown|utime|bind|set.*xattr)/;
const HOSTILE: Record<string, string> = {
  "deno.json": `{ "imports": { "node:process": "./evil.ts" }, "nodeModulesDir": "auto", "unstable": ["no such"], `,
  "deno.lock": "not a lock file",
  "package.json": `{ "name": "hostile", "type": "commonjs", "dependencies": { "zod": "file:./evil" }, `,
  ".npmrc": "registry=http://127.0.0.1:1/\n[[[not an npmrc",
  ".env": "CNI_COMMAND=DEL\nDENO_DIR=./here\nVXLAN_CNI_LOG=1\n",
  "evil.ts": `console.log("evil");`,
  "node_modules/zod/index.js": `console.log("evil");`,
};

Deno.test("a call creates nothing on the host and looks at nothing around it", async (t) => {
  await using around = await hostileFolder();
  const homes: Record<string, Record<string, string>> = {
    "no HOME": {},
    "HOME with settings of others": { HOME: around.path, XDG_CACHE_HOME: `${around.path}/cache`, TMPDIR: around.path },
    "HOME where nothing can be written": { HOME: "/proc/self" },
  };
  for (const [name, env] of Object.entries(homes)) {
    await t.step(`command line, ${name}`, async () => {
      const { stdout, calls } = await traced(around.path, ["version"], env, "");
      assert.match(stdout, /\d+\.\d+\.\d+/);
      assert.doesNotMatch(stdout, /evil/);
      assertPristine(calls, around.path);
    });
    await t.step(`CNI VERSION, ${name}`, async () => {
      const input = JSON.stringify({ cniVersion: "1.1.0" });
      const { stdout, calls } = await traced(around.path, [], { ...env, CNI_COMMAND: "VERSION" }, input);
      assert.deepEqual(Object.keys(JSON.parse(stdout)).sort(), ["cniVersion", "supportedVersions"]);
      assertPristine(calls, around.path);
    });
  }
  assert.deepEqual(around.entries(), Object.keys(HOSTILE).sort());
});

Deno.test("an attachment writes its records, in the folder of the host's namespace, and one setting of each device", async () => {
  await using node = await Node.make();
  const id = await node.container();
  const inode = (await node.host.must(["readlink", "/proc/self/ns/net"])).replace(/\D/g, "");
  for (const verb of ["ADD", "DEL"]) {
    const calls = await straced((strace) => node.run(verb, id, { through: strace }));
    const own = new RegExp(
      `"/run/vxlan-cni(/${inode}-\\d+(/[^"]*)?)?"|"/proc/sys/net/ipv6/conf/(vx|mv)_red/accept_ra"`,
    );
    const changed = changesIn(calls);
    assert.deepEqual(changed.filter((call) => !own.test(call)), [], verb);
    assert.ok(changed.some((call) => call.includes(`/attachments/vx_red/${id}@eth0.json`)), verb);
  }
  assert.deepEqual(await node.changes(), []);
});

/** Calls that made or changed a file, but for devices. */
function changesIn(calls: readonly string[]): string[] {
  assert.ok(calls.some((call) => call.startsWith("execve(")), "strace recorded nothing");
  return calls.filter((call) => !/ = -1 /.test(call))
    .filter((call) => CHANGES.test(call) || /^open.*O_(CREAT|WRONLY|RDWR|TRUNC|TMPFILE)/.test(call))
    .filter((call) => !/"\/dev\/|sa_family=AF_(NETLINK|PACKET|INET6)/.test(call));
}

function assertPristine(calls: readonly string[], around: string): void {
  assert.deepEqual(changesIn(calls), []);
  // Deno reads the .npmrc of HOME and uses nothing of it; of the working directory it takes only the name.
  const looked = calls.filter((call) => !call.startsWith("getcwd("))
    .filter((call) =>
      call.includes(`"${around}/`) || /"(\.\/)?(deno\.|package\.json|\.npmrc|\.env|node_modules)/.test(call)
    )
    .filter((call) => !call.includes(`"${around}/.npmrc", O_RDONLY`));
  assert.deepEqual(looked, []);
}

async function traced(
  cwd: string,
  args: readonly string[],
  env: Record<string, string>,
  stdin: string,
): Promise<{ stdout: string; calls: string[] }> {
  let stdout = "";
  const calls = await straced(async (strace) => {
    stdout = await must([...strace, EXECUTABLE, ...args], { cwd, env, clearEnv: true, stdin });
  });
  return { stdout, calls };
}

/** What a program calls of the kernel that has to do with files; `run` starts it behind these words. One file for each thread so that no line is cut in two. */
async function straced(run: (strace: readonly string[]) => Promise<unknown>): Promise<string[]> {
  const folder = await Deno.makeTempDir({ prefix: "vxlan-cni-trace-" });
  try {
    await run(["strace", "-ff", "-qq", "-s", "4096", "-e", "trace=%file,bind,getcwd", "-o", `${folder}/thread`]);
    const files = [...Deno.readDirSync(folder)].map(({ name }) => Deno.readTextFileSync(`${folder}/${name}`));
    return files.flatMap((text) => text.split("\n")).filter((line) => line !== "");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function hostileFolder(): Promise<AsyncDisposable & { path: string; entries: () => string[] }> {
  const path = await Deno.makeTempDir({ prefix: "vxlan-cni-hostile-" });
  await Deno.mkdir(`${path}/node_modules/zod`, { recursive: true });
  for (const [name, text] of Object.entries(HOSTILE)) await Deno.writeTextFile(`${path}/${name}`, text);
  return { path, entries: () => walk(path, ""), [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

function walk(root: string, below: string): string[] {
  const entries = [...Deno.readDirSync(`${root}/${below}`)];
  return entries.flatMap(({ name, isDirectory }) => isDirectory ? walk(root, `${below}${name}/`) : [`${below}${name}`])
    .sort();
}
