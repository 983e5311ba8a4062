import { deepEqual, rejects } from "node:assert/strict";
import { readInvocation } from "../../src/cni/invocation.ts";
import { byVerb, type Plugin } from "../../src/cni/plugin.ts";
import { type Verb, VERBS } from "../../src/cni/verbs.ts";

const ENVIRONMENT = { CNI_CONTAINERID: "c1", CNI_NETNS: "/n", CNI_IFNAME: "eth0", CNI_PATH: "/opt/cni/bin" };
const KNOWN = Object.keys(VERBS) as Verb[];
const ATTACHMENT = ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"];

const invocation = (verb: Verb) => readInvocation(verb, ENVIRONMENT, '{"cniVersion":"1.1.0","name":"vxnet"}');

Deno.test("VERBS says of each verb since when it is there and what it needs, as the specification does", () => {
  deepEqual(Object.entries(VERBS).map(([verb, { since, needs }]) => [verb, since, needs]), [
    ["ADD", "0.1.0", ATTACHMENT],
    ["DEL", "0.1.0", ["CNI_CONTAINERID", "CNI_IFNAME"]],
    ["CHECK", "0.4.0", ATTACHMENT],
    ["STATUS", "1.1.0", []],
    ["GC", "1.1.0", ["CNI_PATH"]],
  ]);
});

Deno.test("byVerb() calls the function of the verb and no other, with the whole invocation", async () => {
  const called: [Verb, unknown][] = [];
  const told = (verb: Verb): Plugin => (given) => {
    called.push([verb, given]);
    return Promise.resolve(verb === "ADD" ? { ips: [], routes: [], dns: {} } : undefined);
  };
  const plugin = byVerb({
    ADD: told("ADD"),
    DEL: told("DEL"),
    CHECK: told("CHECK"),
    STATUS: told("STATUS"),
    GC: told("GC"),
  });
  const given = KNOWN.map(invocation);
  const results = await Promise.all(given.map(plugin));
  deepEqual(called, given.map((one) => [one.verb, one]));
  deepEqual(results.map((result) => result !== undefined), KNOWN.map((verb) => verb === "ADD"));
});

Deno.test("byVerb() passes on what its function throws", async () => {
  const never: Plugin = () => Promise.reject(new Error("no"));
  const plugin = byVerb({ ADD: never, DEL: never, CHECK: never, STATUS: never, GC: never });
  for (const verb of KNOWN) await rejects(plugin(invocation(verb)), /^Error: no$/);
});
