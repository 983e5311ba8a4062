/** A lab with the built executable on every node: calls as a container runtime makes them. */
import { call, type Called, hostState, type Running, start } from "../lib/plugin.ts";
import { Lab, type LabOptions } from "./lab.ts";
import type { Node } from "./node.ts";

export interface ClusterOptions extends Omit<LabOptions, "nodes" | "underlay"> {
  nodes?: number;
  underlay?: LabOptions["underlay"];
  /** Keys of `ipam` beside those that the routing daemon's recipe asks for. */
  ipam?: Record<string, unknown>;
  /** Of every network: addresses that nobody gets who did not ask for them. */
  excludeFirst?: number;
}

/** What one call asks for. */
export interface Wish {
  /** Address. */
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

  config(node: Node, { network, prevResult, ipam }: Wish = {}): Record<string, unknown> {
    const { networks, excludeFirst = 0 } = this.options;
    return {
      cniVersion: "1.0.0",
      name: "lab",
      type: "vxlan",
      ipam: { type: "routetable-ipam", ...node.ipam, ...this.options.ipam, ...ipam },
      defaultNetwork: network ?? networks[0]?.name,
      vxlans: networks.map(({ name, cidrs }, index) => ({
        id: 101 + index,
        name,
        cidrs,
        excludeFirst,
        options: { vtepdev: "ul0", group: `239.1.1.${101 + index}`, port: "4789", learning: "true" },
      })),
      ...(prevResult === undefined ? {} : { prevResult }),
    };
  }

  /** Makes a namespace on a node; its name is the container's id. */
  async container(node: Node, id: string): Promise<string> {
    await node.host.container(id);
    return id;
  }

  #words(node: Node, id: string, wish: Wish) {
    const args = wish.ip === undefined ? {} : { args: `IP=${wish.ip}` };
    return { containerId: id, netns: id, ifname: "eth0", config: this.config(node, wish), ...args };
  }

  call(node: Node, verb: string, id: string, wish: Wish = {}): Promise<Called> {
    return call(node.host, verb, this.#words(node, id, wish));
  }

  start(node: Node, verb: string, id: string, wish: Wish = {}): Promise<Running> {
    return start(node.host, verb, this.#words(node, id, wish));
  }

  /** As call() with ADD, must succeed; makes the container and returns its addresses without length. */
  async add(node: Node, id: string, wish: Wish = {}): Promise<string[]> {
    await this.container(node, id);
    const { code, stdout, stderr, json } = await this.call(node, "ADD", id, wish);
    if (code !== 0) throw new Error(`ADD of ${id} on ${node.name} failed: ${stdout}${stderr}`);
    return addresses({ json });
  }

  async del(node: Node, id: string, wish: Wish = {}): Promise<void> {
    const { code, stdout } = await this.call(node, "DEL", id, wish);
    if (code !== 0) throw new Error(`DEL of ${id} on ${node.name} failed: ${stdout}`);
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

const EXECUTABLE = new URL("../../dist/vxlan-cni", import.meta.url).pathname;

/** What `vxlan-cni status --json` prints. */
export interface Status {
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
  return (await hostState(node.host)).filter((line) => /(vx_|mv_|vxlan-cni)/.test(line));
}

/** The addresses of an answer, without length. */
export function addresses({ json }: Pick<Called, "json">): string[] {
  return (json?.ips ?? []).map(({ address }) => address.replace(/\/.*/, ""));
}
