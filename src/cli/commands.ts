/** The operator's command line: a table of commands, and the way from words to one of them. */
import { reason } from "../text.ts";
import type { Command, Operator } from "./command.ts";

/** The version of this program. */
const VERSION = "0.1.0";

interface Entry {
  /** Lines of the usage: words, and what they do. */
  usage: readonly (readonly [words: string, meaning: string])[];
  load(): Promise<Command> | Command;
}

const COMMANDS: Readonly<Record<string, Entry>> = {
  version: {
    usage: [["version", "what this is"]],
    load: () => ({
      options: {},
      run(_, { print }) {
        print(`vxlan-cni ${VERSION}`);
        return Promise.resolve(0);
      },
    }),
  },
  install: {
    usage: [["install --bin-dir DIR", "put it there as vxlan, routetable-ipam and route-table"]],
    load: async () => (await import("./install.ts")).install,
  },
  status: {
    usage: [["status [--json]", "networks, attachments, claims and reservations of this node; conflicts"]],
    load: async () => (await import("./status.ts")).status,
  },
  routing: {
    usage: [
      ["routing bird|frr", "a complete configuration of the routing daemon, for the networks in the config file"],
      ["    --config FILE", "network configuration; else the first one of type vxlan in /etc/cni/net.d"],
      ["    --protocol ibgp|ospf|babel", "ibgp when not given"],
      ["    --self NAME=ADDRESS[,ADDRESS6]", "this node on the underlay"],
      ["    --peer NAME=ADDRESS[,ADDRESS6]", "another node, once for each"],
      ["    --asn NUMBER, --interface NAME", "of the cluster; of the underlay"],
    ],
    load: async () => (await import("./recipe.ts")).routing,
  },
};

const HELP = ["help", "--help", "-h"];

function usage(): string {
  const lines = Object.entries(COMMANDS).flatMap(([, entry]) => entry.usage)
    .map(([words, meaning]) => `  vxlan-cni ${words}`.replace(/^ {2}vxlan-cni {5}/, "      ").padEnd(41) + meaning);
  return [
    "vxlan-cni: connects containers on several nodes to layer 2 networks",
    "",
    ...lines,
    "",
    "A container runtime calls it with CNI_COMMAND in the environment.",
  ].join("\n");
}

/** Runs one command; returns the exit code: that of the command, 1 for a failure, 2 for words that make no command. */
export async function runCommand(args: readonly string[], operator: Operator): Promise<number> {
  const [name = "help", ...rest] = args;
  if (HELP.includes(name)) {
    operator.print(usage());
    return 0;
  }
  const entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (entry === undefined) return misused(`Cannot run "${name}": no such command`, operator);
  try {
    const command = await entry.load();
    const { parseArgs } = await import("node:util");
    const { values, positionals } = parseArgs({ args: rest, options: command.options, allowPositionals: true });
    return await command.run({ values, positionals }, operator);
  } catch (error) {
    if (error instanceof TypeError && "code" in error) return misused(error.message, operator);
    operator.warn(reason(error));
    return 1;
  }
}

function misused(complaint: string, { warn }: Operator): number {
  warn(`${complaint}\n\n${usage()}`);
  return 2;
}
