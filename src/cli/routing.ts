/** `vxlan-cni routing`: the configuration of a routing daemon, for the networks of a config file. */
import { decodeObject } from "../cni/invocation.ts";
import { formatCidr } from "../ip.ts";
import { readClaimSettings } from "../routetable/config.ts";
import { readConfig } from "../vxlan/config.ts";
import type { Machine } from "./command_line.ts";
import { birdRecipe } from "./routing_bird.ts";
import { frrRecipe } from "./routing_frr.ts";
import type { RoutingNode, RoutingOptions, RoutingProtocol } from "./routing_options.ts";

const CONFIG_FOLDER = "/etc/cni/net.d";
const PROTOCOLS: readonly RoutingProtocol[] = ["ibgp", "ospf", "babel"];

/** Prints the recipe; throws an Error that says what is wrong with the words or the file. */
export async function printRouting(args: string[], machine: Machine): Promise<number> {
  const { parseArgs } = await import("node:util");
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      config: { type: "string" },
      protocol: { type: "string", default: "ibgp" },
      self: { type: "string" },
      peer: { type: "string", multiple: true },
      asn: { type: "string" },
      interface: { type: "string" },
    },
  });
  const [daemon] = positionals;
  if (daemon !== "bird" && daemon !== "frr") {
    throw new Error(`Cannot print a recipe: wanted bird or frr, got ${daemon ?? "nothing"}`);
  }
  const protocol = PROTOCOLS.find((known) => known === values.protocol);
  if (protocol === undefined) {
    throw new Error(
      `Cannot print a recipe: --protocol: wanted one of ${PROTOCOLS.join(", ")}, got "${values.protocol}"`,
    );
  }
  const raw = values.config === undefined ? findConfig(machine) : pluginConfig(machine.readFile(values.config));
  if (raw === undefined) {
    throw new Error(
      `Cannot print a recipe: no network configuration of type vxlan in ${CONFIG_FOLDER}; name one with --config FILE`,
    );
  }
  const { networks } = readConfig(raw);
  const options: RoutingOptions = {
    protocol,
    networks: networks.map(({ name, prefixes }) => ({ name, cidrs: prefixes.map(formatCidr) })),
    ...readClaimSettings(networks[0]?.ipam ?? {}),
    ...(values.self === undefined ? {} : { self: readNode(values.self) }),
    ...(values.peer === undefined ? {} : { peers: values.peer.map(readNode) }),
    ...(values.asn === undefined ? {} : { asn: Number(values.asn) }),
    ...(values.interface === undefined ? {} : { interface: values.interface }),
  };
  console.log((daemon === "bird" ? birdRecipe : frrRecipe)(options).text);
  return 0;
}

function readNode(text: string): RoutingNode {
  const match = /^([A-Za-z0-9_-]+)=([0-9A-Fa-f.:]+)(?:,([0-9A-Fa-f:]+))?$/.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) {
    throw new Error(`Cannot read node: wanted NAME=ADDRESS or NAME=ADDRESS,ADDRESS6, got "${text}"`);
  }
  return { name: match[1], address: match[2], ...(match[3] === undefined ? {} : { address6: match[3] }) };
}

function findConfig(machine: Machine): Record<string, unknown> | undefined {
  for (const path of machine.listFolder(CONFIG_FOLDER)) {
    const found = /\.(conf|conflist|json)$/.test(path) ? pluginConfig(machine.readFile(path)) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Our section of a configuration: the whole of it, or the plugin of a list; undefined when it has none. */
function pluginConfig(text: string): Record<string, unknown> | undefined {
  const raw = decodeObject(text);
  const all: unknown[] = Array.isArray(raw.plugins) ? raw.plugins : [raw];
  const found = all.find((one) => typeof one === "object" && one !== null && "type" in one && one.type === "vxlan");
  return found === undefined ? undefined : { ...found };
}
