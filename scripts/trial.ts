/** Whether a new executable does what it is for: called as people and container runtimes call it. */

/** A call and what it must come to. */
interface Trial {
  what: string;
  args?: readonly string[];
  env?: Readonly<Record<string, string>>;
  stdin?: string;
  expect(ran: { code: number; stdout: string }): boolean;
}

const RUNS = 15;
/** Milliseconds that one call may take. */
const PATIENCE = 20_000;
const DECODING = 6;
/** An answer that is no error of the specification's, but a fault of the program's. */
const INTERNAL = 999;
const STATUS_CONFIG = {
  cniVersion: "1.1.0",
  name: "trial",
  type: "vxlan",
  ipam: { type: "routetable-ipam" },
  vxlans: [{ id: 1, name: "trial", cidr: "192.0.2.0/30" }],
};
const ATTACHMENT = { CNI_CONTAINERID: "trial", CNI_NETNS: "/proc/self/ns/net", CNI_IFNAME: "eth0", CNI_PATH: "/" };

const TRIALS: readonly Trial[] = [
  { what: "version", args: ["version"], expect: ({ code, stdout }) => code === 0 && stdout.startsWith("vxlan-cni ") },
  {
    what: "VERSION",
    env: { CNI_COMMAND: "VERSION" },
    stdin: '{"cniVersion":"1.0.0"}',
    expect: ({ code, stdout }) => code === 0 && Array.isArray(field(stdout, "supportedVersions")),
  },
  {
    what: "ADD with broken JSON",
    env: { CNI_COMMAND: "ADD", ...ATTACHMENT },
    stdin: "{",
    expect: ({ code, stdout }) => code === 1 && field(stdout, "code") === DECODING,
  },
  {
    // Asks the kernel through FFI, and changes nothing. What the kernel says depends on the machine.
    what: "STATUS",
    env: { CNI_COMMAND: "STATUS", CNI_PATH: "/" },
    stdin: JSON.stringify(STATUS_CONFIG),
    expect: ({ code, stdout }) =>
      (code === 0 && stdout === "") ||
      (code === 1 && typeof field(stdout, "code") === "number" && field(stdout, "code") !== INTERNAL),
  },
];

function field(stdout: string, key: string): unknown {
  try {
    const value: unknown = JSON.parse(stdout);
    return typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined;
  } catch {
    return undefined;
  }
}

/** Throws when the executable does not work; returns the median time of `version` in ms. */
export async function trial(executable: string): Promise<number> {
  for (const one of TRIALS) {
    const ran = await call(executable, one);
    if (one.expect(ran)) continue;
    const said = (ran.stdout + ran.stderr).trim().slice(0, 500);
    throw new Error(`Cannot run what was built: ${one.what} ended with ${ran.code} and said ${JSON.stringify(said)}`);
  }
  const [version] = TRIALS;
  const times: number[] = [];
  while (version !== undefined && times.length < RUNS) {
    const start = performance.now();
    await call(executable, version);
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[Math.floor(RUNS / 2)] ?? NaN;
}

async function call(executable: string, { args = [], env = {}, stdin = "" }: Trial) {
  const child = new Deno.Command(executable, {
    args: [...args],
    env: { ...env },
    clearEnv: true,
    cwd: "/",
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(PATIENCE),
  }).spawn();
  const writer = child.stdin.getWriter();
  // A program that does not read its input closes the pipe: that is its right.
  await writer.write(new TextEncoder().encode(stdin)).then(() => writer.close()).catch(() => {});
  const { code, stdout, stderr } = await child.output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}
