/** Every vxlan option: what goes to the kernel, and what is refused. */
import { deepEqual, equal, throws } from "node:assert/strict";
import { parse } from "../../src/cni/schema.ts";
import { parseIp } from "../../src/ip.ts";
import { decode } from "../../src/bytes.ts";
import { link, newLink, type VxlanData } from "../../src/netlink/link.ts";
import { readConfig } from "../../src/vxlan/config.ts";
import { optionsFault, optionsSchema, underlayVersion, vxlanData } from "../../src/vxlan/options.ts";
import { nodeObjects } from "../../src/vxlan/topology.ts";

const read = (options: object) => parse(optionsSchema, options, ["options"]);
/** What reaches the kernel: values that are not given do not travel. */
function sent(options: object): VxlanData | undefined {
  const vxlan = vxlanData(101, read(options), undefined);
  return decode(link, newLink({ name: "vx_red", info: { kind: "vxlan", vxlan } }).payload).info?.vxlan;
}

Deno.test("nothing given, nothing sent: the kernel's defaults hold", () => {
  deepEqual(sent({}), { id: 101 });
});

Deno.test("each option becomes its attribute", () => {
  const cases: [options: object, attributes: object][] = [
    [{ srcaddr: "192.0.2.1" }, { local: parseIp("192.0.2.1") }],
    [{ srcaddr: "fd00:ff::1" }, { local6: parseIp("fd00:ff::1") }],
    [{ group: "239.1.1.101" }, { group: parseIp("239.1.1.101") }],
    [{ group: "ff05::101" }, { group6: parseIp("ff05::101") }],
    [{ ttl: "0" }, { ttl: 0 }],
    [{ ttl: "255" }, { ttl: 255 }],
    [{ tos: "16" }, { tos: 16 }],
    [{ learning: "true" }, { learning: true }],
    [{ learning: "false" }, { learning: false }],
    [{ proxy: "true" }, { proxy: true }],
    [{ rsc: "true" }, { rsc: true }],
    [{ l2miss: "true" }, { l2miss: true }],
    [{ l3miss: "true" }, { l3miss: true }],
    [{ noage: "true" }, { ageing: 0 }],
    [{ noage: "false" }, {}],
    [{ noage: "false", age: "60" }, { ageing: 60 }],
    [{ age: "4294967295" }, { ageing: 4294967295 }],
    [{ limit: "100" }, { limit: 100 }],
    [{ gbp: "true" }, { gbp: true }],
    // A flag: it is there or it is not.
    [{ gbp: "false" }, {}],
    [{ port: "4789" }, { port: 4789 }],
    [{ portlow: "5000", porthigh: "6000" }, { portRange: { low: 5000, high: 6000 } }],
    // These are the link's own, not vxlan's; vtepdev is an index, see below.
    [{ vxlanhardwareaddr: "02:00:5e:10:00:01", vxlantxqlen: "500", vtepdev: "ul0" }, {}],
  ];
  for (const [options, attributes] of cases) {
    deepEqual(sent(options), { id: 101, ...attributes }, JSON.stringify(options));
  }
});

Deno.test("the link has hardware address, queue length, device and MTU from the configuration", () => {
  const options = { vxlanhardwareaddr: "02:00:5E:10:00:0A", vxlantxqlen: "500", vtepdev: "ul0" };
  const { networks: [network] } = readConfig({
    ipam: { type: "routetable-ipam" },
    vxlans: [{ id: 101, name: "red", cidr: "10.97.1.0/24", mtu: 1400, options }],
  });
  if (network === undefined) throw new Error("Cannot test: no network");
  const [vx, mv] = nodeObjects(network, { vtep: 7, gateways: [] }).filter((object) => object.kind === "link");
  deepEqual([vx?.name, vx?.mac, vx?.txqlen, vx?.mtu, vx?.vxlan?.link], ["vx_red", "02:00:5e:10:00:0a", 500, 1400, 7]);
  deepEqual([mv?.name, mv?.mac, mv?.txqlen, mv?.mtu, mv?.on?.name], ["mv_red", undefined, undefined, 1400, "vx_red"]);
});

const NUMBER = "a string with a whole number from";
const MAC = "a unicast hardware address like 02:00:5e:10:00:01";
const SWITCH = '"true" or "false"';
const ERRORS: [options: object, message: string][] = [
  [{ vxlanhardwareaddr: "02:00:5e:10:00" }, `vxlanhardwareaddr: wanted ${MAC}, got "02:00:5e:10:00"`],
  [{ vxlanhardwareaddr: "01:00:5e:10:00:01" }, `vxlanhardwareaddr: wanted ${MAC}, got "01:00:5e:10:00:01"`],
  [{ vxlanhardwareaddr: "00:00:00:00:00:00" }, `vxlanhardwareaddr: wanted ${MAC}, got "00:00:00:00:00:00"`],
  [{ vxlantxqlen: "-1" }, `vxlantxqlen: wanted ${NUMBER} 0 to 4294967295, got "-1"`],
  [{ vtepdev: "" }, 'vtepdev: wanted the name of a network device, got ""'],
  [{ vtepdev: "sixteen_letters_" }, 'vtepdev: wanted the name of a network device, got "sixteen_letters_"'],
  [{ vtepdev: "a/b" }, 'vtepdev: wanted the name of a network device, got "a/b"'],
  [{ srcaddr: "192.0.2" }, 'srcaddr: wanted an IP address, got "192.0.2"'],
  [{ group: "239.1.1.101/32" }, 'group: wanted an IP address, got "239.1.1.101/32"'],
  [{ ttl: "256" }, `ttl: wanted ${NUMBER} 0 to 255, got "256"`],
  [{ ttl: 4 }, `ttl: wanted ${NUMBER} 0 to 255, got 4`],
  [{ ttl: "" }, `ttl: wanted ${NUMBER} 0 to 255, got ""`],
  [{ ttl: "4 " }, `ttl: wanted ${NUMBER} 0 to 255, got "4 "`],
  [{ ttl: "0x4" }, `ttl: wanted ${NUMBER} 0 to 255, got "0x4"`],
  [{ tos: "auto" }, `tos: wanted ${NUMBER} 0 to 255, got "auto"`],
  ...["learning", "proxy", "rsc", "l2miss", "l3miss", "noage", "gbp"].flatMap((name): [object, string][] => [
    [{ [name]: true }, `${name}: wanted ${SWITCH}, got true`],
    [{ [name]: "yes" }, `${name}: wanted ${SWITCH}, got "yes"`],
  ]),
  [{ age: "4294967296" }, `age: wanted ${NUMBER} 0 to 4294967295, got "4294967296"`],
  [{ limit: "1e3" }, `limit: wanted ${NUMBER} 0 to 4294967295, got "1e3"`],
  [{ port: "0" }, `port: wanted ${NUMBER} 1 to 65535, got "0"`],
  [{ port: "65536" }, `port: wanted ${NUMBER} 1 to 65535, got "65536"`],
  [{ portlow: "x" }, `portlow: wanted ${NUMBER} 0 to 65535, got "x"`],
  [{ porthigh: "65536" }, `porthigh: wanted ${NUMBER} 0 to 65535, got "65536"`],
  [{ dstport: "4789" }, 'dstport: wanted a key that exists, got "dstport"'],
];

Deno.test("an unknown option and a bad value are error 7, never passed over", () => {
  for (const [options, message] of ERRORS) {
    throws(() => read(options), { code: 7, message: `Cannot use config: options.${message}` });
  }
});

Deno.test("options that contradict each other are found", () => {
  const fault = (options: object) => optionsFault(read(options))?.key;
  equal(fault({ portlow: "5000" }), "porthigh");
  equal(fault({ porthigh: "5000" }), "portlow");
  equal(fault({ portlow: "6000", porthigh: "5000" }), "porthigh");
  equal(fault({ group: "239.1.1.1", srcaddr: "fd00::1" }), "srcaddr");
  equal(fault({ noage: "true", age: "60" }), "age");
  equal(fault({ portlow: "5000", porthigh: "5000", noage: "true", age: "0" }), undefined);
});

Deno.test("the underlay's family is that of the group, else of the source address", () => {
  equal(underlayVersion(read({})), 4);
  equal(underlayVersion(read({ group: "ff05::1" })), 6);
  equal(underlayVersion(read({ srcaddr: "fd00::1" })), 6);
});
