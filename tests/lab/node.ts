/** One node of a lab: a host, its place on the underlay and its routing daemon. */
import type { Recipe, RoutingNode, RoutingOptions } from "../../src/recipes/options.ts";
import type { Host } from "../lib/host.ts";
import { Daemon } from "./daemon.ts";
import { CONFIG, type RoutingKind } from "./routing.ts";

/** Where a node is. */
interface Place {
  host: Host;
  /** The other end of its underlay device: a host and the name of the port there. */
  wire: Host;
  port: string;
  /** Name and underlay addresses of the node, and of the others. */
  self: RoutingNode;
  peers: readonly RoutingNode[];
}

export interface NodeOptions {
  networks: RoutingOptions["networks"];
  /** What the claims of this lab carry; the recipe's own advice when not given. */
  routeProtocol?: number;
  routeMetric?: number;
  /** Changes the text of the daemon's configuration before it is used, for measurements. */
  edit?(text: string): string;
}

export class Node implements AsyncDisposable {
  readonly host: Host;
  /** What our own configuration must say on this node; the kernel's and our defaults where nothing spreads the claims. */
  readonly ipam: Recipe["ipam"];
  readonly families: readonly (4 | 6)[];
  readonly #recipe: Recipe | undefined;
  readonly #config: string;
  #prepared = false;
  #daemon: Daemon | undefined;

  constructor(readonly place: Place, readonly kind: RoutingKind | undefined, options: NodeOptions) {
    const { networks, routeProtocol = 192, routeMetric = 0, edit = (text) => text } = options;
    const { self, peers } = place;
    const cidrs = networks.flatMap(({ cidrs }) => cidrs);
    this.host = place.host;
    this.#recipe = kind?.recipe({ networks, routeProtocol, routeMetric, self, peers, interface: "ul0" });
    this.families = ([4, 6] as const).filter((family) => cidrs.some((cidr) => cidr.includes(":") === (family === 6)));
    this.ipam = this.#recipe?.ipam ?? { routeProtocol, routeMetric, propagationTimeout: 250 };
    this.#config = edit(this.#recipe?.text ?? "");
  }

  get name(): string {
    return this.place.self.name;
  }

  get address(): string {
    return this.place.self.address;
  }

  /** Starts the routing daemon; nothing where the lab has none. */
  async start(): Promise<void> {
    if (this.kind === undefined) return;
    if (this.#daemon !== undefined) throw new Error(`Cannot start the daemon of ${this.name}: it runs`);
    await this.host.must(["sh", "-c", `mkdir -p /run/routing && cat > ${CONFIG}`], { stdin: this.#config });
    for (const command of this.#prepared ? [] : this.#recipe?.commands ?? []) await this.host.must(command.split(" "));
    this.#prepared = true;
    this.#daemon = await Daemon.start(this.host, this.kind.plan);
  }

  /** Asks the daemon to end and waits for it. */
  async stop(): Promise<void> {
    await this.#daemon?.end("stop");
    this.#daemon = undefined;
  }

  /** Ends the daemon as a crash does. */
  async kill(): Promise<void> {
    await this.#daemon?.end("kill");
    this.#daemon = undefined;
  }

  /** Takes the node off the underlay, without a word to its daemon. */
  async cut(): Promise<void> {
    await this.place.wire.must(["ip", "link", "set", this.place.port, "down"]);
  }

  /** Puts the node back on the underlay. */
  async heal(): Promise<void> {
    await this.place.wire.must(["ip", "link", "set", this.place.port, "up"]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}
