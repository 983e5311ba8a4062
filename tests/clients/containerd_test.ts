/** containerd's own client with `ctr run --cni`: what it asks of a plugin, and what its user sees. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import type { Answer } from "../lib/call.ts";
import { ensurePackages } from "../lib/packages.ts";
import { everythingOf } from "../lib/state.ts";
import { ClientHost, firstLine } from "./client_host.ts";

/** A containerd in a host of its own. Its containers run under crun without cgroups: those belong to the machine. */
class Containerd implements AsyncDisposable {
  private constructor(readonly client: ClientHost, readonly parts: AsyncDisposableStack) {}

  static async make(): Promise<Containerd> {
    await ensurePackages(["containerd", "crun", "containernetworking-plugins", "busybox-static", "iproute2"]);
    await using parts = new AsyncDisposableStack();
    const client = parts.use(await ClientHost.make());
    const { folder } = client;
    await Deno.writeTextFile(`${folder}/config.toml`, configToml(folder));
    await Deno.writeTextFile(`${folder}/crun`, '#!/bin/sh\nexec crun --cgroup-manager=disabled "$@"\n', {
      mode: 0o755,
    });
    const daemon = client.spawn(["containerd", "--config", `${folder}/config.toml`]);
    parts.defer(async () => {
      daemon.kill("SIGTERM");
      await daemon.status;
    });
    await daemon.stdout.cancel();
    await firstLine(daemon.stderr, /containerd successfully booted/);
    return new Containerd(client, parts.move());
  }

  ctr(...args: string[]): string[] {
    return ["ctr", "--address", "/run/containerd.sock", ...args];
  }

  /** The words that run a command in a new container in the foreground; DEL comes when the command ends. */
  container(name: string, ...command: string[]): string[] {
    const { folder } = this.client;
    const options = ["--rm", "--cni", "--runc-binary", `${folder}/crun`, "--rootfs", `${folder}/rootfs`];
    return this.ctr("run", ...options, name, ...command);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.parts.disposeAsync();
  }
}

function configToml(folder: string): string {
  return `
version = 2
root = "${folder}/containerd"
state = "/run/containerd-state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "/run/containerd.sock"
[ttrpc]
  address = "/run/containerd.sock.ttrpc"
`;
}

Deno.test("containerd: containers reach one another, and nothing is left after the last one", async () => {
  await using containerd = await Containerd.make();
  const { client } = containerd;
  const before = await everythingOf(client.host);

  const a = client.spawn(containerd.container("a", "/bin/sh", "-c", "ip -4 -o addr show eth0; exec sleep 1000"));
  const shown = await firstLine(a.stdout, / inet /);
  const [, address] = /inet (10\.97\.1\.\d+)\/24 /.exec(shown) ?? [];
  ok(address !== undefined, shown);
  const out = await client.must(containerd.container("b", "/bin/ping", "-c", "1", "-W", "5", address));
  match(out, /1 packets received/);
  const gateway = await client.must(containerd.container("c", "/bin/sh", "-c", "ip route show default"));
  match(gateway, /^default via 10\.97\.1\.\d+ dev eth0/);

  await client.must(containerd.ctr("task", "kill", "--signal", "KILL", "a"));
  await a.stderr.cancel();
  await a.status;
  for (const { command, code, stdout } of await client.recorder.calls()) equal(code, 0, `${command}: ${stdout}`);
  deepEqual(await everythingOf(client.host), before);
});

Deno.test("containerd: gives a process's namespace to ADD and none to DEL, with the result of ADD", async () => {
  await using containerd = await Containerd.make();
  const { recorder } = containerd.client;
  await containerd.client.must(containerd.container("a", "/bin/ip", "link"));
  const calls = (await recorder.calls()).filter(({ command }) => command !== "VERSION");
  deepEqual(calls.map(({ command }) => command), ["ADD", "DEL"]);
  const [add, del] = calls;
  match(add?.env.CNI_NETNS ?? "", /^\/proc\/\d+\/ns\/net$/);
  equal(del?.env.CNI_NETNS, "");
  equal(del?.env.CNI_CONTAINERID, add?.env.CNI_CONTAINERID);
  const { prevResult } = JSON.parse(del?.stdin ?? "{}") as { prevResult?: Answer };
  deepEqual(prevResult?.ips, (JSON.parse(add?.stdout ?? "{}") as Answer).ips);
});
