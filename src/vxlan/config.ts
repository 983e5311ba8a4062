/** The configuration of the main plugin: parsed once, into values that need no further check. */
import * as z from "zod/mini";
import { checkPluginType } from "../cni/delegate.ts";
import { CniError, Code } from "../cni/error.ts";
import { boolean, cidr, invalid, parse, string, whole } from "../cni/schema.ts";
import type { Invocation } from "../cni/invocation.ts";
import type { Dns } from "../cni/result.ts";
import { bits, type Cidr, network as networkOf } from "../ip.ts";
import { type Options, optionsFault, optionsSchema } from "./options.ts";

/** One layer 2 network: an entry of `vxlans`. */
export interface Network {
  id: number;
  name: string;
  /** At most one of each family, host bits zero. */
  prefixes: Cidr[];
  excludeFirst: number;
  excludeLast: number;
  /** Bytes; 0: what the underlay allows. */
  mtu: number;
  options: Options;
  bypass: boolean;
  bypassTable: number;
  /** The section that the IPAM plugin gets. */
  ipam: Record<string, unknown> & { type: string };
  /** Where it stands in the configuration, for messages. */
  key: string;
}

export interface Config {
  networks: Network[];
  defaultNetwork: string;
  k8sReadAnnotations: boolean;
  k8sNetworkFromNamespace: boolean;
  annotations: Record<string, string>;
  dns: Dns;
}

/** The original program's prefix for its annotations. */
export const ANNOTATION = "vxlan-cni.travishegner.com/";
const NAME = "1 to 12 letters, digits, '_', '-' or '.' (the kernel allows 15 bytes, of which 'vx_' takes 3)";

const ipamSchema = z.looseObject({}, "an object with the IPAM plugin's type");

const networkSchema = z.strictObject({
  id: whole(0, 16777215),
  name: string(NAME).check(z.regex(/^[a-zA-Z0-9_.\-]{1,12}$/, NAME)),
  cidr: z.optional(cidr()),
  cidrs: z.optional(z.array(cidr(), "a list of prefixes").check(z.minLength(1, "at least one prefix"))),
  excludeFirst: z._default(whole(0, 2 ** 31), 0),
  excludeLast: z._default(whole(0, 2 ** 31), 0),
  mtu: z._default(whole(0, 65535), 0),
  options: z._default(optionsSchema, {}),
  bypass: z._default(boolean(), true),
  bypassTable: z._default(whole(1, 4294967295), 192),
  ipam: z.optional(ipamSchema),
}, "an object that describes a vxlan");

const strings = (wanted: string) => z.array(string(wanted), `a list of ${wanted}s`);

const configSchema = z.looseObject({
  defaultNetwork: z._default(string("the name of a vxlan"), ""),
  vxlans: z.array(networkSchema, "a list of vxlans").check(z.minLength(1, "at least one vxlan")),
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
    z.looseObject({ annotations: z._default(z.record(z.string(), string(), "an object of strings"), {}) }, "an object"),
    { annotations: {} },
  ),
});

/** Reads the whole configuration; throws CniError (7) that names key, wanted and got. */
export function readConfig(raw: Readonly<Record<string, unknown>>): Config {
  const parsed = parse(configSchema, raw);
  const networks = parsed.vxlans.map((vxlan, index) => readNetwork(vxlan, parsed.ipam, `vxlans[${index}]`));
  for (const [index, { name, key }] of networks.entries()) {
    const other = networks.findIndex((network) => network.name === name);
    if (other !== index) throw invalid(`${key}.name`, `a name that vxlans[${other}] does not have`, name);
  }
  const { defaultNetwork } = parsed;
  if (defaultNetwork !== "" && !networks.some(({ name }) => name === defaultNetwork)) {
    throw invalid("defaultNetwork", `one of ${names(networks)}`, defaultNetwork);
  }
  return {
    networks,
    defaultNetwork,
    k8sReadAnnotations: parsed.k8sReadAnnotations,
    k8sNetworkFromNamespace: parsed.k8sNetworkFromNamespace,
    annotations: parsed.args.annotations,
    dns: parsed.dns,
  };
}

function readNetwork(vxlan: z.output<typeof networkSchema>, top: Record<string, unknown>, key: string): Network {
  const { cidr: single, cidrs = [], options, ipam: own = {}, ...rest } = vxlan;
  const prefixes = [...(single === undefined ? [] : [single]), ...cidrs].map(networkOf);
  if (prefixes.length === 0) throw invalid(`${key}.cidr`, "a prefix like 10.1.0.0/24", undefined);
  if (new Set(prefixes.map(({ ip }) => ip.version)).size !== prefixes.length) {
    throw invalid(`${key}.cidrs`, "at most one prefix of each family, cidr counted", prefixes.length);
  }
  const fault = optionsFault(options);
  if (fault !== undefined) throw invalid(`${key}.options.${fault.key}`, fault.wanted, fault.got);
  // Another type's keys would mean nothing to this one.
  const merged = own.type === undefined || own.type === top.type ? { ...top, ...own } : own;
  const type = checkPluginType(merged.type, own.type === undefined ? "ipam.type" : `${key}.ipam.type`);
  for (const prefix of prefixes) checkRoom(prefix, vxlan.excludeFirst, vxlan.excludeLast, key);
  return { ...rest, prefixes, options, ipam: { ...merged, type }, key };
}

/** A network needs an address for its gateway and one for a container. */
function checkRoom({ ip, length }: Cidr, first: number, last: number, key: string): void {
  const size = 1n << BigInt(bits(ip.version) - length);
  if (BigInt(first) >= size) {
    throw invalid(`${key}.excludeFirst`, `less than the ${size} addresses of the prefix`, first);
  }
  if (BigInt(first + last) >= size) {
    throw invalid(`${key}.excludeLast`, `an address to be left of the ${size} of the prefix`, last);
  }
}

function names(networks: readonly Network[]): string {
  return networks.map(({ name }) => JSON.stringify(name)).join(", ");
}

/** The network of one attachment: the annotation, else the Kubernetes namespace, else the default (original.md of the original programs: that order). */
export function chooseNetwork(config: Config, invocation: Invocation): Network {
  if (config.k8sReadAnnotations) {
    throw new CniError(
      Code.unsupportedField,
      "Cannot use config: k8sReadAnnotations: reading annotations from the Kubernetes API is not available, got true; " +
        "pass them in args.annotations or set it to false",
    );
  }
  const find = (wanted: string | undefined) => config.networks.find(({ name }) => name === wanted);
  const annotated = config.annotations[`${ANNOTATION}NetworkName`];
  if (annotated !== undefined) {
    const network = find(annotated);
    if (network !== undefined) return network;
    throw invalid(`args.annotations["${ANNOTATION}NetworkName"]`, `one of ${names(config.networks)}`, annotated);
  }
  const namespace = config.k8sNetworkFromNamespace ? find(invocation.args.K8S_POD_NAMESPACE) : undefined;
  const network = namespace ?? find(config.defaultNetwork);
  if (network !== undefined) return network;
  throw invalid("defaultNetwork", `one of ${names(config.networks)}`, undefined);
}
