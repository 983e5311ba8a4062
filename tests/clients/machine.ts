/** A host on an underlay with the plugins to chain, and a neighbour on the underlay that knows the way to the containers. */
import { Host, underlay } from "../lib/host.ts";
import { ensurePackages } from "../lib/packages.ts";
import { must } from "../lib/run.ts";
import { makeSubject, type Subject } from "./subject.ts";

const ip6tablesWithoutNat = `#!/bin/sh
case " $* " in *" -t nat "*) echo "ip6tables: table nat does not exist" >&2; exit 3 ;; esac
exec /usr/sbin/ip6tables "$@"
`;

export class Machine implements AsyncDisposable {
  readonly #parts: AsyncDisposableStack;
  readonly host: Host;
  /** The neighbour, 192.0.2.254. */
  readonly wire: Host;

  private constructor(
    parts: AsyncDisposableStack,
    readonly folder: string,
    readonly subject: Subject,
    { host, wire }: { host: Host; wire: Host },
  ) {
    this.#parts = parts;
    this.host = host;
    this.wire = wire;
  }

  static async make(): Promise<Machine> {
    await ensurePackages(["containernetworking-plugins", "iptables", "iproute2", "iputils-ping", "busybox-static"]);
    await using parts = new AsyncDisposableStack();
    const folder = await Deno.makeTempDir({ prefix: "machine-" });
    parts.defer(() => Deno.remove(folder, { recursive: true }));
    const subject = await makeSubject();
    await Deno.mkdir(`${folder}/path`);
    await Deno.symlink("/usr/sbin/iptables", `${folder}/path/iptables`);
    await Deno.writeTextFile(`${folder}/path/ip6tables`, ip6tablesWithoutNat, { mode: 0o755 });
    const host = parts.use(await Host.make());
    const wire = parts.use(await underlay([host]));
    await wire.must(["ip", "addr", "add", "192.0.2.254/24", "dev", "br0"]);
    await wire.must(["ip", "route", "add", "10.97.1.0/24", "via", "192.0.2.1"]);
    return new Machine(parts.move(), folder, subject, { host, wire });
  }

  /** A `PATH` of a host whose kernel has no NAT for IPv6. */
  get pathWithoutNat6(): string {
    return `${this.folder}/path`;
  }

  /** Pings from a container; fails without an answer. */
  async ping(netns: string, address: string): Promise<void> {
    await must(this.host.inside(netns, ["ping", "-c", "1", "-W", "5", address]));
  }

  /** Runs a command at the neighbour. */
  must(command: readonly string[]): Promise<string> {
    return this.wire.must(command);
  }

  /** Answers the next TCP connection to a port of a container with a line; returns when the port is open. */
  async serve(netns: string, port: number, line: string): Promise<void> {
    const command = ["setpriv", "--pdeathsig", "KILL", "busybox", "nc", "-l", "-p", String(port), "-e", "echo", line];
    const [program, ...args] = this.host.inside(netns, command);
    const child = new Deno.Command(program!, { args, stdin: "null", stdout: "null", stderr: "inherit" }).spawn();
    this.#parts.defer(async () => {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has served its connection and ended.
      }
      await child.status;
    });
    while (!(await must(this.host.inside(netns, ["ss", "-Hltn", `sport = :${port}`]))).includes("LISTEN")) continue;
  }

  /** What a TCP port says to the neighbour. */
  fetch(address: string, port: number): Promise<string> {
    return this.wire.must(["busybox", "nc", "-w", "5", address, String(port)], { stdin: "" });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.disposeAsync();
  }
}
