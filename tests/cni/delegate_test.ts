/** Delegation as the specification has it (section 4): what the child gets, and what becomes of its answer. */
import { deepEqual, equal, rejects, throws } from "node:assert/strict";
import { checkPluginType, findPlugin, processPlugin } from "../../src/cni/delegate.ts";
import { type Invocation, readInvocation } from "../../src/cni/invocation.ts";
import type { Plugin } from "../../src/cni/plugin.ts";
import type { Verb } from "../../src/cni/verbs.ts";
import type { Output } from "../../src/world.ts";

const ENVIRONMENT = {
  ...{ CNI_CONTAINERID: "c1", CNI_NETNS: "/run/netns/c1", CNI_IFNAME: "eth0", CNI_ARGS: "A=1" },
  ...{ CNI_PATH: "/a:/b", HOME: "/root", CNI_COMMAND: "ADD" },
};

function invocation(verb: Verb): Invocation {
  const config = JSON.stringify({
    cniVersion: "1.1.0",
    name: "vxnet",
    ipam: { type: "host-local", subnet: "10.1.0.0/24" },
  });
  return readInvocation(verb, ENVIRONMENT, config);
}

interface Called {
  path: string;
  environment: Readonly<Record<string, string>>;
  stdin: string;
}

function world(output: Partial<Output>, files: Record<string, boolean> = {}) {
  const calls: Called[] = [];
  return {
    calls,
    find(name: string, folders: readonly string[]) {
      const path = folders.map((folder) => `${folder}/${name}`).find((one) => one in files);
      return path === undefined ? undefined : { path, self: files[path] === true };
    },
    execute(path: string, environment: Readonly<Record<string, string>>, stdin: string): Promise<Output> {
      calls.push({ path, environment, stdin });
      return Promise.resolve({ code: 0, stdout: "", stderr: "", ...output });
    },
  };
}

const RESULT = JSON.stringify({ cniVersion: "1.1.0", ips: [{ address: "10.1.0.5/24" }], routes: [], dns: {} });

Deno.test("the child gets the whole environment, the verb and arguments of this call, and the full configuration", async () => {
  const outside = world({ stdout: RESULT });
  const call = {
    ...invocation("ADD"),
    verb: "DEL" as const,
    containerId: "gateway-red",
    ifname: "mv_red",
    args: { B: "2", C: "" },
  };
  await processPlugin(outside, "/b/host-local")(call);
  const [{ path, environment, stdin } = { path: "", environment: {}, stdin: "" }] = outside.calls;
  equal(path, "/b/host-local");
  deepEqual(environment, {
    ...ENVIRONMENT,
    ...{ CNI_COMMAND: "DEL", CNI_CONTAINERID: "gateway-red", CNI_IFNAME: "mv_red", CNI_ARGS: "B=2;C=" },
  });
  deepEqual(JSON.parse(stdin), call.config.raw);
});

Deno.test("ADD returns the child's result, of any version; other verbs nothing", async () => {
  deepEqual(await processPlugin(world({ stdout: RESULT }), "/a/x")(invocation("ADD")), {
    ips: [{ address: "10.1.0.5/24" }],
    routes: [],
    dns: {},
  });
  const old = JSON.stringify({ cniVersion: "0.2.0", ip4: { ip: "10.1.0.5/24", gateway: "10.1.0.1" }, dns: {} });
  const { ips } = await processPlugin(world({ stdout: old }), "/a/x")(invocation("ADD")) ?? {};
  deepEqual(ips, [{ address: "10.1.0.5/24", gateway: "10.1.0.1" }]);
  equal(await processPlugin(world({ stdout: "noise" }), "/a/x")(invocation("DEL")), undefined);
});

Deno.test("the child's own error is passed through as it is", async () => {
  const stdout = JSON.stringify({ cniVersion: "1.1.0", code: 11, msg: "no more addresses", details: "try later" });
  await rejects(processPlugin(world({ code: 1, stdout }), "/a/x")(invocation("ADD")), {
    ...{ name: "CniError", code: 11, message: "no more addresses", details: "try later" },
  });
});

Deno.test("a child that dies without a word of JSON is an error with what it left", async () => {
  await rejects(processPlugin(world({ code: 139, stderr: "panic: oops\n" }), "/a/x")(invocation("DEL")), {
    ...{ code: 106, message: 'Cannot run plugin "/a/x": it ended with 139', details: "panic: oops" },
  });
  await rejects(processPlugin(world({ code: 1, stdout: '{"code":"x"}' }), "/a/x")(invocation("DEL")), {
    ...{ code: 106, details: '{"code":"x"}' },
  });
});

Deno.test("a child that succeeds and prints no result is an error", async () => {
  for (const stdout of ["", "null", "{", "[]", '{"ips":5}']) {
    await rejects(processPlugin(world({ stdout }), "/a/x")(invocation("ADD")), { name: "CniError" }, stdout);
  }
});

Deno.test("a built-in plugin is used unless CNI_PATH holds a different program of its name", async () => {
  const own: Plugin = () => Promise.resolve({ ips: [], routes: [], dns: { domain: "own" } });
  const builtIn = { "routetable-ipam": own };
  const find = (files: Record<string, boolean>) =>
    findPlugin(world({ stdout: RESULT }, files), "routetable-ipam", ["/a", "/b"], builtIn);
  equal(find({}), own);
  equal(find({ "/b/routetable-ipam": true }), own);
  const other = await find({ "/b/routetable-ipam": false })(invocation("ADD"));
  deepEqual(other?.dns, {});
});

Deno.test("all of CNI_PATH is searched, in its order; a plugin that is nowhere is an error that names the folders", async () => {
  const outside = world({ stdout: RESULT }, { "/b/x": false, "/a/y": false, "/b/y": false });
  await findPlugin(outside, "x", ["/a", "/b"], {})(invocation("ADD"));
  await findPlugin(outside, "y", ["/a", "/b"], {})(invocation("ADD"));
  deepEqual(outside.calls.map(({ path }) => path), ["/b/x", "/a/y"]);
  throws(() => findPlugin(outside, "z", ["/a", "/b"], {}), { code: 106, message: /"z": .*\(\/a, \/b\)/ });
  throws(() => findPlugin(outside, "toString", ["/a"], {}), { code: 106 });
});

Deno.test("a plugin's type is a bare file name", () => {
  for (const type of ["host-local", "a.b", "..a"]) equal(checkPluginType(type, ["ipam", "type"]), type);
  for (const type of ["", ".", "..", "a/b", "/bin/sh", "../x", "a\0b", 5, undefined, null]) {
    throws(() => checkPluginType(type, ["ipam", "type"]), {
      code: 7,
      message: /^Cannot use config: ipam\.type: wanted/,
    });
  }
});
