/** The operator's command line: words -> what to do. */

const USAGE = `vxlan-cni: connects containers on several nodes to layer 2 networks

  vxlan-cni version                      what this is
  vxlan-cni install --bin-dir DIR        put it there as vxlan, routetable-ipam and route-table
`;

/** The version of this program. */
export const VERSION = "0.1.0";

/** What the commands need of the machine. */
export interface Machine {
  /** Puts this executable into a folder under the names that runtimes call; returns the paths. */
  install(binDir: string): Promise<string[]>;
}

/** Runs one command; returns the exit code. */
export async function runCommandLine(args: readonly string[], machine: Machine): Promise<number> {
  const [command = "help", ...rest] = args;
  switch (command) {
    case "version":
      console.log(`vxlan-cni ${VERSION}`);
      return 0;
    case "install": {
      const { parseArgs } = await import("node:util");
      const { values } = parseArgs({ args: rest, options: { "bin-dir": { type: "string" } } });
      if (values["bin-dir"] === undefined) return usage("Cannot install: wanted --bin-dir DIR");
      for (const path of await machine.install(values["bin-dir"])) console.log(path);
      return 0;
    }
    case "help":
    case "--help":
    case "-h":
      console.log(USAGE);
      return 0;
    default:
      return usage(`Cannot run "${command}": no such command`);
  }
}

function usage(complaint: string): number {
  console.error(`${complaint}\n\n${USAGE}`);
  return 2;
}
