/** Calls in the shapes that CRI runtimes give them: little environment, dummies for VERSION, DEL again and again. */
import { deepEqual, equal, ok } from "node:assert/strict";
import { Machine } from "../chain/machine.ts";
import type { CniResult } from "../lib/chain.ts";
import { type Ran, run } from "../lib/run.ts";

/** All that CRI runtimes pass beside the CNI variables. */
const criEnv = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", PWD: "/", LD_LIBRARY_PATH: "" };

/** One container of a pod, as CRI describes it. */
interface Pod {
  id: string;
  netns: string;
}

function variables(machine: Machine, command: string, pod: Pod): Record<string, string> {
  return {
    ...criEnv,
    CNI_COMMAND: command,
    CNI_CONTAINERID: pod.id,
    CNI_NETNS: pod.netns,
    CNI_IFNAME: "eth0",
    // The order changes from call to call: it is the iteration of a map.
    CNI_ARGS:
      `K8S_POD_NAME=${pod.id};K8S_POD_UID=0;IgnoreUnknown=1;K8S_POD_INFRA_CONTAINER_ID=${pod.id};K8S_POD_NAMESPACE=a`,
    CNI_PATH: machine.subject.pluginDirs.join(":"),
  };
}

function words(machine: Machine, env: Record<string, string>): string[] {
  const { type } = machine.subject.conflist.plugins[0]!;
  const pairs = Object.entries(env).map(([key, value]) => `${key}=${value}`);
  return machine.host.enter(["env", "-i", ...pairs, `${machine.subject.pluginDirs[0]}/${type}`]);
}

function call(machine: Machine, command: string, pod: Pod, prevResult?: CniResult): Promise<Ran> {
  const { cniVersion, name, plugins } = machine.subject.conflist;
  const stdin = JSON.stringify({ ...plugins[0], cniVersion, name, prevResult });
  return run(words(machine, variables(machine, command, pod)), { stdin });
}

async function add(machine: Machine, pod: Pod): Promise<CniResult> {
  const { code, stdout } = await call(machine, "ADD", pod);
  equal(code, 0, stdout);
  return JSON.parse(stdout) as CniResult;
}

async function succeed(machine: Machine, command: string, pod: Pod, prevResult?: CniResult): Promise<void> {
  const { code, stdout } = await call(machine, command, pod, prevResult);
  equal(code, 0, stdout);
}

for (const stdin of ['{"cniVersion":"1.0.0"}', ""]) {
  Deno.test(`VERSION answers with dummies and ${stdin === "" ? "nothing on" : "a version on"} a standard input left open`, async () => {
    await using machine = await Machine.make();
    const dummies = { CNI_CONTAINERID: "", CNI_NETNS: "dummy", CNI_IFNAME: "dummy", CNI_PATH: "dummy" };
    const [program, ...args] = words(machine, { ...criEnv, CNI_COMMAND: "VERSION", ...dummies });
    await using child = new Deno.Command(program!, {
      args,
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
      // Only a plugin that waits for the end of its input is ended by this.
      signal: AbortSignal.timeout(20_000),
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(stdin)).catch(() => {});
    const text = await new Response(child.stdout).text();
    const { success } = await child.status;
    await writer.close().catch(() => {});
    ok(success, "VERSION ends while its standard input is open");
    ok((JSON.parse(text) as { supportedVersions: string[] }).supportedVersions.includes("1.0.0"));
  });
}

Deno.test("DEL comes three times: with the namespace, with its path after it is gone, with none", async () => {
  await using machine = await Machine.make();
  const before = await machine.topology();
  const netns = await machine.host.container();
  const pod = { id: "pod-1", netns: `/run/netns/${netns}` };
  const result = await add(machine, pod);
  await succeed(machine, "CHECK", pod, result);
  await succeed(machine, "DEL", pod, result);
  await machine.host.must(["ip", "netns", "del", netns]);
  await succeed(machine, "DEL", pod, result);
  await succeed(machine, "DEL", { ...pod, netns: "" }, result);
  equal(await machine.topology(), before);
});

Deno.test("DEL without a namespace spares the container that got the process id of the old one", async () => {
  await using machine = await Machine.make();
  const [old, other] = [await machine.host.container(), await machine.host.container()];
  const [first, second] = [{ id: "old", netns: `/run/netns/${old}` }, { id: "other", netns: `/run/netns/${other}` }];
  const result = await add(machine, first);
  const kept = await add(machine, second);
  await machine.host.must(["ip", "netns", "del", old]);

  // A path such as /proc/123/ns/net in the result of ADD may lead to another container by now.
  const interfaces = result.interfaces?.map((known) => known.sandbox ? { ...known, sandbox: second.netns } : known);
  await succeed(machine, "DEL", { ...first, netns: "" }, { ...result, ...(interfaces && { interfaces }) });

  const [link] = await machine.host.ip<{ address: string }>("link show eth0", other);
  deepEqual(kept.interfaces?.filter(({ sandbox }) => sandbox).map(({ mac }) => mac), [link?.address]);
  await succeed(machine, "CHECK", second, kept);
  await machine.ping(other, "192.0.2.1");
  await succeed(machine, "DEL", second, kept);
});
