/** A node of the program tests: a host with an underlay device that leads nowhere, and the calls that the tests make there. */
import { Host } from "../lib/host.ts";
import { type Answer, type Call, call, type Called, hostState, refuse, succeed } from "../lib/plugin.ts";

/** An entry of `vxlans`. */
export interface Vxlan {
  id: number;
  name: string;
  options?: Record<string, string>;
  [key: string]: unknown;
}

export interface NetConf {
  cniVersion: string;
  name: string;
  type: string;
  ipam?: Record<string, unknown>;
  defaultNetwork?: string;
  vxlans: Vxlan[];
  [key: string]: unknown;
}

export const OPTIONS = { vtepdev: "ul0", group: "239.1.1.101", port: "4789" };
/** No window: a claim needs to spread to nobody. */
export const IPAM = { type: "routetable-ipam", propagationTimeout: 0 };

/** The network `red` with 10.97.1.0/24; `changes` replace keys of its entry. */
export function red(changes: Record<string, unknown> = {}): Vxlan {
  return { id: 101, name: "red", cidr: "10.97.1.0/24", excludeFirst: 1, excludeLast: 1, options: OPTIONS, ...changes };
}

export function blue(changes: Record<string, unknown> = {}): Vxlan {
  return {
    ...red({ id: 102, name: "blue", cidr: "10.97.2.0/24" }),
    options: { ...OPTIONS, group: "239.1.1.102" },
    ...changes,
  };
}

/** A configuration with the network `red`; `changes` replace its keys. */
export function netConf(changes: Record<string, unknown> = {}): NetConf {
  return {
    cniVersion: "1.1.0",
    name: "vxnet",
    type: "vxlan",
    ipam: IPAM,
    defaultNetwork: "red",
    vxlans: [red()],
    ...changes,
  };
}

export class Node implements AsyncDisposable {
  #before: string[] = [];

  private constructor(readonly host: Host) {}

  /** `ul0` has 192.0.2.1/24 and fd00:ff::1/64 and the default routes. */
  static async make(mtu = 1500): Promise<Node> {
    const node = new Node(await Host.make("node"));
    const script =
      `ip link add ul0 mtu ${mtu} type veth peer name wire && ip link set ul0 up && ip link set wire up && ip addr add 192.0.2.1/24 dev ul0 &&
ip addr add fd00:ff::1/64 dev ul0 nodad && ip route add default via 192.0.2.254 dev ul0 &&
ip -6 route add default via fd00:ff::fe dev ul0 &&
until ip -6 route show table local | grep -q '^local fd00:ff::1 '; do :; done && sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1`;
    await node.host.must(["sh", "-c", script]);
    node.#before = await hostState(node.host);
    return node;
  }

  /** Makes a container's namespace; its name is the container id as well. */
  container(name?: string): Promise<string> {
    return this.host.container(name);
  }

  /** Runs a verb for a container's `eth0`. */
  call(verb: string, containerId: string, options: Call = {}): Promise<Called> {
    return call(this.host, verb, { ...attachment(containerId), ...options });
  }

  /** As call(), must succeed. */
  run(verb: string, containerId: string, options: Call = {}): Promise<Answer> {
    return succeed(this.host, verb, { ...attachment(containerId), ...options });
  }

  /** As call(), must be refused. */
  refuse(verb: string, containerId: string, options: Call = {}): ReturnType<typeof refuse> {
    return refuse(this.host, verb, { ...attachment(containerId), ...options });
  }

  /** What there is on the host that was not there when it was made, and what has gone since. */
  async changes(): Promise<string[]> {
    const now = await hostState(this.host);
    return [
      ...now.filter((line) => !this.#before.includes(line)).map((line) => `+ ${line}`),
      ...this.#before.filter((line) => !now.includes(line)).map((line) => `- ${line}`),
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.host[Symbol.asyncDispose]();
  }
}

function attachment(containerId: string): Call {
  return { config: netConf(), containerId, netns: containerId, ifname: "eth0" };
}

/** The addresses of an answer, without length. */
export function addresses(answer: Answer): string[] {
  return (answer.ips ?? []).map(({ address }) => address.replace(/\/\d+$/, ""));
}
