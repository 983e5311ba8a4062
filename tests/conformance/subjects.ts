/** The plugins the suite's test asks, each with the rules it is known to break; ours break none. */
import { isObject, type JsonObject, parseJson } from "./answer.ts";
import type { Version } from "./rule.ts";
import type { SubjectSpec } from "./subject.ts";

/** A plugin, and what is expected of it. */
export interface ExpectedSubject {
  readonly spec: SubjectSpec;
  /** Names of the rules that must fail, and no other. */
  readonly broken: readonly string[];
  /** Versions that are enough where time is short: the plugin was asked in all of them in another setting. */
  readonly brief?: readonly Version[];
}

/** One of each shape that results have had. */
const BRIEF: readonly Version[] = ["0.2.0", "0.4.0", "1.1.0"];

const DEBIAN = "/usr/lib/cni";
const ROOT = new URL("../../", import.meta.url).pathname;

/** What every plugin built on libcni 1.1 lacks: version 1.1.0, and some words of the error object. */
const LIBCNI = [
  "all released versions are supported",
  "GC without a required variable fails with code 4 and names it",
  "the error about an invalid CNI_CONTAINERID names the variable",
  "the error about an invalid CNI_IFNAME names the variable",
  "the error object carries the cniVersion of the config",
  "the error object has a cniVersion also where the input has none",
  "a well-known key of a wrong type fails with code 6 or 7",
  "STATUS succeeds when the plugin is ready and prints nothing",
  "STATUS changes nothing",
  "STATUS fails for a config with which ADD would fail",
  "GC succeeds with nothing to do and prints nothing",
  "GC keeps valid attachments",
  "GC removes the reservation of an attachment that is not listed",
  "GC with an empty list removes every reservation of the network",
  "GC tells attachments of one container apart by interface name",
  "GC leaves the attachments of other networks",
  "DEL after GC succeeds",
];

/** What the interface plugins of Debian's containernetworking-plugins 1.1.1 lack besides. */
const INTERFACE = [
  ...LIBCNI,
  "the mtu of an interface is the kernel's",
  "prevResult given to ADD is part of the result, with valid positions",
  "DEL succeeds when the namespace's path is a file left over",
  "STATUS is delegated with the same environment and the complete config",
  "GC is delegated with the list of valid attachments",
  "DEL is delegated when the delegate's ADD fails",
  "an error of the delegate's GC is passed on",
  "STATUS fails when the delegated plugin is missing",
  "STATUS passes the error of the delegated plugin on, ADD works nevertheless",
];

/** The reference plugins. */
export const REFERENCE: readonly ExpectedSubject[] = [
  {
    spec: subject("macvlan with host-local", `${DEBIAN}/macvlan`, "interface", "macvlan", [DEBIAN]),
    broken: [
      ...INTERFACE,
      // Its rollback never sees an error of IPAM: the link stays in the container.
      "a failed ADD leaves nothing: the delegate is missing",
      "a failed ADD leaves nothing: the delegate fails",
      "a failed ADD leaves nothing: the requested address is taken",
      "a failed ADD leaves nothing: the requested address is foreign",
    ],
  },
  {
    spec: subject("bridge with host-local", `${DEBIAN}/bridge`, "interface", "bridge", [DEBIAN]),
    broken: [
      ...INTERFACE,
      // The veth pair is made before IPAM is asked, and stays.
      "a failed ADD leaves nothing: the delegate is missing",
      "a failed ADD leaves nothing: the delegate fails",
      "a failed ADD leaves nothing: the requested address is taken",
      "a failed ADD leaves nothing: the requested address is foreign",
    ],
  },
  {
    spec: subject("host-local", `${DEBIAN}/host-local`, "ipam", "host-local", [DEBIAN]),
    broken: [...LIBCNI, "CNI_PATH is optional where nothing is delegated"],
  },
];

/** Our plugins as `dist/vxlan-cni install --bin-dir DIR` puts them there. */
export function ours(bin: string): ExpectedSubject[] {
  const vxlan = subject("vxlan", `${bin}/vxlan`, "interface", "vxlan", [bin]);
  return [
    { spec: vxlan, broken: [] },
    {
      spec: subject("vxlan with two families", `${bin}/vxlan`, "interface", "vxlan-dual", [bin]),
      broken: [],
      brief: BRIEF,
    },
    {
      spec: { ...vxlan, name: "vxlan with routetable-ipam as a process", separateIpam: true },
      broken: [],
      brief: BRIEF,
    },
    { spec: subject("routetable-ipam", `${bin}/routetable-ipam`, "ipam", "routetable-ipam", [bin]), broken: [] },
  ];
}

/** Our IPAM plugin below a reference plugin: what that plugin breaks by itself is not ours, everything else must hold. */
export function oursBelow(bin: string): ExpectedSubject[] {
  const { ipam = {} } = read("conformance-routetable-ipam");
  return REFERENCE.filter(({ spec }) => spec.kind === "interface").map(({ spec, broken }) => ({
    spec: {
      ...spec,
      name: `${spec.config["type"]} with routetable-ipam`,
      config: { ...spec.config, ipam },
      cniPath: [bin],
    },
    broken,
  }));
}

function subject(
  name: string,
  plugin: string,
  kind: SubjectSpec["kind"],
  config: string,
  cniPath: readonly string[],
): SubjectSpec {
  return { name, plugin, kind, config: read(`conformance-${config}`), cniPath };
}

function read(name: string): JsonObject {
  const config = parseJson(Deno.readTextFileSync(`${ROOT}fixtures/config/${name}.json`));
  if (!isObject(config)) throw new SyntaxError(`Cannot read config "${name}": it is no JSON object`);
  return config;
}
