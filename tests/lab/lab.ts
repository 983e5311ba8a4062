/** A cluster for the tests: nodes on one underlay, each with its own routing daemon that runs the recipe users are given. */
import type { RoutingNode, RoutingOptions } from "../../src/recipes/options.ts";
import { Host, underlay } from "../lib/host.ts";
import { eventually } from "../lib/eventually.ts";
import { ensurePackages } from "../lib/packages.ts";
import { Node } from "./node.ts";
import { routedUnderlay } from "./routed_underlay.ts";
import { ROUTING, type Routing, type RoutingKind } from "./routing.ts";

export interface LabOptions {
  /** How many. */
  nodes: number;
  /** One broadcast domain, or a subnet for each node behind a router that passes no multicast. */
  underlay: "l2" | "routed";
  routing: Routing | "none";
  networks: RoutingOptions["networks"];
  /** What the claims of this lab carry; the recipe's own advice when not given. */
  routeProtocol?: number;
  routeMetric?: number;
  /** Changes the text of the daemon's configuration before it is used, for measurements. */
  edit?(text: string): string;
}

export class Lab implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;
  readonly #kind: RoutingKind | undefined;

  private constructor(
    stack: AsyncDisposableStack,
    kind: RoutingKind | undefined,
    readonly options: LabOptions,
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
    const peers = hosts.map((host, index) => address(host, index, options.underlay));
    const nodes = hosts.map((host, index) => stack.use(new Node(host, peers, index, wire, options, kind)));
    const lab = new Lab(stack.move(), kind, options, nodes);
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
