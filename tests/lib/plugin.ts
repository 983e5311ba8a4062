/** Calls the built executable as a container runtime does: under its plugin names, with a clean environment, inside a host. */
import type { Host } from "./host.ts";
import { must } from "./run.ts";

export type Verb = "ADD" | "DEL" | "CHECK" | "STATUS" | "GC" | "VERSION";

export interface Call {
  /** What the call must leave on standard error: the words of a delegate; nothing when not given. */
  said?: string;
  /** Written to standard input as JSON; `stdin` goes before it. */
  config?: unknown;
  stdin?: string;
  containerId?: string;
  /** The name of one of the host's containers, or a path. */
  netns?: string;
  ifname?: string;
  /** `CNI_ARGS`. */
  args?: string;
  /** `CNI_PATH`; the folder with the installed executable when not given. */
  path?: string;
  /** Further variables. */
  env?: Record<string, string>;
  /** Name below the folder of the installed executable, or a path; `vxlan` when not given. */
  program?: string;
}

/** What the tests read of the answers of all versions: results, errors and the list of versions. */
export interface Answer {
  cniVersion?: string;
  interfaces?: { name: string; mac?: string; mtu?: number; sandbox?: string }[];
  ips?: { version?: string; address: string; gateway?: string; interface?: number }[];
  routes?: { dst: string; gw?: string }[];
  dns?: Record<string, unknown>;
  ip4?: { ip: string; gateway?: string };
  ip6?: { ip: string; gateway?: string };
  supportedVersions?: string[];
  code?: number;
  msg?: string;
  details?: string;
}

export interface Called {
  /** The exit code; 128 + the signal's number when one ended the program. */
  code: number;
  stdout: string;
  stderr: string;
  /** Undefined when nothing was printed. */
  json: Answer | undefined;
}

/** A call that runs. */
export interface Running {
  kill(signal: Deno.Signal): void;
  readonly ended: Promise<Called>;
}

const EXECUTABLE = new URL("../../dist/vxlan-cni", import.meta.url).pathname;
/** The environment is shared by all test modules of a process, module state is not. */
const FOLDER = "VXLAN_CNI_TEST_BIN";
const TIMEOUT = 60_000;

/** The folder with the installed executable: one for each test process, removed when the process has ended. */
export async function binDir(): Promise<string> {
  const known = Deno.env.get(FOLDER);
  if (known !== undefined) return known;
  const folder = await Deno.makeTempDir({ prefix: "vxlan-cni-test-" });
  // In a session of its own: whoever ends the tests' process group must not end the one that cleans up.
  const remove = `tail --pid=${Deno.pid} -s 0.2 -f /dev/null; rm -rf "${folder}"`;
  await must(["sh", "-c", 'setsid sh -c "$1" </dev/null >/dev/null 2>&1 &', "sh", remove]);
  await must([EXECUTABLE, "install", "--bin-dir", folder], { timeout: TIMEOUT });
  Deno.env.set(FOLDER, folder);
  return folder;
}

/** The words that run one call, to be put behind `host.enter()` or a tracer. */
export async function command(verb: Verb | string, options: Call = {}): Promise<string[]> {
  const { containerId, netns, ifname, args, env = {}, program = "vxlan" } = options;
  const folder = await binDir();
  const variables: Record<string, string | undefined> = {
    CNI_COMMAND: verb,
    CNI_CONTAINERID: containerId,
    CNI_NETNS: netns === undefined || netns === "" || netns.startsWith("/") ? netns : `/run/netns/${netns}`,
    CNI_IFNAME: ifname,
    CNI_ARGS: args,
    CNI_PATH: options.path ?? folder,
    ...env,
  };
  const words = Object.entries(variables).flatMap(([key, value]) => value === undefined ? [] : [`${key}=${value}`]);
  return ["env", "-i", ...words, program.startsWith("/") ? program : `${folder}/${program}`];
}

/** Starts one call; the signals of `kill` reach the plugin itself. */
export async function start(host: Host, verb: Verb | string, options: Call = {}): Promise<Running> {
  const [program = "", ...args] = host.enter(await command(verb, options));
  const stdin = options.stdin ?? (options.config === undefined ? undefined : JSON.stringify(options.config));
  const child = new Deno.Command(program, {
    args,
    stdin: stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(TIMEOUT),
  }).spawn();
  return { kill: (signal) => child.kill(signal), ended: finish(child, stdin) };
}

/** Runs one call to its end. */
export async function call(host: Host, verb: Verb | string, options: Call = {}): Promise<Called> {
  return await (await start(host, verb, options)).ended;
}

/** As call(), for a call that must succeed. */
export async function succeed(host: Host, verb: Verb | string, options: Call = {}): Promise<Answer> {
  const { code, stdout, stderr, json } = await call(host, verb, options);
  if (code === 0) return json ?? {};
  throw new Error(`${verb} of "${options.containerId ?? ""}" failed with ${code}: ${stdout}${stderr}`);
}

/** As call(), for a call that must fail as the specification says: exit code not 0, one error on standard output, nothing else but what a delegate said. */
export async function refuse(
  host: Host,
  verb: Verb | string,
  options: Call = {},
): Promise<{ code: number; msg: string; cniVersion: string; details: string }> {
  const { code, stdout, stderr, json } = await call(host, verb, options);
  const { code: number, msg, cniVersion, details = "" } = json ?? {};
  if (
    code === 0 || number === undefined || msg === undefined || cniVersion === undefined ||
    stderr !== (options.said ?? "")
  ) {
    throw new Error(`${verb} was to be refused, but ended with ${code}: ${stdout}${stderr}`);
  }
  return { code: number, msg, cniVersion, details };
}

async function finish(child: Deno.ChildProcess, stdin: string | undefined): Promise<Called> {
  if (stdin !== undefined) {
    const writer = child.stdin.getWriter();
    // A program that does not read its input to the end closes the pipe: that is its right.
    await writer.write(new TextEncoder().encode(stdin)).then(() => writer.close()).catch(() => {});
  }
  const output = await child.output();
  const text = new TextDecoder();
  const stdout = text.decode(output.stdout);
  return {
    code: output.code,
    stdout,
    stderr: text.decode(output.stderr),
    json: stdout === "" ? undefined : JSON.parse(stdout) as Answer,
  };
}

/** Everything of a host that a call may leave behind: devices, addresses, routes and rules of all tables, files below `/run/vxlan-cni` but for locks. */
export async function hostState(host: Host): Promise<string[]> {
  // Link-local addresses come and go by themselves, when the kernel has found them to be unique.
  const script = `ip -o link | sed -E 's/^[0-9]+: ([^ :@]+).*/link \\1/'
ip -o addr show scope global | sed -E 's/^[0-9]+: +(\\S+) +(\\S+ \\S+).*/address \\1 \\2/'
ip -4 route show table all | sed 's/^/route /'
ip -6 route show table all | grep -vE '^([a-z]+ )?(fe80|ff00)' | sed 's/^/route /'
ip rule | sed 's/^/rule /'
ip -6 rule | sed 's/^/rule6 /'
find /run/vxlan-cni -type f ! -path '/run/vxlan-cni/*/lock/*' 2>/dev/null | sed 's/^/file /'`;
  return (await host.must(["sh", "-c", `${script}; true`])).split("\n").filter((line) => line !== "").map((line) =>
    line.trimEnd()
  ).sort();
}
