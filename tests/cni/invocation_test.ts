import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { type Invocation, parseArgs, readInvocation, readVerb } from "../../src/cni/invocation.ts";
import type { Verb } from "../../src/cni/verbs.ts";

const ENVIRONMENT = {
  CNI_CONTAINERID: "c1",
  CNI_NETNS: "/run/netns/c1",
  CNI_IFNAME: "eth0",
  CNI_PATH: "/opt/cni/bin:/usr/lib/cni",
  CNI_ARGS: "IgnoreUnknown=1;K8S_POD_NAME=a=b",
};
const CONFIG = { cniVersion: "1.1.0", name: "vxnet", type: "vxlan" };

function read(verb: Verb, environment: object = {}, config: object | string = {}): Invocation {
  const stdin = typeof config === "string" ? config : JSON.stringify({ ...CONFIG, ...config });
  return readInvocation(verb, { ...ENVIRONMENT, ...environment }, stdin);
}

Deno.test("readVerb() knows five verbs and no other: VERSION is answered before it comes to this", () => {
  for (const verb of ["ADD", "DEL", "CHECK", "STATUS", "GC"]) equal(readVerb({ CNI_COMMAND: verb }), verb);
  for (const verb of ["", "add", "UPDATE", "ADD ", "VERSION", "toString"]) {
    throws(() => readVerb({ CNI_COMMAND: verb }), { code: 4, message: /wanted one of ADD, DEL/ });
  }
  throws(() => readVerb({}), { code: 4 });
});

Deno.test("readInvocation() takes everything in", () => {
  const { verb, containerId, netns, ifname, args, path, config, environment } = read("ADD");
  deepEqual({ verb, containerId, netns, ifname, args, path }, {
    ...{ verb: "ADD", containerId: "c1", netns: "/run/netns/c1", ifname: "eth0" },
    args: { IgnoreUnknown: "1", K8S_POD_NAME: "a=b" },
    path: ["/opt/cni/bin", "/usr/lib/cni"],
  });
  deepEqual(config, { cniVersion: "1.1.0", name: "vxnet", raw: CONFIG });
  deepEqual(environment, ENVIRONMENT);
});

Deno.test("missing variables are all named", () => {
  const none = { CNI_CONTAINERID: undefined, CNI_NETNS: "", CNI_IFNAME: undefined, CNI_PATH: "" };
  const cases: [Verb, string][] = [
    ["ADD", "CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME"],
    ["CHECK", "CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME"],
    ["DEL", "CNI_CONTAINERID, CNI_IFNAME"],
    ["GC", "CNI_PATH"],
  ];
  for (const [verb, names] of cases) {
    throws(() => read(verb, none), {
      code: 4,
      message: `Cannot run ${verb}: required environment variables missing: ${names}`,
    });
  }
  equal(read("STATUS", none).containerId, "");
});

Deno.test("container ids and interface names are what the specification and the kernel allow", () => {
  for (const id of ["-c", ".c", "c/1", "c 1", "../c", "c@eth0", "a".repeat(201)]) {
    throws(() => read("DEL", { CNI_CONTAINERID: id }), { code: 4, message: /^Cannot use CNI_CONTAINERID/ }, id);
  }
  for (const id of ["c", "C1_.-", "0", "a".repeat(200)]) equal(read("DEL", { CNI_CONTAINERID: id }).containerId, id);
  for (const name of ["a".repeat(16), "a/b", "a:b", "a b", ".", "..", "\u00e4".repeat(8), "a\tb"]) {
    throws(() => read("DEL", { CNI_IFNAME: name }), { code: 4, message: /^Cannot use CNI_IFNAME/ }, name);
  }
  for (const name of ["e", "a".repeat(15), "net1.5", "eth-0"]) equal(read("DEL", { CNI_IFNAME: name }).ifname, name);
});

Deno.test("parseArgs() wants pairs", () => {
  deepEqual(parseArgs(""), {});
  deepEqual(parseArgs("A=1;;B=;C=x=y;"), { A: "1", B: "", C: "x=y" });
  for (const text of ["A", "A=1;B", "=1"]) {
    throws(() => parseArgs(text), { code: 4, message: /wanted KEY=VALUE pairs/ });
  }
});

Deno.test("what is not a JSON object is error 6", () => {
  const cases: [stdin: string, message: RegExp][] = [
    ["", /standard input is empty/],
    [" \n", /standard input is empty/],
    ["{", /^Cannot decode network configuration/],
    ["[]", /wanted an object, got \[\]/],
    ["null", /wanted an object, got null/],
    ['"x"', /wanted an object/],
  ];
  for (const [stdin, message] of cases) throws(() => read("ADD", {}, stdin), { code: 6, message });
});

Deno.test("versions that nobody speaks are error 1, with the list", () => {
  for (const cniVersion of ["1.2.0", "0.5.0", "", "1", 1, null]) {
    throws(() => read("ADD", {}, { cniVersion }), { code: 1, message: /supported versions are 0\.1\.0, .*, 1\.1\.0$/ });
  }
  equal(read("ADD", {}, { cniVersion: undefined }).config.cniVersion, "0.1.0");
});

Deno.test("verbs that a version does not have are error 1", () => {
  const since: [Verb, before: string, from: string][] = [
    ["CHECK", "0.3.1", "0.4.0"],
    ["STATUS", "1.0.0", "1.1.0"],
    ["GC", "1.0.0", "1.1.0"],
  ];
  for (const [verb, before, from] of since) {
    throws(() => read(verb, {}, { cniVersion: before }), { code: 1, message: new RegExp(`since ${from}$`) });
    equal(read(verb, {}, { cniVersion: from }).verb, verb);
  }
});

Deno.test("the network's name is needed, and is a name", () => {
  for (const name of [undefined, "", 5, "a/b", "-a", " a"]) {
    throws(() => read("ADD", {}, { name }), { code: 7, message: /^Cannot use config: name: wanted .*, got / });
  }
  ok(read("ADD", {}, { name: "a_b.c-d" }));
});
