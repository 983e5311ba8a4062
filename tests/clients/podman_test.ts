/** Podman with the CNI backend: what it asks of a plugin, and what its user sees. */
import { deepEqual, equal, match, notDeepEqual, notEqual, ok } from "node:assert/strict";
import { ensurePackages } from "../lib/packages.ts";
import { everythingOf } from "../lib/state.ts";
import { ClientHost } from "./client_host.ts";

/** What the tests read of `podman inspect`. */
interface Inspected {
  NetworkSettings: {
    Networks: Record<string, { IPAddress: string; IPPrefixLen: number; Gateway: string; MacAddress: string }>;
  };
}

class Podman implements AsyncDisposable {
  private constructor(readonly client: ClientHost, readonly env: Record<string, string>) {}

  static async make(): Promise<Podman> {
    await ensurePackages(["podman", "conmon", "crun", "containernetworking-plugins", "busybox-static", "iproute2"]);
    const client = await ClientHost.make();
    const { folder } = client;
    await Deno.mkdir(`${folder}/tmp`);
    await Deno.writeTextFile(`${folder}/containers.conf`, containersConf(folder));
    await Deno.writeTextFile(`${folder}/storage.conf`, storageConf(folder));
    return new Podman(client, {
      CONTAINERS_CONF: `${folder}/containers.conf`,
      CONTAINERS_STORAGE_CONF: `${folder}/storage.conf`,
      TMPDIR: `${folder}/tmp`,
    });
  }

  async must(...args: string[]): Promise<string> {
    return (await this.client.must(["podman", ...args], { env: this.env })).trim();
  }

  /** Starts a container that waits; returns what its network looks like to the user. */
  async start(name: string, ...options: string[]) {
    const rootfs = `${this.client.folder}/rootfs`;
    const network = this.client.subject.conflist.name;
    await this.must(
      "run",
      "-d",
      "--name",
      name,
      "--network",
      network,
      ...options,
      "--rootfs",
      rootfs,
      "/bin/sleep",
      "1000",
    );
    const [inspected] = JSON.parse(await this.must("inspect", name)) as Inspected[];
    const seen = inspected?.NetworkSettings.Networks[network];
    ok(seen !== undefined, `podman inspect shows the network ${network}`);
    return seen;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]();
  }
}

function containersConf(folder: string): string {
  return `
[containers]
cgroups = "disabled"
log_driver = "none"
[engine]
runtime = "crun"
cgroup_manager = "cgroupfs"
events_logger = "none"
tmp_dir = "${folder}/tmp"
[network]
network_backend = "cni"
cni_plugin_dirs = ["/opt/cni/bin"]
network_config_dir = "/etc/cni/net.d"
`;
}

function storageConf(folder: string): string {
  return `
[storage]
driver = "vfs"
graphroot = "${folder}/storage"
runroot = "/run/storage"
`;
}

Deno.test("podman: containers reach one another, and nothing is left after the last one", async () => {
  await using podman = await Podman.make();
  const { client } = podman;
  const before = await everythingOf(client.host);

  const a = await podman.start("a");
  const b = await podman.start("b");
  for (const seen of [a, b]) {
    match(seen.IPAddress, /^10\.97\.1\.\d+$/);
    equal(seen.IPPrefixLen, 24);
    match(seen.Gateway, /^10\.97\.1\.\d+$/);
    match(seen.MacAddress, /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
  }
  notEqual(a.IPAddress, b.IPAddress);
  match(await podman.must("exec", "a", "/bin/ip", "link", "show", "eth0"), new RegExp(a.MacAddress));
  await podman.must("exec", "a", "/bin/ping", "-c", "1", "-W", "5", b.IPAddress);
  await podman.must("exec", "b", "/bin/ping", "-c", "1", "-W", "5", a.IPAddress);
  await podman.must("exec", "b", "/bin/ping", "-c", "1", "-W", "5", "192.0.2.1");
  notDeepEqual(await everythingOf(client.host), before);

  await podman.must("rm", "-f", "-t", "0", "a");
  await podman.must("exec", "b", "/bin/ping", "-c", "1", "-W", "5", b.Gateway);
  await podman.must("rm", "-f", "-t", "0", "b");
  deepEqual(await everythingOf(client.host), before);

  // Podman ignores the answer to DEL: its user would not see an error.
  for (const { command, code, stdout } of await client.recorder.calls()) equal(code, 0, `${command}: ${stdout}`);
});

Deno.test("podman: asked for an address, the container has it", async () => {
  await using podman = await Podman.make();
  const seen = await podman.start("a", "--ip", "10.97.1.77");
  equal(seen.IPAddress, "10.97.1.77");
  match(await podman.must("exec", "a", "/bin/ip", "addr", "show", "eth0"), /10\.97\.1\.77\/24/);
  await podman.must("rm", "-f", "-t", "0", "a");
});

Deno.test("podman: asked for a MAC, the container has it", async () => {
  await using podman = await Podman.make();
  const seen = await podman.start("a", "--mac-address", "02:00:00:00:00:77");
  equal(seen.MacAddress, "02:00:00:00:00:77");
  match(await podman.must("exec", "a", "/bin/ip", "link", "show", "eth0"), /02:00:00:00:00:77/);
  await podman.must("rm", "-f", "-t", "0", "a");
});

Deno.test("podman: asks the version first, then ADD and DEL with a namespace of its own", async () => {
  await using podman = await Podman.make();
  const { recorder } = podman.client;
  await podman.start("a");
  await podman.must("rm", "-f", "-t", "0", "a");
  const calls = await recorder.calls();
  const commands = calls.map(({ command }) => command);
  equal(commands[0], "VERSION");
  deepEqual(commands.filter((command) => command !== "VERSION"), ["ADD", "DEL"]);
  for (const { command, env } of calls) {
    if (command !== "VERSION") match(env.CNI_NETNS ?? "", /^\/run\/netns\/netns-[0-9a-f-]{36}$/);
  }
});
