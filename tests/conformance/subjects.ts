/** The plugins the suite's test asks, each with the rules it is known to break; ours break none. */
import { isObject, type JsonObject, parseJson } from "./answer.ts";
import type { Version } from "./version.ts";
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
  // The rollback of macvlan never sees an error of IPAM, the veth pair of bridge is made before IPAM is asked: both stay.
  "a failed ADD leaves nothing: the delegate is missing",
  "a failed ADD leaves nothing: the delegate fails",
  "a failed ADD leaves nothing: the requested address is taken",
  "a failed ADD leaves nothing: the requested address is foreign",
];

/** The reference plugins. */
export const REFERENCE: readonly ExpectedSubject[] = [
  { spec: subject("macvlan with host-local", "macvlan", DEBIAN), broken: INTERFACE },
  { spec: subject("bridge with host-local", "bridge", DEBIAN), broken: INTERFACE },
  {
    spec: subject("host-local", "host-local", DEBIAN, "ipam"),
    broken: [...LIBCNI, "CNI_PATH is optional where nothing is delegated"],
  },
];

/** Our plugins as `dist/vxlan-cni install --bin-dir DIR` puts them there. */
export function ours(bin: string): ExpectedSubject[] {
  const vxlan = subject("vxlan", "vxlan", bin);
  const separate = { ...vxlan, name: "vxlan with routetable-ipam as a process", separateIpam: true };
  return [
    { spec: vxlan, broken: [] },
    { spec: subject("vxlan with two families", "vxlan-dual", bin), broken: [], brief: BRIEF },
    { spec: separate, broken: [], brief: BRIEF },
    { spec: subject("routetable-ipam", "routetable-ipam", bin, "ipam"), broken: [] },
  ];
}

/** Our IPAM plugin below a reference plugin: what that plugin breaks by itself is not ours, everything else must hold. */
export function oursBelow(bin: string): ExpectedSubject[] {
  const { ipam = {} } = readFixture("routetable-ipam");
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

/** The plugin of a folder that the config names. */
function subject(name: string, config: string, folder: string, kind: SubjectSpec["kind"] = "interface"): SubjectSpec {
  const read = readFixture(config);
  const { type } = kind === "ipam" && isObject(read["ipam"]) ? read["ipam"] : read;
  return { name, plugin: `${folder}/${type}`, kind, config: read, cniPath: [folder] };
}

function readFixture(name: string): JsonObject {
  const config = parseJson(Deno.readTextFileSync(`${ROOT}fixtures/config/conformance-${name}.json`));
  if (!isObject(config)) throw new SyntaxError(`Cannot read config "${name}": it is no JSON object`);
  return config;
}
