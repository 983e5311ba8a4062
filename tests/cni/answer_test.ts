import { deepEqual, equal } from "node:assert/strict";
import { answer } from "../../src/cni/answer.ts";
import { CniError } from "../../src/cni/error.ts";
import type { Plugin } from "../../src/cni/plugin.ts";
import { answerVersion, VERSIONS } from "../../src/cni/versions.ts";
import { KernelError } from "../../src/errno.ts";

const ENVIRONMENT = { CNI_CONTAINERID: "c1", CNI_NETNS: "/run/netns/c1", CNI_IFNAME: "eth0", CNI_PATH: "/opt/cni/bin" };

async function ask(plugin: Plugin, verb: string, stdin: string | object): Promise<{ code: number; json: unknown }> {
  const text = typeof stdin === "string" ? stdin : JSON.stringify(stdin);
  const { stdout, code } = await answer(plugin, { ...ENVIRONMENT, CNI_COMMAND: verb }, () => text);
  return { code, json: stdout === "" ? "" : JSON.parse(stdout) };
}

const config = (cniVersion: string) => ({ cniVersion, name: "vxnet" });
const never: Plugin = () => Promise.reject(new Error("called"));

Deno.test("VERSION names all versions, in the version of the question, whatever the question is", () => {
  const cases: [stdin: string, cniVersion: string][] = [
    ...VERSIONS.map((cniVersion): [string, string] => [JSON.stringify({ cniVersion }), cniVersion]),
    ["{}", "0.1.0"],
    ...["", "{", `{"cniVersion":"9.9.9"}`, "null"].map((stdin): [string, string] => [stdin, "1.1.0"]),
  ];
  for (const [stdin, cniVersion] of cases) {
    deepEqual(JSON.parse(answerVersion(stdin)), { cniVersion, supportedVersions: [...VERSIONS] }, stdin);
  }
});

Deno.test("ADD prints the result in the version that was asked for, other verbs print nothing", async () => {
  const plugin: Plugin = ({ verb }) =>
    Promise.resolve(verb === "ADD" ? { ips: [{ address: "10.97.1.5/24" }], routes: [], dns: {} } : undefined);
  const shape = (version: object) => ({ code: 0, json: version });
  deepEqual(
    await ask(plugin, "ADD", config("0.2.0")),
    shape({ cniVersion: "0.2.0", ip4: { ip: "10.97.1.5/24" }, dns: {} }),
  );
  deepEqual(
    await ask(plugin, "ADD", config("1.0.0")),
    shape({ cniVersion: "1.0.0", ips: [{ address: "10.97.1.5/24" }], routes: [], dns: {} }),
  );
  for (const verb of ["DEL", "CHECK", "STATUS"]) {
    deepEqual(await ask(plugin, verb, config("1.1.0")), { code: 0, json: "" });
  }
});

Deno.test("a failure is JSON with cniVersion, code and msg, and details only where there are some", async () => {
  const failing = (error: unknown): Plugin => () => Promise.reject(error);
  const asked = config("0.4.0");
  deepEqual(await ask(failing(new CniError(7, "Cannot use config", { details: "line 5" })), "ADD", asked), {
    code: 1,
    json: { cniVersion: "0.4.0", code: 7, msg: "Cannot use config", details: "line 5" },
  });
  deepEqual(await ask(failing(new KernelError("create link", 17)), "ADD", asked), {
    code: 1,
    json: { cniVersion: "0.4.0", code: 100, msg: "Cannot create link: EEXIST (file exists)" },
  });
  const nested = new Error("outer", { cause: new Error("middle", { cause: new Error("inner") }) });
  deepEqual(await ask(failing(nested), "ADD", asked), {
    code: 1,
    json: { cniVersion: "0.4.0", code: 999, msg: "outer", details: "middle: inner" },
  });
  deepEqual(await ask(failing("text"), "ADD", asked), {
    code: 1,
    json: { cniVersion: "0.4.0", code: 999, msg: "text" },
  });
});

Deno.test("an error about the question itself has a version as well", async () => {
  const codeOf = async (verb: string, stdin: string | object) => {
    const { code, json } = await ask(never, verb, stdin);
    equal(code, 1);
    const { cniVersion, code: number } = json as { cniVersion: string; code: number };
    return [cniVersion, number];
  };
  deepEqual(await codeOf("ADD", ""), ["1.1.0", 6]);
  deepEqual(await codeOf("ADD", "{"), ["1.1.0", 6]);
  deepEqual(await codeOf("ADD", config("9.9.9")), ["1.1.0", 1]);
  deepEqual(await codeOf("NONE", config("0.4.0")), ["1.1.0", 4]);
  deepEqual(await codeOf("GC", config("1.0.0")), ["1.0.0", 1]);
  deepEqual(await codeOf("ADD", {}), ["0.1.0", 7]);
});

Deno.test("standard input that cannot be read is an error, not a crash", async () => {
  const { stdout, code } = await answer(never, { ...ENVIRONMENT, CNI_COMMAND: "ADD" }, () => {
    throw new Error("broken pipe");
  });
  deepEqual([code, JSON.parse(stdout)], [1, {
    cniVersion: "1.1.0",
    code: 5,
    msg: "Cannot read standard input: broken pipe",
  }]);
});
