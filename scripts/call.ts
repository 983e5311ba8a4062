/** Calls the built executable on a host of a lab as a container runtime does: environment, standard input, an answer. */
import type { Host } from "../tests/lib/host.ts";

/** The part of a CNI result that the scripts read. */
export interface Result {
  ips: { address: string; gateway?: string }[];
  [key: string]: unknown;
}

interface Call {
  host: Host;
  /** Path of the plugin, as the host sees it. */
  plugin: string;
  /** CNI_PATH: where its IPAM plugin is looked for. */
  path: string;
  verb: "ADD" | "DEL" | "CHECK";
  containerId: string;
  /** Path of the container's network namespace, as the host sees it. */
  netns: string;
  config: Record<string, unknown>;
}

/** Calls the plugin; throws its own error text when it fails. */
export async function call(
  { host, plugin, path, verb, containerId, netns, config }: Call,
): Promise<Result | undefined> {
  const environment = [
    `CNI_COMMAND=${verb}`,
    `CNI_CONTAINERID=${containerId}`,
    `CNI_NETNS=${netns}`,
    "CNI_IFNAME=eth0",
    `CNI_PATH=${path}`,
  ];
  const stdin = JSON.stringify(config);
  const { code, stdout, stderr } = await host.run(["env", "-i", ...environment, plugin], { stdin, timeout: 30_000 });
  if (code !== 0) throw new Error(`${verb} of ${containerId} failed: ${message(stdout) ?? `${stdout}${stderr}`}`);
  return stdout.trim() === "" ? undefined : JSON.parse(stdout) as Result;
}

function message(stdout: string): string | undefined {
  try {
    const { msg, details } = JSON.parse(stdout) as { msg?: string; details?: string };
    return msg === undefined ? undefined : details === undefined ? msg : `${msg} (${details})`;
  } catch {
    return undefined;
  }
}
