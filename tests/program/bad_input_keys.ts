/** The keys of the configurations, each with the values it must refuse. */
import { HUGE, KINDS, NO_LIST, NO_NUMBER, NO_OBJECT, NO_SWITCH, NO_TEXT, ODD_TEXT } from "./bad_input_values.ts";

/** Where a key stands. */
type Path = readonly (string | number)[];

/** A key and what it must refuse. */
export interface Key {
  readonly path: Path;
  /** Values that must be refused. */
  readonly bad: readonly unknown[];
  /** What messages call it, where that is not the path. */
  readonly named?: string;
  readonly codes?: readonly number[];
}

const VXLAN: Path = ["vxlans", 0];
const ANNOTATIONS: Path = ["args", "annotations"];
const PREFIX = "vxlan-cni.travishegner.com/";

/** The keys of the configuration of `vxlan`. */
export const VXLAN_KEYS: readonly Key[] = [
  { path: ["cniVersion"], bad: ["", "a", "1", "1.1", "1.1.0.0", "v1.1.0", "99.0.0", 1, null, [], HUGE], codes: [1, 6] },
  { path: ["name"], bad: [...KINDS.name.filter((value) => value !== HUGE), "-a", ".a", "_a", "a:b", undefined] },
  { path: ["vxlans"], bad: [...NO_LIST, [], [1], ["red"], [null], undefined] },
  { path: ["defaultNetwork"], bad: [...KINDS.name, "blue", undefined] },
  { path: ["k8sReadAnnotations"], bad: NO_SWITCH },
  { path: ["k8sNetworkFromNamespace"], bad: NO_SWITCH },
  { path: ["k8sConfigPath"], bad: NO_TEXT },
  { path: ["dns"], bad: NO_OBJECT },
  { path: ["dns", "nameservers"], bad: [...NO_LIST, [1], [null]] },
  { path: ["dns", "domain"], bad: NO_TEXT },
  { path: ["dns", "search"], bad: [...NO_LIST, [1]] },
  { path: ["dns", "options"], bad: [...NO_LIST, [1]] },
  { path: ["args"], bad: NO_OBJECT },
  { path: ANNOTATIONS, bad: NO_OBJECT },
  { path: [...ANNOTATIONS, `${PREFIX}NetworkName`], bad: [...KINDS.name, "blue"], named: "NetworkName" },
  {
    path: [...ANNOTATIONS, `${PREFIX}RequestedAddress`],
    bad: [...NO_TEXT, ...ODD_TEXT, "10.97.1", "10.97.2.1", "fd00::1", "10.97.1.256"],
    named: "RequestedAddress",
  },
  { path: ["args", "cni"], bad: NO_OBJECT },
  { path: ["args", "cni", "ips"], bad: [...NO_LIST, [1], [""], ["a"], ["10.97.2.1"]] },
  { path: ["runtimeConfig"], bad: NO_OBJECT },
  {
    path: ["runtimeConfig", "ips"],
    bad: [...NO_LIST, [1], [""], ["a/b"], ["a\u0000b"], ["10.97.2.1"], ["10.97.1.20", "10.97.1.21"], [HUGE]],
  },
  { path: ["runtimeConfig", "mac"], bad: KINDS.optionMac.filter((value) => value !== "") },
  { path: ["ipam"], bad: NO_OBJECT },
  { path: ["ipam", "type"], bad: [...NO_TEXT, "", "a/b", "../a", "/bin/true", ".", "..", "a\u0000b", undefined] },
  { path: ["ipam", "propagationTimeout"], bad: [...NO_NUMBER, 60_001] },
  { path: ["ipam", "routeProtocol"], bad: [...NO_NUMBER, 0, 3, 256] },
  { path: ["ipam", "routeMetric"], bad: [...NO_NUMBER, 2 ** 32] },
  { path: [...VXLAN, "id"], bad: [...NO_NUMBER, 2 ** 24, undefined] },
  { path: [...VXLAN, "name"], bad: [...KINDS.name, "thirteenchars", "a:b", undefined] },
  { path: [...VXLAN, "cidr"], bad: [...KINDS.prefix, undefined] },
  { path: [...VXLAN, "cidrs"], bad: [...NO_LIST, [], [1], [""], ["a/b"], ["10.97.3.0/24"], ["10.97.3.0/33"]] },
  { path: [...VXLAN, "excludeFirst"], bad: [...NO_NUMBER, 256, 2 ** 31 + 1] },
  { path: [...VXLAN, "excludeLast"], bad: [...NO_NUMBER, 256, 2 ** 31 + 1] },
  { path: [...VXLAN, "mtu"], bad: [...NO_NUMBER, 65_536] },
  { path: [...VXLAN, "bypass"], bad: NO_SWITCH },
  { path: [...VXLAN, "bypassTable"], bad: [...NO_NUMBER, 0, 2 ** 32] },
  { path: [...VXLAN, "ipam"], bad: NO_OBJECT },
  { path: [...VXLAN, "ipam", "type"], bad: [...NO_TEXT, "", "a/b", "../a", "a\u0000b"] },
  { path: [...VXLAN, "unknown"], bad: [1, "a"] },
  { path: [...VXLAN, "options"], bad: NO_OBJECT },
  ...option(KINDS.optionMac, "vxlanhardwareaddr"),
  ...option(KINDS.optionNumber, "vxlantxqlen", "limit", "age"),
  ...option([...KINDS.optionNumber, "256"], "ttl", "tos"),
  ...option([...KINDS.optionNumber, "65536"], "port", "portlow", "porthigh"),
  ...option([...NO_TEXT, "", "a/b", "a b", "a\nb", "sixteen-chars-xx", HUGE, "missing0"], "vtepdev"),
  ...option(KINDS.optionAddress, "group", "srcaddr"),
  ...option(KINDS.optionSwitch, "learning", "proxy", "rsc", "l2miss", "l3miss", "noage", "gbp"),
  ...option(["1", "true"], "unknown", "TTL", "ttl "),
];

function option(bad: readonly unknown[], ...names: string[]): Key[] {
  return names.map((name) => ({ path: [...VXLAN, "options", name], bad }));
}

const IPAM: Path = ["ipam"];

/** The keys of the `ipam` section when `routetable-ipam` is called for itself. */
export const IPAM_KEYS: readonly Key[] = [
  { path: IPAM, bad: NO_OBJECT },
  { path: [...IPAM, "subnet"], bad: [...KINDS.prefix, undefined] },
  { path: [...IPAM, "cidr"], bad: [...KINDS.prefix, "10.97.3.0/24"], named: "ipam.cidr" },
  { path: [...IPAM, "cidrs"], bad: [...NO_LIST, [1], [""], ["a/b"], ["10.97.3.0/24"]] },
  { path: [...IPAM, "device"], bad: NO_TEXT },
  { path: [...IPAM, "excludeFirst"], bad: NO_NUMBER },
  { path: [...IPAM, "excludeLast"], bad: NO_NUMBER },
  { path: [...IPAM, "gateway"], bad: KINDS.optionAddress },
  { path: [...IPAM, "propagationTimeout"], bad: [...NO_NUMBER, 60_001] },
  { path: [...IPAM, "routeProtocol"], bad: [...NO_NUMBER, 0, 3, 256] },
  { path: [...IPAM, "routeMetric"], bad: [...NO_NUMBER, 2 ** 32] },
  {
    path: [...IPAM, "routes"],
    bad: [...NO_LIST, [1], ["10.0.0.0/8"], [{}], [{ dst: 1 }], [{ dst: "10.0.0.0/8", gw: 1 }]],
  },
  { path: ["runtimeConfig", "ips"], bad: [...NO_LIST, [1], [""], ["a"], ["10.98.5.1"]] },
  { path: ["args", "cni", "ips"], bad: [...NO_LIST, [1], [""], ["a"], ["10.98.5.1"]] },
];

/** A copy of a value with one key set, or taken away with undefined. */
export function put(value: unknown, path: Path, wanted: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return wanted;
  const inner = put(typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined, rest, wanted);
  if (Array.isArray(value)) return value.map((element, index) => index === key ? inner : element);
  return { ...(typeof value === "object" ? value : {}), [key]: inner };
}

/** A path as messages write it. */
export function written(path: Path): string {
  return path.map((part) => typeof part === "number" ? `[${part}]` : `.${part}`).join("").replace(/^\./, "");
}
