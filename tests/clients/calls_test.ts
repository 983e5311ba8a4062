/** Calls in the shapes that CRI runtimes give them: little environment, dummies for VERSION, DEL again and again. */
import { deepEqual, equal, ok } from "node:assert/strict";
import { type Answer, type Call, succeed, wordsOf } from "../lib/call.ts";
import { everythingOf } from "../lib/state.ts";
import { Machine } from "./machine.ts";

/** All that CRI runtimes pass beside the CNI variables. */
const CRI = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", PWD: "/", LD_LIBRARY_PATH: "" };

/** A call of the machine's plugin as a CRI runtime makes it. */
function asCri({ subject: { conflist, pluginDirs } }: Machine): Call {
  const { cniVersion, name, plugins: [plugin] } = conflist;
  const program = `${pluginDirs[0]}/${plugin?.type}`;
  return { program, path: pluginDirs.join(":"), env: CRI, config: { ...plugin, cniVersion, name } };
}

/** A call for one container of a pod. */
function call(
  machine: Machine,
  verb: string,
  pod: { id: string; netns: string },
  prevResult?: Answer,
): Promise<Answer> {
  const common = asCri(machine);
  return succeed(machine.host, verb, {
    ...common,
    config: { ...common.config as object, prevResult },
    containerId: pod.id,
    netns: pod.netns,
    ifname: "eth0",
    // The order changes from call to call: it is the iteration of a map.
    args:
      `K8S_POD_NAME=${pod.id};K8S_POD_UID=0;IgnoreUnknown=1;K8S_POD_INFRA_CONTAINER_ID=${pod.id};K8S_POD_NAMESPACE=a`,
  });
}

for (const stdin of ['{"cniVersion":"1.0.0"}', ""]) {
  Deno.test(`VERSION answers with dummies and ${stdin === "" ? "nothing on" : "a version on"} a standard input left open`, async () => {
    await using machine = await Machine.make();
    const dummies = { containerId: "", ifname: "dummy", path: "dummy", env: { ...CRI, CNI_NETNS: "dummy" } };
    const [program = "", ...args] = machine.host.enter(await wordsOf("VERSION", { ...asCri(machine), ...dummies }));
    await using child = new Deno.Command(program, {
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
    ok((JSON.parse(text) as Answer).supportedVersions?.includes("1.0.0"));
  });
}

Deno.test("DEL comes three times: with the namespace, with its path after it is gone, with none", async () => {
  await using machine = await Machine.make();
  const before = await everythingOf(machine.host);
  const netns = await machine.host.container();
  const pod = { id: "pod-1", netns };
  const result = await call(machine, "ADD", pod);
  await call(machine, "CHECK", pod, result);
  await call(machine, "DEL", pod, result);
  await machine.host.must(["ip", "netns", "del", netns]);
  await call(machine, "DEL", pod, result);
  await call(machine, "DEL", { ...pod, netns: "" }, result);
  deepEqual(await everythingOf(machine.host), before);
});

Deno.test("DEL without a namespace spares the container that got the process id of the old one", async () => {
  await using machine = await Machine.make();
  const [first, second] = [{ id: "old", netns: "old" }, { id: "other", netns: "other" }];
  for (const { netns } of [first, second]) await machine.host.container(netns);
  const result = await call(machine, "ADD", first);
  const kept = await call(machine, "ADD", second);
  await machine.host.must(["ip", "netns", "del", "old"]);

  // A path such as /proc/123/ns/net in the result of ADD may lead to another container by now.
  const interfaces = result.interfaces?.map((one) => one.sandbox ? { ...one, sandbox: "/run/netns/other" } : one);
  await call(machine, "DEL", { ...first, netns: "" }, { ...result, ...(interfaces && { interfaces }) });

  const [link] = await machine.host.ip<{ address: string }>("link show eth0", "other");
  deepEqual(kept.interfaces?.filter(({ sandbox }) => sandbox).map(({ mac }) => mac), [link?.address]);
  await call(machine, "CHECK", second, kept);
  await machine.ping("other", "192.0.2.1");
  await call(machine, "DEL", second, kept);
  equal((await machine.host.ip("link show", "other")).length, 1);
});
