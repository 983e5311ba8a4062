/** `vxlan-cni routing`: the configuration of a routing daemon, for the networks of a config file. */
import { decodeObject } from "../cni/invocation.ts";
import { formatCidr } from "../ip.ts";
import { birdRecipe } from "../recipes/bird.ts";
import { frrRecipe } from "../recipes/frr.ts";
import type { RoutingNode, RoutingOptions, RoutingProtocol } from "../recipes/options.ts";
import { readClaimSettings } from "../routetable/config.ts";
import { readConfig } from "../vxlan/config.ts";
import { type Command, type Operator, textOf, type Words } from "./command.ts";

const CONFIG_FOLDER = "/etc/cni/net.d";
const PROTOCOLS: readonly RoutingProtocol[] = ["ibgp", "ospf", "babel"];

export const routing: Command = {
  options: {
    config: { type: "string" },
    protocol: { type: "string", default: "ibgp" },
    self: { type: "string" },
    peer: { type: "string", multiple: true },
    asn: { type: "string" },
    interface: { type: "string" },
  },
  run(words, operator) {
    const [daemon] = words.positionals;
    if (daemon !== "bird" && daemon !== "frr") {
      throw new Error(`Cannot print a recipe: wanted bird or frr, got ${daemon ?? "nothing"}`);
    }
    operator.print((daemon === "bird" ? birdRecipe : frrRecipe)(optionsOf(words, operator)).text);
    return Promise.resolve(0);
  },
};

function optionsOf(words: Words, operator: Operator): RoutingOptions {
  const given = textOf(words, "protocol");
  const protocol = PROTOCOLS.find((known) => known === given);
  if (protocol === undefined) {
    throw new Error(`Cannot print a recipe: --protocol: wanted one of ${PROTOCOLS.join(", ")}, got "${given}"`);
  }
  const file = textOf(words, "config");
  const raw = file === undefined ? findConfig(operator) : pluginConfig(operator.readFile(file));
  if (raw === undefined) {
    throw new Error(
      `Cannot print a recipe: no network configuration of type vxlan in ${CONFIG_FOLDER}; name one with --config FILE`,
    );
  }
  const { networks } = readConfig(raw);
  const [self, asn] = [textOf(words, "self"), textOf(words, "asn")];
  const { peer } = words.values;
  return {
    protocol,
    networks: networks.map(({ name, prefixes }) => ({ name, cidrs: prefixes.map(formatCidr) })),
    ...readClaimSettings(networks[0]?.ipam ?? {}),
    self: self === undefined ? undefined : readNode(self),
    peers: Array.isArray(peer) ? peer.map((one) => readNode(String(one))) : undefined,
    asn: asn === undefined ? undefined : readAsn(asn),
    interface: textOf(words, "interface"),
  };
}

/** Four bytes (RFC 6793). */
function readAsn(text: string): number {
  const asn = /^\d{1,10}$/.test(text) ? Number(text) : 0;
  if (asn >= 1 && asn <= 4294967295) return asn;
  throw new Error(`Cannot print a recipe: --asn: wanted a whole number from 1 to 4294967295, got "${text}"`);
}

function readNode(text: string): RoutingNode {
  const match = /^([A-Za-z0-9_-]+)=([0-9A-Fa-f.:]+)(?:,([0-9A-Fa-f:]+))?$/.exec(text);
  const [, name, address, address6] = match ?? [];
  if (name === undefined || address === undefined) {
    throw new Error(`Cannot read node: wanted NAME=ADDRESS or NAME=ADDRESS,ADDRESS6, got "${text}"`);
  }
  return { name, address, ...(address6 === undefined ? {} : { address6 }) };
}

function findConfig({ listFolder, readFile }: Operator): Record<string, unknown> | undefined {
  for (const path of listFolder(CONFIG_FOLDER)) {
    const found = /\.(conf|conflist|json)$/.test(path) ? pluginConfig(readFile(path)) : undefined;
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
