/** Timed calls of plugins, for a benchmark that itself runs on the host of the lab: nothing is between it and the program. */

/** A plugin's executable with what it is called with. */
export interface Subject {
  plugin: string;
  /** CNI_PATH. */
  path: string;
  config: Record<string, unknown>;
}

export type Answer = Record<string, unknown>;

/** Calls a plugin and returns how long that took in ms, from spawn to exit, and what it answered; throws when it fails. */
export async function callTimed(
  { plugin, path, config }: Subject,
  verb: string,
  container: string,
  prevResult?: Answer,
): Promise<{ time: number; answer: Answer | undefined }> {
  const env = {
    CNI_COMMAND: verb,
    CNI_CONTAINERID: container,
    CNI_NETNS: `/run/netns/${container}`,
    CNI_IFNAME: "eth0",
    CNI_PATH: path,
  };
  const stdin = JSON.stringify(prevResult === undefined ? config : { ...config, prevResult });
  const { time, stdout } = await runTimed([plugin], env, stdin);
  return { time, answer: stdout.trim() === "" ? undefined : JSON.parse(stdout) as Answer };
}

/** Runs a program to its end; time in ms. */
export async function runTimed(
  [program = "", ...args]: readonly string[],
  env: Record<string, string>,
  stdin: string,
): Promise<{ time: number; stdout: string }> {
  const bytes = new TextEncoder().encode(stdin);
  const options = { args, env, clearEnv: true, stdin: "piped", stdout: "piped", stderr: "piped" } as const;
  const start = performance.now();
  const child = new Deno.Command(program, options).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(bytes).then(() => writer.close()).catch(() => {});
  const { code, stdout, stderr } = await child.output();
  const time = performance.now() - start;
  const text = new TextDecoder();
  if (code !== 0) {
    throw new Error(`${program} ${env.CNI_COMMAND ?? ""} failed: ${text.decode(stdout)}${text.decode(stderr)}`);
  }
  return { time, stdout: text.decode(stdout) };
}

/** The configuration of a network `red` for ours, with what its claims are to be like. */
export function redConfig(ipam: Record<string, unknown>, cidr = "10.97.1.0/24"): Record<string, unknown> {
  const options = { vtepdev: "ul0", group: "239.1.1.101", port: "4789" };
  return {
    cniVersion: "1.0.0",
    name: "bench",
    type: "vxlan",
    defaultNetwork: "red",
    ipam: { type: "routetable-ipam", ...ipam },
    vxlans: [{ id: 101, name: "red", cidr, options }],
  };
}
