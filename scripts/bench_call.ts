/** Timed calls of plugins, for a benchmark that itself runs on the host of the lab: nothing is between it and the program. */
import { type Answer, type Call, environmentOf, stdinOf } from "../tests/lib/call.ts";
import { type NetConf, netConf, red } from "../tests/lib/config.ts";

/** A plugin with what all its calls have in common. */
export interface Subject extends Call {
  /** Path of the executable. */
  program: string;
  config: Record<string, unknown>;
}

/** Calls a plugin for a container's `eth0` and returns how long that took in ms, from spawn to exit, and what it answered; throws when it fails. */
export async function callTimed(
  subject: Subject,
  verb: string,
  container: string,
  prevResult?: Answer,
): Promise<{ time: number; answer: Answer | undefined }> {
  const config = prevResult === undefined ? subject.config : { ...subject.config, prevResult };
  const call = { ...subject, config, containerId: container, netns: container, ifname: "eth0" };
  const { time, stdout } = await runTimed([subject.program], environmentOf(verb, call), stdinOf(call) ?? "");
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
export function redConfig(ipam: Record<string, unknown>, cidr = "10.97.1.0/24"): NetConf {
  return netConf({
    cniVersion: "1.0.0",
    name: "bench",
    ipam: { type: "routetable-ipam", ...ipam },
    vxlans: [red({ cidr })],
  });
}
