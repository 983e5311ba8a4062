/** The operator's command line: words -> what to do. */
import type { World } from "../world.ts";
import { printRouting } from "./routing.ts";
import { printStatus } from "./status.ts";

const USAGE = `vxlan-cni: connects containers on several nodes to layer 2 networks

  vxlan-cni version                      what this is
  vxlan-cni install --bin-dir DIR        put it there as vxlan, routetable-ipam and route-table
  vxlan-cni status [--json]              networks, attachments, claims and reservations of this node; conflicts
  vxlan-cni routing bird|frr             a complete configuration of the routing daemon, for the networks in the config file
      --config FILE                      network configuration; else the first one of type vxlan in /etc/cni/net.d
      --protocol ibgp|ospf|babel         ibgp when not given
      --self NAME=ADDRESS[,ADDRESS6]     this node on the underlay
      --peer NAME=ADDRESS[,ADDRESS6]     another node, once for each
      --asn NUMBER, --interface NAME     of the cluster; of the underlay

A container runtime calls it with CNI_COMMAND in the environment.`;

/** The version of this program. */
export const VERSION = "0.1.0";

/** What the commands need of the machine. */
export interface Machine {
  /** Puts this executable into a folder under the names that runtimes call; returns the paths. */
  install(binDir: string): Promise<string[]>;
  world(): Promise<World>;
  readFile(path: string): string;
  /** Full paths of the files in a folder, sorted; none when there is no such folder. */
  listFolder(path: string): string[];
}

/** Runs one command; returns the exit code: 0, 1 for a failure, 2 for words that make no command. */
export async function runCommandLine(args: readonly string[], machine: Machine): Promise<number> {
  const [command = "help", ...rest] = args;
  try {
    switch (command) {
      case "version":
        console.log(`vxlan-cni ${VERSION}`);
        return 0;
      case "install":
        return await install(rest, machine);
      case "status": {
        return await printStatus(rest, await machine.world());
      }
      case "routing": {
        return await printRouting(rest, machine);
      }
      case "help":
      case "--help":
      case "-h":
        console.log(USAGE);
        return 0;
      default:
        return usage(`Cannot run "${command}": no such command`);
    }
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    if (error instanceof TypeError && "code" in error) return usage(text);
    console.error(text);
    return 1;
  }
}

async function install(args: string[], machine: Machine): Promise<number> {
  const { parseArgs } = await import("node:util");
  const { values } = parseArgs({ args, options: { "bin-dir": { type: "string" } } });
  if (values["bin-dir"] === undefined) return usage("Cannot install: wanted --bin-dir DIR, got nothing");
  for (const path of await machine.install(values["bin-dir"])) console.log(path);
  return 0;
}

function usage(complaint: string): number {
  console.error(`${complaint}\n\n${USAGE}`);
  return 2;
}
