/** One node of a lab: a host, its place on the underlay and its routing daemon. */
import type { Recipe, RoutingNode } from "../../src/recipes/options.ts";
import type { Host } from "../lib/host.ts";
import { Daemon } from "./daemon.ts";
import type { LabOptions } from "./lab.ts";
import { CONFIG, type RoutingKind } from "./routing.ts";

export class Node implements AsyncDisposable {
  /** What our own configuration must say on this node; the kernel's and our defaults where nothing spreads the claims. */
  readonly ipam: Recipe["ipam"];
  readonly families: readonly (4 | 6)[];
  readonly #recipe: Recipe | undefined;
  readonly #config: string;
  #prepared = false;
  readonly #kind: RoutingKind | undefined;
  readonly #port: string;
  #daemon: Daemon | undefined;

  constructor(
    readonly host: Host,
    cluster: readonly RoutingNode[],
    index: number,
    readonly wire: Host,
    readonly options: LabOptions,
    kind: RoutingKind | undefined,
  ) {
    const cidrs = options.networks.flatMap(({ cidrs }) => cidrs);
    const { routeProtocol = 192, routeMetric = 0, networks } = options;
    const self = cluster[index];
    if (self === undefined) throw new RangeError(`Cannot find node ${index} in the cluster`);
    const recipe = kind?.recipe({
      networks,
      routeProtocol,
      routeMetric,
      self,
      peers: cluster.filter((_, other) => other !== index),
      interface: "ul0",
    });
    this.self = self;
    this.families = ([4, 6] as const).filter((family) => cidrs.some((cidr) => cidr.includes(":") === (family === 6)));
    this.ipam = recipe?.ipam ?? { routeProtocol, routeMetric, propagationTimeout: 250 };
    this.#recipe = recipe;
    this.#config = (options.edit ?? ((text) => text))(recipe?.text ?? "");
    this.#kind = kind;
    this.#port = `p${index + 1}`;
  }

  /** Name and underlay addresses. */
  readonly self: RoutingNode;

  get name(): string {
    return this.self.name;
  }

  get address(): string {
    return this.self.address;
  }

  /** Starts the routing daemon; nothing where the lab has none. */
  async start(): Promise<void> {
    if (this.#kind === undefined) return;
    if (this.#daemon !== undefined) throw new Error(`Cannot start the daemon of ${this.name}: it runs`);
    await this.host.must(["sh", "-c", `mkdir -p /run/routing && cat > ${CONFIG}`], { stdin: this.#config });
    for (const command of this.#prepared ? [] : this.#recipe?.commands ?? []) await this.host.must(command.split(" "));
    this.#prepared = true;
    this.#daemon = await Daemon.start(this.host, this.#kind.plan);
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
    await this.wire.must(["ip", "link", "set", this.#port, "down"]);
  }

  /** Puts the node back on the underlay. */
  async heal(): Promise<void> {
    await this.wire.must(["ip", "link", "set", this.#port, "up"]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}
