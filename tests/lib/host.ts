/**
 * A host of a test: a process of its own with its own network and mount namespaces and an own, empty `/run`.
 *
 * The process is a `cat` that waits on a pipe of the test's: when the test ends, however it ends, the pipe closes, `cat` ends
 * and the kernel removes everything that lived in the namespaces. Nothing appears in the machine's own namespaces.
 */
import { must, type Ran, run, type RunOptions } from "./run.ts";

export class Host implements AsyncDisposable {
  readonly pid: number;
  readonly #child: Deno.ChildProcess;
  #containers = 0;

  private constructor(child: Deno.ChildProcess, readonly name: string) {
    this.#child = child;
    this.pid = child.pid;
  }

  /** Makes a host; loopback is up, `/run/netns` is empty. `beside`: with the files of that host, `/run` as well, as namespaces of one machine. */
  static async make(name = "host", beside?: Host): Promise<Host> {
    const ready = "ip link set lo up && echo ready && exec cat";
    const ownRun = "mount -t tmpfs -o mode=755 tmpfs /run && mkdir /run/netns";
    const [program = "", ...args] = beside === undefined
      ? ["unshare", "--net", "--mount", "--uts", "--", "sh", "-c", `${ownRun} && ${ready}`]
      : beside.enter(["unshare", "--net", "--uts", "--", "sh", "-c", ready]);
    const child = new Deno.Command(program, {
      args,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const reader = child.stdout.getReader();
    const first = await reader.read();
    if (first.done) {
      throw new Error(`Cannot make host "${name}": ${new TextDecoder().decode((await child.output()).stderr)}`);
    }
    reader.releaseLock();
    const host = new Host(child, name);
    await host.must(["hostname", name]);
    return host;
  }

  /** The words that put a command into this host. */
  enter(command: readonly string[]): string[] {
    return ["nsenter", "-t", String(this.pid), "-n", "-m", "-u", "--", ...command];
  }

  run(command: readonly string[], options?: RunOptions): Promise<Ran> {
    return run(this.enter(command), options);
  }

  must(command: readonly string[], options?: RunOptions): Promise<string> {
    return must(this.enter(command), options);
  }

  /** `ip -j -d ...` in this host, or in one of its containers with `netns`. */
  async ip<T = Record<string, unknown>>(args: string, netns?: string): Promise<T[]> {
    const inside = netns === undefined ? [] : ["-n", netns];
    const text = await this.must(["ip", "-j", "-d", ...inside, ...args.split(" ")]);
    return text.trim() === "" ? [] : JSON.parse(text) as T[];
  }

  /** Makes an empty network namespace in this host's `/run/netns`; returns its name. */
  async container(name = `c${++this.#containers}`): Promise<string> {
    await this.must(["ip", "netns", "add", name]);
    return name;
  }

  /** The words that put a command into one of this host's containers. */
  inside(netns: string, command: readonly string[]): string[] {
    return this.enter(["nsenter", `--net=/run/netns/${netns}`, "--", ...command]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stdin.close().catch(() => {});
    await this.#child.stdout.cancel().catch(() => {});
    await this.#child.stderr.cancel().catch(() => {});
    await this.#child.status;
  }
}

/** A host with an underlay that leads nowhere: `ul0` has 192.0.2.1/24, fd00:ff::1/64 and the default routes. */
export async function loneHost(name = "node", beside?: Host): Promise<Host> {
  const host = await Host.make(name, beside);
  const script = `set -e
ip link add ul0 type veth peer name wire; ip link set ul0 up; ip link set wire up
ip addr add 192.0.2.1/24 dev ul0; ip addr add fd00:ff::1/64 dev ul0 nodad
ip route add default via 192.0.2.254 dev ul0; ip -6 route add default via fd00:ff::fe dev ul0
until ip -6 route show table local | grep -q '^local fd00:ff::1 '; do :; done
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1`;
  await host.must(["sh", "-c", script]);
  return host;
}

/** Joins hosts by veth pairs to a bridge that lives in a namespace of its own; host k gets 192.0.2.k and fd00:ff::k on `ul0`. */
export async function underlay(hosts: readonly Host[], mtu = 1500): Promise<Host> {
  const wire = await Host.make("underlay");
  await wire.must(["ip", "link", "add", "br0", "mtu", String(mtu), "type", "bridge", "mcast_snooping", "0"]);
  await wire.must(["ip", "link", "set", "br0", "up"]);
  for (const [index, host] of hosts.entries()) {
    const port = `p${index + 1}`;
    await wire.must([
      ..."ip link add".split(" "),
      port,
      ..."mtu".split(" "),
      String(mtu),
      ..."type veth peer name ul0 mtu".split(" "),
      String(mtu),
      "netns",
      String(host.pid),
    ]);
    await wire.must(["ip", "link", "set", port, "master", "br0", "up"]);
    await host.must(["ip", "addr", "add", `192.0.2.${index + 1}/24`, "dev", "ul0"]);
    await host.must(["ip", "addr", "add", `fd00:ff::${index + 1}/64`, "dev", "ul0", "nodad"]);
    await host.must(["ip", "link", "set", "ul0", "up"]);
    await host.must(["ip", "route", "add", "default", "via", "192.0.2.254", "dev", "ul0"]);
    await host.must(["sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"]);
  }
  return wire;
}
