/** A cluster for the tests: nodes on one underlay, each with its own routing daemon that runs the recipe users are given. */
import type { RoutingNode } from "../../src/recipes/options.ts";
import { Host, underlay } from "../lib/host.ts";
import { eventually } from "../lib/eventually.ts";
import { ensurePackages } from "../lib/packages.ts";
import { Node, type NodeOptions } from "./node.ts";
import { routedUnderlay } from "./routed_underlay.ts";
import { ROUTING, type Routing, type RoutingKind } from "./routing.ts";

export interface LabOptions extends NodeOptions {
  /** How many. */
  nodes: number;
  /** One broadcast domain, or a subnet for each node behind a router that passes no multicast. */
  underlay: "l2" | "routed";
  routing: Routing | "none";
}

export class Lab implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;
  readonly #kind: RoutingKind | undefined;

  private constructor(
    stack: AsyncDisposableStack,
    kind: RoutingKind | undefined,
    readonly nodes: readonly Node[],
  ) {
    this.#stack = stack;
    this.#kind = kind;
  }

  /** Makes hosts and underlay, starts the daemons; does not wait until they have found each other. */
  static async make(options: LabOptions): Promise<Lab> {
    const kind = options.routing === "none" ? undefined : ROUTING[options.routing];
    if (kind?.needsLink && options.underlay === "routed") {
      throw new Error(
        `Cannot run ${options.routing} on a routed underlay: its neighbours find each other by multicast; use BGP`,
      );
    }
    if (kind !== undefined) await ensurePackages([kind.package]);
    await using stack = new AsyncDisposableStack();
    const hosts: Host[] = [];
    for (let k = 1; k <= options.nodes; k++) hosts.push(stack.use(await Host.make(`node${k}`)));
    const wire = stack.use(await (options.underlay === "l2" ? underlay(hosts) : routedUnderlay(hosts)));
    const cluster = hosts.map((host, index) => address(host, index, options.underlay));
    const nodes = cluster.map((self, index) => {
      const peers = cluster.filter((other) => other !== self);
      return stack.use(new Node({ host: hosts[index]!, wire, port: `p${index + 1}`, self, peers }, kind, options));
    });
    const lab = new Lab(stack.move(), kind, nodes);
    try {
      await Promise.all(nodes.map((node) => node.start()));
    } catch (cause) {
      await lab[Symbol.asyncDispose]();
      throw cause;
    }
    return lab;
  }

  /** The node at a place, counted from 0; throws where there is none. */
  node(index: number): Node {
    const node = this.nodes[index];
    if (node === undefined) throw new RangeError(`Cannot find node ${index}: the lab has ${this.nodes.length}`);
    return node;
  }

  /** Waits until every node has a session with every other. */
  async converged(bound = 60_000): Promise<void> {
    if (this.#kind === undefined) return;
    await Promise.all(
      this.nodes.map((node) =>
        eventually(
          `${node.name} has all sessions`,
          async () => await this.sessions(node) >= this.nodes.length - 1,
          bound,
        )
      ),
    );
  }

  /** How many sessions a node's daemon has, in the family that has fewest. */
  async sessions(node: Node): Promise<number> {
    return await this.#kind?.established(node.host, node.families) ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

function address({ name }: Host, index: number, kind: LabOptions["underlay"]): RoutingNode {
  const k = index + 1;
  if (kind === "l2") return { name, address: `192.0.2.${k}`, address6: `fd00:ff::${k}` };
  return { name, address: `198.18.${k}.2`, address6: `fd00:ff:${k}::2` };
}
