/** libcni, the library of runtimes written in Go: attaches, checks, detaches. */
import { deepEqual, equal, match, notEqual, ok } from "node:assert/strict";
import type { Answer } from "../lib/call.ts";
import { everythingOf } from "../lib/state.ts";
import { ClientHost } from "./client_host.ts";
import { Libcni, type Outcome, type Verb } from "./libcni.ts";

/** A host on which containers are attached through libcni. */
class Runtime implements AsyncDisposable {
  private constructor(readonly client: ClientHost, readonly libcni: Libcni) {}

  static async make(): Promise<Runtime> {
    await using parts = new AsyncDisposableStack();
    const client = parts.use(await ClientHost.make());
    const runtime = new Runtime(client, await Libcni.make(client.host, client.folder));
    parts.move();
    return runtime;
  }

  call<Result = Answer>(verb: Verb, netns: string): Promise<Outcome<Result>> {
    const { subject: { conflist }, recorder } = this.client;
    const who = { containerId: `id-${netns}`, netns, ifname: "eth0" };
    return this.libcni.call(verb, { conflist, pluginDirs: [recorder.pluginDir], ...who });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]();
  }
}

Deno.test("libcni: the plugins support the versions of the list", async () => {
  await using runtime = await Runtime.make();
  const answer = await runtime.call<string[]>("VALIDATE", "none");
  equal(answer.error, undefined);
});

Deno.test("libcni: ADD gives what the container has, CHECK agrees, DEL leaves nothing, and again", async () => {
  await using runtime = await Runtime.make();
  const { host } = runtime.client;
  const before = await everythingOf(host);
  const [a, b] = [await host.container(), await host.container()];

  const results: Answer[] = [];
  for (const netns of [a, b]) {
    const { result, error } = await runtime.call("ADD", netns);
    equal(error, undefined);
    ok(result !== undefined);
    results.push(result);
    const [link] = await host.ip<{ address: string }>("link show eth0", netns);
    const container = result.interfaces?.findIndex(({ sandbox }) => sandbox === `/run/netns/${netns}`) ?? -1;
    equal(result.interfaces?.[container]?.name, "eth0");
    equal(result.interfaces?.[container]?.mac, link?.address);
    equal(result.ips?.[0]?.interface, container);
    deepEqual(await runtime.call("CHECK", netns), {});
    deepEqual((await runtime.call("CACHED", netns)).result, result);
  }
  const [first, second] = results.map(({ ips }) => ips?.[0]?.address.split("/")[0] ?? "");
  match(first ?? "", /^10\.97\.1\.\d+$/);
  notEqual(first, second);
  await host.must(["ip", "netns", "exec", a, "ping", "-c", "1", "-W", "5", second ?? ""]);

  for (const netns of [a, b, a]) deepEqual(await runtime.call("DEL", netns), {});
  for (const netns of [a, b]) await host.must(["ip", "netns", "del", netns]);
  deepEqual(await everythingOf(host), before);
});

Deno.test("libcni: CHECK fails when the container lost its interface", async () => {
  await using runtime = await Runtime.make();
  const { host } = runtime.client;
  const netns = await host.container();
  equal((await runtime.call("ADD", netns)).error, undefined);
  await host.must(["ip", "-n", netns, "link", "del", "eth0"]);
  const { error } = await runtime.call("CHECK", netns);
  ok(error !== undefined);
  match(error.msg, /eth0/);
  deepEqual(await runtime.call("DEL", netns), {});
});

Deno.test("libcni: DEL succeeds when the container's namespace is gone", async () => {
  await using runtime = await Runtime.make();
  const { host } = runtime.client;
  const before = await everythingOf(host);
  const netns = await host.container();
  equal((await runtime.call("ADD", netns)).error, undefined);
  await host.must(["ip", "netns", "del", netns]);
  deepEqual(await runtime.call("DEL", netns), {});
  deepEqual(await everythingOf(host), before);
});
