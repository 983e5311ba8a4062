/** The configuration of the main plugin: parsed once, into values that need no further check. */
import * as z from "zod/mini";
import type { Dns } from "../cni/result.ts";
import { boolean, invalid, parse, record, someOf, string } from "../cni/schema.ts";
import { ipamSchema, type Network, networkSchema, readNetwork } from "./network.ts";

export interface Config {
  networks: Network[];
  defaultNetwork: string;
  k8sReadAnnotations: boolean;
  k8sNetworkFromNamespace: boolean;
  annotations: Record<string, string>;
  dns: Dns;
}

const annotations = record<string>(
  "an object of strings",
  (_, value) => typeof value === "string" ? { value } : { wanted: "a string" },
);

const strings = (wanted: string) => z.array(string(wanted), `a list of ${wanted}s`);

const configSchema = z.looseObject({
  defaultNetwork: z._default(string("the name of a vxlan"), ""),
  vxlans: someOf(networkSchema, "a list of vxlans", "at least one vxlan"),
  ipam: z._default(ipamSchema, {}),
  k8sReadAnnotations: z._default(boolean(), false),
  k8sNetworkFromNamespace: z._default(boolean(), false),
  k8sConfigPath: z.optional(string()),
  dns: z._default(
    z.looseObject({
      nameservers: z.optional(strings("name server")),
      domain: z.optional(string()),
      search: z.optional(strings("domain")),
      options: z.optional(strings("option")),
    }, "an object"),
    {},
  ),
  args: z._default(
    z.looseObject({ annotations: z._default(annotations, {}) }, "an object"),
    { annotations: {} },
  ),
});

/** Reads the whole configuration; throws CniError (7) that names key, wanted and got. */
export function readConfig(raw: Readonly<Record<string, unknown>>): Config {
  const { vxlans, ipam, args, k8sConfigPath: _, ...rest } = parse(configSchema, raw);
  const networks = vxlans.map((vxlan, index) => readNetwork(vxlan, ipam, ["vxlans", index]));
  for (const [index, { name, path }] of networks.entries()) {
    const other = networks.findIndex((network) => network.name === name);
    if (other !== index) throw invalid([...path, "name"], `a name that vxlans[${other}] does not have`, name);
  }
  const { defaultNetwork } = rest;
  if (defaultNetwork !== "" && !networks.some(({ name }) => name === defaultNetwork)) {
    throw invalid("defaultNetwork", `one of ${names(networks)}`, defaultNetwork);
  }
  return { ...rest, networks, annotations: args.annotations };
}

/** Names of networks as a message lists them. */
export function names(networks: readonly Network[]): string {
  return networks.map(({ name }) => JSON.stringify(name)).join(", ");
}
