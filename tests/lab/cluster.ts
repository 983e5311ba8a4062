/** A lab with the built executable on every node: calls as a container runtime makes them. */
import { type Answer, type Call, call, type Called, EXECUTABLE, succeed } from "../lib/call.ts";
import { type NetConf, netConf, OPTIONS } from "../lib/config.ts";
import { stateOf } from "../lib/state.ts";
import { Lab, type LabOptions } from "./lab.ts";
import type { Node } from "./node.ts";

export interface ClusterOptions extends Omit<LabOptions, "nodes" | "underlay"> {
  nodes?: number;
  underlay?: LabOptions["underlay"];
  /** Keys of `ipam` beside those that the routing daemon's recipe asks for. */
  ipam?: Record<string, unknown>;
  /** Keys of every network in a node's configuration. */
  entry?(node: Node): Record<string, unknown>;
}

/** What one call asks for. */
interface Wish {
  /** Addresses, with commas between them. */
  ip?: string;
  /** Network; the first one when not given. */
  network?: string;
  /** Of an earlier ADD. */
  prevResult?: unknown;
  ipam?: Record<string, unknown>;
}

export class Cluster implements AsyncDisposable {
  #before: string[][] = [];

  private constructor(readonly lab: Lab, readonly options: ClusterOptions) {}

  /** Three nodes on one underlay unless told otherwise, converged. */
  static async make(options: ClusterOptions): Promise<Cluster> {
    const lab = await Lab.make({ nodes: 3, underlay: "l2", ...options });
    const cluster = new Cluster(lab, options);
    try {
      await lab.converged();
      cluster.#before = await Promise.all(cluster.nodes.map((node) => ownState(node)));
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
    return cluster;
  }

  get nodes(): readonly Node[] {
    return this.lab.nodes;
  }

  #config(node: Node, { network, prevResult, ipam }: Wish): NetConf {
    const { networks, entry } = this.options;
    return netConf({
      cniVersion: "1.0.0",
      name: "lab",
      ipam: { type: "routetable-ipam", ...node.ipam, ...this.options.ipam, ...ipam },
      defaultNetwork: network ?? networks[0]?.name,
      vxlans: networks.map(({ name, cidrs }, index) => ({
        id: 101 + index,
        name,
        cidrs,
        options: { ...OPTIONS, group: `239.1.1.${101 + index}`, learning: "true" },
        ...entry?.(node),
      })),
      ...(prevResult === undefined ? {} : { prevResult }),
    });
  }

  #call(node: Node, id: string, wish: Wish): Call {
    const args = wish.ip === undefined ? {} : { args: `IP=${wish.ip}` };
    return { containerId: id, netns: id, ifname: "eth0", config: this.#config(node, wish), ...args };
  }

  call(node: Node, verb: string, id: string, wish: Wish = {}): Promise<Called> {
    return call(node.host, verb, this.#call(node, id, wish));
  }

  /** As call(), must succeed. */
  succeed(node: Node, verb: string, id: string, wish: Wish = {}): Promise<Answer> {
    return succeed(node.host, verb, this.#call(node, id, wish));
  }

  /** ADD that must succeed, of a container that is made for it, its id being the name of its namespace; returns the addresses without length. */
  async add(node: Node, id: string, wish: Wish = {}): Promise<string[]> {
    await node.host.container(id);
    return addresses(await this.succeed(node, "ADD", id, wish));
  }

  async del(node: Node, id: string, wish: Wish = {}): Promise<void> {
    await this.succeed(node, "DEL", id, wish);
  }

  /** What is on the nodes and was not there at first, but for what routing daemons installed. */
  async left(): Promise<string[]> {
    const now = await Promise.all(this.nodes.map((node) => ownState(node)));
    return now.flatMap((lines, index) => lines.filter((line) => !this.#before[index]?.includes(line)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.lab[Symbol.asyncDispose]();
  }
}

/** For `entry`: each node draws IPv4 addresses from fifty of its own in a /24. */
export function apart({ name }: Node): { excludeFirst: number; excludeLast: number } {
  const excludeFirst = 50 + 50 * Number(name.replace("node", ""));
  return { excludeFirst, excludeLast: 254 - excludeFirst - 50 };
}

/** What `vxlan-cni status --json` prints. */
interface Status {
  networks: {
    attachments: { containerId: string; addresses: { address: string; conflict?: string; keeps?: boolean }[] }[];
    reservations: { address: string; ready: boolean }[];
  }[];
}

export async function status(node: Node): Promise<Status> {
  const { stdout } = await node.host.run([EXECUTABLE, "status", "--json"], { clearEnv: true });
  return JSON.parse(stdout) as Status;
}

/** Links, records, and the routes and rules that belong to our devices. */
async function ownState(node: Node): Promise<string[]> {
  return (await stateOf(node.host)).filter((line) => /(vx_|mv_|vxlan-cni)/.test(line));
}

/** The addresses of an answer, without length. */
export function addresses(answer: Answer | undefined): string[] {
  return (answer?.ips ?? []).map(({ address }) => address.replace(/\/.*/, ""));
}
