/**
 * Bad input as a table: for every key of the configuration the values it must refuse, the wrong environments, and a good
 * configuration cut off at every byte. A case says what is called and which error must come; the test says so about the host.
 */
import type { Call } from "../lib/call.ts";
import { netConf } from "../lib/config.ts";
import { IPAM_KEYS, type Key, put, VXLAN_KEYS, written } from "./bad_input_keys.ts";

/** One wrong call. */
export interface BadCase {
  /** What is wrong, for people. */
  readonly what: string;
  readonly verb: string;
  readonly call: Call;
  /** Any of these error codes. */
  readonly codes: readonly number[];
  /** What `msg` must name. */
  readonly names: string;
}

/** Cases about the same thing, after which the host is compared. */
interface BadGroup {
  readonly name: string;
  readonly cases: readonly BadCase[];
}

const DECODING = 6;
const INVALID = 7;
const ENVIRONMENT = 4;
/** A good configuration for `routetable-ipam` alone. */
const IPAM_CONFIG = {
  cniVersion: "1.1.0",
  name: "routenet",
  type: "macvlan",
  ipam: { type: "routetable-ipam", subnet: "10.98.4.0/24", device: "ul0", propagationTimeout: 0 },
};

/** Every key with every value it must refuse; a group for each key. */
function keys(program: string, known: readonly Key[], good: unknown, container: string): BadGroup[] {
  return known.map(({ path, bad, named = written(path), codes = [INVALID] }) => ({
    name: `${program}: ${written(path)} of a wrong value`,
    cases: bad.map((value) => ({
      what: `${written(path)}: ${JSON.stringify(value)?.slice(0, 60) ?? "not given"}`,
      verb: "ADD",
      call: { ...call(container), program, config: put(good, path, value) },
      codes,
      names: named,
    })),
  }));
}

/** A good configuration cut off after each of its bytes. */
function truncated(container: string): BadGroup {
  const good = new TextEncoder().encode(JSON.stringify(netConf({ name: "n\u00e4t" })));
  const cases = Array.from(good, (_, length): BadCase => ({
    what: `cut off after ${length} bytes`,
    verb: length % 2 === 0 ? "ADD" : "DEL",
    // A cut within a character leaves the replacement character: text all the same, and no JSON.
    call: { ...call(container), stdin: new TextDecoder().decode(good.subarray(0, length)) },
    codes: [DECODING],
    names: "network configuration",
  }));
  return { name: "input cut off at every byte", cases };
}

/** Text that is no JSON object. */
function undecodable(container: string): BadGroup {
  const good = JSON.stringify(netConf());
  const texts = [
    " ",
    "\n",
    "\u0000",
    "\ufeff{",
    "no JSON",
    "[]",
    "null",
    "1",
    '"text"',
    "true",
    `${good}}`,
    good + good,
  ];
  const cases = [...texts, good.replace(",", ",,"), good.replaceAll('"', "'"), "[".repeat(10_000), `//\n${good}`].map((
    stdin,
  ): BadCase => ({
    what: `input ${JSON.stringify(stdin.slice(0, 40))}`,
    verb: "ADD",
    call: { ...call(container), stdin },
    codes: [DECODING],
    names: "network configuration",
  }));
  return { name: "input that is no JSON object", cases };
}

/** Variables that are missing or wrong. */
function environment(container: string): BadGroup {
  const good = { ...call(container), config: netConf() };
  const ids = ["", "-a", ".a", "_a", "a/b", "../a", "a b", "a\nb", "\u00e4", "a:b", "a".repeat(300)];
  const ifnames = ["", ".", "..", "a/b", "a:b", "a b", "a\nb", "a\tb", "sixteen-chars-xx", "\u00e4".repeat(8)];
  const wrong = (name: string, what: string, change: Partial<Call>, verb = "ADD"): BadCase => ({
    what: `${verb}: ${what}`,
    verb,
    call: { ...good, ...change },
    codes: [ENVIRONMENT],
    names: name,
  });
  const without = (key: "containerId" | "netns" | "ifname"): Call => {
    const { [key]: _, ...rest } = good;
    return rest;
  };
  const cases = [
    ...ids.map((containerId) => wrong("CNI_CONTAINERID", JSON.stringify(containerId.slice(0, 40)), { containerId })),
    ...ifnames.map((ifname) => wrong("CNI_IFNAME", JSON.stringify(ifname), { ifname })),
    wrong("CNI_NETNS", "empty", { netns: "" }),
    ...["", "add", "ADD ", "FROB", "\u00c4DD"].map((verb) => wrong("CNI_COMMAND", "unknown", {}, verb)),
    ...["a", "=", "=a", "IP", "IgnoreUnknown=1;b"].map((args) => wrong("CNI_ARGS", args, { args })),
    wrong("CNI_ARGS", "unknown key", { args: "COLOUR=red" }),
    wrong("CNI_PATH", "empty", { path: "" }, "GC"),
    ...["ADD", "CHECK"].map((verb) => ({ ...wrong("CNI_NETNS", "missing", {}, verb), call: without("netns") })),
    ...["ADD", "CHECK", "DEL"].flatMap((verb) => [
      { ...wrong("CNI_CONTAINERID", "missing", {}, verb), call: without("containerId") },
      { ...wrong("CNI_IFNAME", "missing", {}, verb), call: without("ifname") },
    ]),
  ];
  const addresses = ["a", "10.97.2.1", "10.97.1.256", "fd00::1"].map((ip): BadCase => ({
    ...wrong("IP", `IP=${ip}`, { args: `IP=${ip}` }),
    codes: [INVALID, ENVIRONMENT],
  }));
  const macs = ["a", "01:00:5e:00:00:01"].map((mac): BadCase => ({
    ...wrong("MAC", `MAC=${mac}`, { args: `MAC=${mac}` }),
    codes: [INVALID, ENVIRONMENT],
  }));
  return { name: "variables that are missing or wrong", cases: [...cases, ...addresses, ...macs] };
}

/** Keys that are each good and do not go together. */
function combinations(container: string): BadGroup {
  const options = (changes: Record<string, string>) => [{ ...entry(), options: { vtepdev: "ul0", ...changes } }];
  const entry = () => netConf().vxlans[0];
  const wrong: [string, unknown][] = [
    ["vxlans[1].name", [entry(), { ...entry(), id: 102 }]],
    ["vxlans[0].options.porthigh", options({ portlow: "2000", porthigh: "1000" })],
    ["vxlans[0].options.porthigh", options({ portlow: "2000" })],
    ["vxlans[0].options.portlow", options({ porthigh: "2000" })],
    ["vxlans[0].options.srcaddr", options({ group: "239.1.1.101", srcaddr: "fd00:ff::1" })],
    ["vxlans[0].options.age", options({ noage: "true", age: "300" })],
    ["vxlans[0].cidrs", [{ ...entry(), cidrs: ["10.97.3.0/24"] }]],
    ["vxlans[0].excludeLast", [{ ...entry(), cidr: "10.97.1.0/30", excludeFirst: 2, excludeLast: 2 }]],
  ];
  const cases = wrong.map(([names, vxlans]): BadCase => ({
    what: names,
    verb: "ADD",
    call: { ...call(container), config: netConf({ vxlans }) },
    codes: [INVALID],
    names,
  }));
  return { name: "keys that do not go together", cases };
}

/** The whole table, for calls about this container. */
export function badInput(container: string): BadGroup[] {
  return [
    ...keys("vxlan", VXLAN_KEYS, netConf(), container),
    ...keys("routetable-ipam", IPAM_KEYS, IPAM_CONFIG, container),
    combinations(container),
    undecodable(container),
    environment(container),
    truncated(container),
  ];
}

function call(container: string): Call {
  return { containerId: container, netns: container, ifname: "eth0" };
}
