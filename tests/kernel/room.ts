/** A host to be changed by our verbs and by `ip` in turn, seen from this process through its namespace's path. */
import { type Kernel, openKernel } from "../../src/netlink/kernel.ts";
import type { Finding } from "../../src/state/kind.ts";
import { kindOf, type NetObject } from "../../src/state/objects.ts";
import { openNetns } from "../../src/system/netns.ts";
import type { Netns } from "../../src/world.ts";
import { Host } from "../lib/host.ts";

export class Room implements AsyncDisposable {
  readonly netns: Netns;
  readonly kernel: Kernel;

  private constructor(readonly host: Host) {
    this.netns = openNetns(`/proc/${host.pid}/ns/net`);
    this.kernel = openKernel(this.netns);
  }

  /** A veth pair `ul0`, `wire`, both up. */
  static async make(): Promise<Room> {
    const host = await Host.make("room");
    await host.must([
      "sh",
      "-c",
      "ip link add ul0 type veth peer name wire && ip link set ul0 up && ip link set wire up",
    ]);
    return new Room(host);
  }

  /** Runs `ip` with the words of a line. */
  async ip(words: string): Promise<void> {
    await this.host.must(["ip", ...words.split(" ")]);
  }

  index(name: string): number {
    const index = this.kernel.link(name)?.index;
    if (index === undefined) throw new Error(`Cannot find link "${name}"`);
    return index;
  }

  /** What the kernel has of an object. */
  inspect(object: NetObject): Finding {
    return kindOf(object).inspect(this.kernel, object);
  }

  /** Makes an empty namespace beside the host's, opened. */
  async container(name: string): Promise<Kernel> {
    await this.host.container(name);
    return openKernel(openNetns(this.path(name)));
  }

  /** Where the namespace of a container is for this process. */
  path(name: string): string {
    return `/proc/${this.host.pid}/root/run/netns/${name}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kernel[Symbol.dispose]();
    await this.host[Symbol.asyncDispose]();
  }
}
