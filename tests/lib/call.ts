/** The one way to call a plugin: what a runtime says, as a value; its environment, its standard input, and what came back. */
import type { Host } from "./host.ts";
import { must } from "./run.ts";

/** What a runtime says. What is not given is not said. */
export interface Call {
  /** Written to standard input as JSON; `stdin` goes before it. */
  config?: unknown;
  stdin?: string;
  containerId?: string;
  /** The name of a container below /run/netns, or a path. */
  netns?: string;
  ifname?: string;
  /** `CNI_ARGS`. */
  args?: string;
  /** `CNI_PATH`; the folder of the installed executable when not given. */
  path?: string;
  /** Put over the variables; undefined takes one away. */
  env?: Readonly<Record<string, string | undefined>>;
  /** Name below the folder of the installed executable, or a path; `vxlan` when not given. */
  program?: string;
  /** Words put before the program, e.g. of a tracer. */
  through?: readonly string[];
  /** What the call must leave on standard error, for refuse(): the words of a delegate; nothing when not given. */
  said?: string;
  /** Milliseconds after which the call is ended; 60,000 when not given. */
  timeout?: number;
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

/** An error as the specification wants it; `details` is empty where there are none. */
export interface Refusal {
  code: number;
  msg: string;
  cniVersion: string;
  details: string;
}

/** A call that runs. */
interface Running {
  kill(signal: Deno.Signal): void;
  readonly ended: Promise<Called>;
}

/** `PATH` of plugins that run programs, as the system's own services have it. */
export const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
export const EXECUTABLE = new URL("../../dist/vxlan-cni", import.meta.url).pathname;
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

/** The environment of a call, the same for a real process and for the fake world. */
export function environmentOf(verb: string, call: Call): Record<string, string> {
  const { netns } = call;
  const variables: Record<string, string | undefined> = {
    CNI_COMMAND: verb,
    CNI_CONTAINERID: call.containerId,
    CNI_NETNS: netns === undefined || netns === "" || netns.startsWith("/") ? netns : `/run/netns/${netns}`,
    CNI_IFNAME: call.ifname,
    CNI_ARGS: call.args,
    CNI_PATH: call.path,
    ...call.env,
  };
  return Object.fromEntries(
    Object.entries(variables).flatMap(([key, value]) => value === undefined ? [] : [[key, value]]),
  );
}

/** Standard input of a call; undefined when it is empty. */
export function stdinOf({ stdin, config }: Call): string | undefined {
  return stdin ?? (config === undefined ? undefined : JSON.stringify(config));
}

/** The words that run one call, to be put behind `host.enter()`. */
export async function wordsOf(verb: string, call: Call): Promise<string[]> {
  const { program = "vxlan", through = [] } = call;
  const folder = program.startsWith("/") && call.path !== undefined ? "" : await binDir();
  const words = Object.entries(environmentOf(verb, { path: folder, ...call })).map(([key, value]) => `${key}=${value}`);
  return ["env", "-i", ...words, ...through, program.startsWith("/") ? program : `${folder}/${program}`];
}

/** Starts one call; the signals of `kill` reach the plugin itself. */
export async function start(host: Host, verb: string, call: Call = {}): Promise<Running> {
  const [program = "", ...args] = host.enter(await wordsOf(verb, call));
  const stdin = stdinOf(call);
  const child = new Deno.Command(program, {
    args,
    stdin: stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(call.timeout ?? TIMEOUT),
  }).spawn();
  return { kill: (signal) => child.kill(signal), ended: finish(child, stdin) };
}

/** Runs one call to its end. */
export async function call(host: Host, verb: string, call: Call = {}): Promise<Called> {
  return await (await start(host, verb, call)).ended;
}

/** As call(), for a call that must succeed. */
export async function succeed(host: Host, verb: string, options: Call = {}): Promise<Answer> {
  return succeeded(verb, options, await call(host, verb, options));
}

/** As call(), for a call that must fail as the specification says. */
export async function refuse(host: Host, verb: string, options: Call = {}): Promise<Refusal> {
  return refused(verb, options, await call(host, verb, options));
}

/** What a call answered that must have succeeded. */
export function succeeded(verb: string, { containerId = "" }: Call, called: Called): Answer {
  const { code, stdout, stderr, json } = called;
  if (code === 0) return json ?? {};
  throw new Error(`${verb} of "${containerId}" failed with ${code}: ${stdout}${stderr}`);
}

/** What a call answered that must have failed: exit code not 0, one error on standard output, nothing else but what a delegate said. */
export function refused(verb: string, { containerId = "", said = "" }: Call, called: Called): Refusal {
  const { code: exit, stdout, stderr, json } = called;
  const { code, msg, cniVersion, details = "" } = json ?? {};
  if (exit === 0 || code === undefined || msg === undefined || cniVersion === undefined || stderr !== said) {
    throw new Error(`${verb} of "${containerId}" was to be refused, but ended with ${exit}: ${stdout}${stderr}`);
  }
  return { code, msg, cniVersion, details };
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
