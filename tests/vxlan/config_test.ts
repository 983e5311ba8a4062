/** Every key of the configuration: its default, its value, and the error that names key, wanted and got. */
import { deepEqual, equal, throws } from "node:assert/strict";
import type { CniError } from "../../src/cni/error.ts";
import { readInvocation } from "../../src/cni/invocation.ts";
import { formatCidr } from "../../src/ip.ts";
import { chooseNetwork } from "../../src/vxlan/choose.ts";
import { readConfig } from "../../src/vxlan/config.ts";

const RED = { id: 101, name: "red", cidr: "10.97.1.0/24" };
const TOP = { ipam: { type: "routetable-ipam" }, defaultNetwork: "red" };

function read(red: object = {}, top: object = {}) {
  return readConfig({ ...TOP, vxlans: [{ ...RED, ...red }], ...top });
}

Deno.test("what is not given has its default", () => {
  const { networks: [network], ...rest } = read();
  deepEqual({ ...network, prefixes: network?.prefixes.map(formatCidr) }, {
    ...{ id: 101, name: "red", prefixes: ["10.97.1.0/24"], excludeFirst: 0, excludeLast: 0, mtu: 0, options: {} },
    ...{ bypass: true, bypassTable: 192, ipam: { type: "routetable-ipam" }, path: ["vxlans", 0] },
  });
  deepEqual(rest, {
    ...{ defaultNetwork: "red", k8sReadAnnotations: false, k8sNetworkFromNamespace: false, annotations: {}, dns: {} },
  });
});

Deno.test("the original program's example is understood as a whole", () => {
  const original = {
    ...{ cniVersion: "0.4.0", name: "vxnet", type: "vxlan", ipam: { type: "route-table" }, defaultNetwork: "red" },
    vxlans: [{
      ...{ id: 101, name: "red", cidr: "10.97.1.0/24", excludeFirst: 1, excludeLast: 1, mtu: 0 },
      options: { vtepdev: "ul0", group: "239.1.1.101", port: "4789", ttl: "4", learning: "true" },
    }],
    args: { annotations: { "vxlan-cni.travishegner.com/NetworkName": "red" } },
    ...{ k8sReadAnnotations: true, k8sConfigPath: "/etc/kubernetes/cni-kubeconfig", k8sNetworkFromNamespace: true },
  };
  const { networks: [network], k8sReadAnnotations, annotations } = readConfig(original);
  deepEqual([network?.excludeFirst, network?.excludeLast, network?.ipam.type], [1, 1, "route-table"]);
  deepEqual([network?.options.port, network?.options.learning, k8sReadAnnotations], [4789, true, true]);
  deepEqual(annotations, { "vxlan-cni.travishegner.com/NetworkName": "red" });
});

Deno.test("cidr and cidrs together are at most one prefix of each family, host bits do not count", () => {
  const prefixes = (red: object) => read(red).networks[0]?.prefixes.map(formatCidr);
  deepEqual(prefixes({ cidrs: ["fd00:97:1::5/64"] }), ["10.97.1.0/24", "fd00:97:1::/64"]);
  deepEqual(prefixes({ cidr: undefined, cidrs: ["fd00:97:1::/64", "10.97.1.9/24"] }), [
    "fd00:97:1::/64",
    "10.97.1.0/24",
  ]);
  deepEqual(prefixes({ cidr: "10.97.1.6/31" }), ["10.97.1.6/31"]);
});

Deno.test("a network's ipam goes over the top one, unless it is of another type", () => {
  const ipam = { type: "routetable-ipam", routeProtocol: 99, propagationTimeout: 100 };
  const merged = (own: object) => read({ ipam: own }, { ipam }).networks[0]?.ipam;
  deepEqual(merged({ routeProtocol: 4 }), { ...ipam, routeProtocol: 4 });
  deepEqual(merged({ type: "routetable-ipam", reserve: 2 }), { ...ipam, reserve: 2 });
  deepEqual(merged({ type: "host-local", subnet: "10.97.1.0/24" }), { type: "host-local", subnet: "10.97.1.0/24" });
});

const NAME = "1 to 12 letters";
/** What is put over the network, the key that the error names, and what it says of wanted and got. */
const NETWORK_ERRORS: [red: object, key: string, wanted: string, got: string][] = [
  [{ id: 16777216 }, "id", "a whole number from 0 to 16777215", "16777216"],
  [{ id: -1 }, "id", "a whole number", "-1"],
  [{ id: 1.5 }, "id", "a whole number", "1.5"],
  [{ id: "101" }, "id", "a whole number", '"101"'],
  [{ id: undefined }, "id", "a whole number", "nothing"],
  [{ name: "thirteen_long" }, "name", NAME, '"thirteen_long"'],
  [{ name: "" }, "name", NAME, '""'],
  [{ name: "a/b" }, "name", NAME, '"a/b"'],
  [{ name: "a:b" }, "name", NAME, '"a:b"'],
  [{ name: undefined }, "name", NAME, "nothing"],
  [{ cidr: "10.97.1.0" }, "cidr", "a prefix like 10.1.0.0/24", '"10.97.1.0"'],
  [{ cidr: "10.97.1.0/33" }, "cidr", "a prefix", '"10.97.1.0/33"'],
  [{ cidr: 5 }, "cidr", "a prefix", "5"],
  [{ cidr: undefined }, "cidr", "a prefix", "nothing"],
  [{ cidrs: "fd00::/64" }, "cidrs", "a list of prefixes", '"fd00::/64"'],
  [{ cidrs: [] }, "cidrs", "at least one prefix", "[]"],
  [{ cidrs: ["fd00::/64", "x"] }, "cidrs[1]", "a prefix", '"x"'],
  [{ cidrs: ["10.98.0.0/16"] }, "cidrs", "at most one prefix of each family", "2"],
  [{ excludeFirst: -1 }, "excludeFirst", "a whole number", "-1"],
  [{ excludeFirst: 256 }, "excludeFirst", "less than the 256 addresses", "256"],
  [{ excludeLast: "1" }, "excludeLast", "a whole number", '"1"'],
  [{ excludeFirst: 200, excludeLast: 100 }, "excludeLast", "an address to be left", "100"],
  [{ mtu: 65536 }, "mtu", "a whole number from 0 to 65535", "65536"],
  [{ mtu: "1400" }, "mtu", "a whole number", '"1400"'],
  [{ bypass: "false" }, "bypass", "true or false", '"false"'],
  [{ bypassTable: 0 }, "bypassTable", "a whole number from 1", "0"],
  [{ options: [] }, "options", "an object of options", "[]"],
  [{ options: { vteddev: "ul0" } }, "options.vteddev", "a key that exists", '"vteddev"'],
  [{ options: { ttl: "300" } }, "options.ttl", "a string with a whole number from 0 to 255", '"300"'],
  [{ cird: "10.0.0.0/8" }, "cird", "a key that exists", '"cird"'],
  [{ ipam: "host-local" }, "ipam", "an object", '"host-local"'],
  [{ ipam: { type: "../evil" } }, "ipam.type", "the file name of a plugin", '"../evil"'],
];

Deno.test("a value of a network that is wrong is error 7 with key, wanted and got", () => {
  for (const [red, key, wanted, got] of NETWORK_ERRORS) {
    throws(() => read(red), (error: { code: number; message: string }) => {
      const where = JSON.stringify(red);
      equal(error.code, 7, where);
      equal(
        error.message.startsWith(`Cannot use config: vxlans[0].${key}: wanted `),
        true,
        `${where}: ${error.message}`,
      );
      equal(error.message.includes(`wanted ${wanted}`), true, `${where}: ${error.message}`);
      equal(error.message.endsWith(`, got ${got}`), true, `${where}: ${error.message}`);
      return true;
    });
  }
});

const TOP_ERRORS: [top: object, message: string][] = [
  [{ vxlans: [] }, "vxlans: wanted at least one vxlan, got []"],
  [{ vxlans: undefined }, "vxlans: wanted a list of vxlans, got nothing"],
  [{ vxlans: [RED, 5] }, "vxlans[1]: wanted an object that describes a vxlan, got 5"],
  [{ vxlans: [RED, { ...RED, id: 102 }] }, 'vxlans[1].name: wanted a name that vxlans[0] does not have, got "red"'],
  [{ defaultNetwork: "blue" }, 'defaultNetwork: wanted one of "red", got "blue"'],
  [{ defaultNetwork: 5 }, "defaultNetwork: wanted the name of a vxlan, got 5"],
  [{ ipam: {} }, "ipam.type: wanted the file name of a plugin without '/', '..' and NUL, got nothing"],
  [{ ipam: { type: "a/b" } }, "ipam.type: wanted the file name of a plugin without '/', '..' and NUL, got \"a/b\""],
  [{ k8sNetworkFromNamespace: "yes" }, 'k8sNetworkFromNamespace: wanted true or false, got "yes"'],
  [{ k8sReadAnnotations: 1 }, "k8sReadAnnotations: wanted true or false, got 1"],
  [{ k8sConfigPath: 1 }, "k8sConfigPath: wanted a string, got 1"],
  [{ dns: { nameservers: "x" } }, 'dns.nameservers: wanted a list of name servers, got "x"'],
  [{ args: 5 }, "args: wanted an object, got 5"],
  [{ args: { annotations: { a: 1 } } }, "args.annotations.a: wanted a string, got 1"],
];

Deno.test("a value at the top that is wrong is error 7 with key, wanted and got", () => {
  for (const [top, message] of TOP_ERRORS) {
    throws(() => read({}, top), { code: 7, message: `Cannot use config: ${message}` }, JSON.stringify(top));
  }
});

Deno.test("all that is wrong is told as data, not only the first", () => {
  throws(
    () => read({ id: -1, options: { ttl: "x", dstport: "1" } }, { ipam: 5 }),
    ({ faults }: CniError) => {
      deepEqual(faults.map(({ path, got }) => [path.join("."), got]), [
        ["vxlans.0.id", -1],
        ["vxlans.0.options.ttl", "x"],
        ["vxlans.0.options.dstport", "dstport"],
        ["ipam", 5],
      ]);
      return true;
    },
  );
});

Deno.test("the network: by annotation, else by namespace where that is on, else the default", () => {
  const vxlans = [RED, { ...RED, id: 102, name: "blue" }, { ...RED, id: 103, name: "team" }];
  const chosen = (top: object, args = "") => {
    const raw = { ...TOP, cniVersion: "1.1.0", name: "vxnet", vxlans, ...top };
    const environment = { CNI_CONTAINERID: "c1", CNI_NETNS: "/n", CNI_IFNAME: "eth0", CNI_ARGS: args };
    const { network, why } = chooseNetwork(readConfig(raw), readInvocation("ADD", environment, JSON.stringify(raw)));
    return `${network.name}: ${why}`;
  };
  const annotated = (name: string) => ({ args: { annotations: { "vxlan-cni.travishegner.com/NetworkName": name } } });
  const byNamespace = { k8sNetworkFromNamespace: true };
  equal(chosen({}), "red: it is the default");
  equal(chosen(annotated("blue")), "blue: its annotation says so");
  equal(chosen({}, "K8S_POD_NAMESPACE=team"), "red: it is the default");
  equal(chosen(byNamespace, "K8S_POD_NAMESPACE=team"), "team: its Kubernetes namespace has that name");
  equal(chosen(byNamespace, "K8S_POD_NAMESPACE=kube-system"), "red: it is the default");
  equal(chosen({ ...byNamespace, ...annotated("blue") }, "K8S_POD_NAMESPACE=team"), "blue: its annotation says so");
  throws(() => chosen(annotated("grey")), {
    code: 7,
    message: /NetworkName"\]: wanted one of "red", "blue", "team", got "grey"$/,
  });
  throws(() => chosen({ defaultNetwork: "" }), { code: 7, message: /defaultNetwork: wanted one of .*, got nothing$/ });
  throws(() => chosen({ k8sReadAnnotations: true }), { code: 2, message: /k8sReadAnnotations/ });
});
