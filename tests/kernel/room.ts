/** A host to be changed by our verbs and by `ip` in turn, seen from this process through its namespace's path. */
import { parseCidr, parseIp } from "../../src/ip.ts";
import type { Cidr, Ip } from "../../src/ip.ts";
import { type Rtnetlink, rtnetlink } from "../../src/netlink/rtnetlink.ts";
import { openNetns } from "../../src/system/netns.ts";
import type { Netns } from "../../src/world.ts";
import { Host } from "../lib/host.ts";

export class Room implements AsyncDisposable {
  private constructor(readonly host: Host, readonly netns: Netns, readonly kernel: Rtnetlink) {}

  /** A veth pair `ul0`, `wire`, both up. */
  static async make(): Promise<Room> {
    const host = await Host.make("room");
    await host.must([
      "sh",
      "-c",
      "ip link add ul0 type veth peer name wire && ip link set ul0 up && ip link set wire up",
    ]);
    const netns = openNetns(`/proc/${host.pid}/ns/net`);
    return new Room(host, netns, rtnetlink(netns.netlink()));
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

  async [Symbol.asyncDispose](): Promise<void> {
    this.kernel[Symbol.dispose]();
    this.netns[Symbol.dispose]();
    await this.host[Symbol.asyncDispose]();
  }
}

export function ip(text: string): Ip {
  const parsed = parseIp(text);
  if (parsed === undefined) throw new TypeError(`Cannot parse "${text}"`);
  return parsed;
}

export function cidr(text: string): Cidr {
  const parsed = parseCidr(text);
  if (parsed === undefined) throw new TypeError(`Cannot parse "${text}"`);
  return parsed;
}
