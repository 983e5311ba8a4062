/** What a routing daemon's configuration is made from, and what it asks of ours. */

/** A node of the cluster as the routing daemons reach it. */
export interface RoutingNode {
  /** A name for people; letters, digits, `-`, `_`. */
  name: string;
  /** The underlay address of its sessions, v4 or v6. */
  address: string;
  /** Its v6 underlay address, the next hop of v6 claims; needed only where `address` is v4 and a network has a v6 prefix. */
  address6?: string;
}

export interface RoutingOptions {
  /** iBGP when not given. */
  protocol?: RoutingProtocol;
  networks: readonly { name: string; cidrs: readonly string[] }[];
  /** `ipam.routeProtocol` as configured: the kernel's protocol number of our routes. */
  routeProtocol: number;
  /** `ipam.routeMetric` as configured: the kernel's metric of our routes. */
  routeMetric: number;
  /** This node; a placeholder is printed when not given. */
  self?: RoutingNode;
  /** The other nodes; placeholders are printed when not given. */
  peers?: readonly RoutingNode[];
  /** The autonomous system of the cluster; 64512 (private, RFC 6996) when not given. */
  asn?: number;
  /** The underlay's interface, for OSPF and Babel; `eth0` when not given. */
  interface?: string;
}

export type RoutingProtocol = "ibgp" | "ospf" | "babel";

/** A daemon's configuration, and what our own configuration must say for it to work. */
export interface Recipe {
  text: string;
  ipam: {
    routeProtocol: number;
    routeMetric: number;
    /** Milliseconds; above the longest time that a claim was measured to need from node to node. */
    propagationTimeout: number;
  };
  /** What each node has to run once at boot beside the daemon; empty where the daemon needs nothing. */
  commands: readonly string[];
}

/** The options with every gap filled by a placeholder, and a note of what the operator must fill in. */
export interface FilledOptions extends Required<RoutingOptions> {
  v4: readonly string[];
  v6: readonly string[];
  /** The first lines of the configuration: what is made up and has to be changed. */
  placeholders: readonly string[];
}

/** Fills the gaps of the options with addresses that are reserved for documentation (RFC 5737, RFC 3849). */
export function fill(options: RoutingOptions): FilledOptions {
  const cidrs = options.networks.flatMap(({ cidrs }) => cidrs);
  if (cidrs.length === 0) throw new Error("Cannot print a recipe: no network has a prefix; configure a network first");
  const placeholders: string[] = [];
  if (options.self === undefined) {
    placeholders.push("CHANGE: 192.0.2.1 and 2001:db8::1 stand for this node's underlay addresses.");
  }
  if (options.peers === undefined) {
    placeholders.push("CHANGE: node2 and node3 stand for the other nodes: list every one of them.");
  }
  if (options.interface === undefined && (options.protocol ?? "ibgp") !== "ibgp") {
    placeholders.push("CHANGE: eth0 stands for the interface of the underlay.");
  }
  return {
    protocol: options.protocol ?? "ibgp",
    networks: options.networks,
    routeProtocol: options.routeProtocol,
    routeMetric: options.routeMetric,
    self: options.self ?? { name: "node1", address: "192.0.2.1", address6: "2001:db8::1" },
    peers: options.peers ?? [
      { name: "node2", address: "192.0.2.2", address6: "2001:db8::2" },
      { name: "node3", address: "192.0.2.3", address6: "2001:db8::3" },
    ],
    asn: options.asn ?? 64512,
    interface: options.interface ?? "eth0",
    v4: cidrs.filter((cidr) => !cidr.includes(":")),
    v6: cidrs.filter((cidr) => cidr.includes(":")),
    placeholders,
  };
}

/** A router id: the node's v4 address, or four bytes drawn from its v6 address and name. */
export function routerId({ name, address }: RoutingNode): string {
  if (!address.includes(":")) return address;
  let hash = 2166136261;
  for (const char of name + address) hash = Math.imul(hash ^ char.charCodeAt(0), 16777619) >>> 0;
  return [hash >>> 24 & 127 | 1, hash >>> 16 & 255, hash >>> 8 & 255, hash & 255].join(".");
}
