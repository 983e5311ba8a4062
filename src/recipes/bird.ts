/**
 * BIRD 2's configuration for the claims.
 *
 * Two tables keep both sides of a conflict visible: in `claims` a local claim beats every remote one and so is announced
 * whatever others announce; in `master` a remote claim beats the local one and so is installed next to it.
 */
import { fill, type FilledOptions, type Recipe, routerId, type RoutingOptions } from "./options.ts";

/** The kernel's metric of the other nodes' routes: above the usual metrics of claims (0 is 1024 in v6), so that our own is used. */
const KERNEL_METRIC = 4096;
/** Milliseconds; measured maxima in docs/routing.md. */
const PROPAGATION = { ibgp: 250, ospf: 1250, babel: 1500 } as const;

/** A complete BIRD 2 configuration that spreads the claims of the networks. */
export function birdRecipe(options: RoutingOptions): Recipe {
  const filled = fill(options);
  const families = ([4, 6] as const).filter((family) => prefixes(filled, family).length > 0);
  const ipam = {
    routeProtocol: filled.routeProtocol,
    routeMetric: filled.routeMetric,
    propagationTimeout: PROPAGATION[filled.protocol],
  };
  const text = [
    head(filled, ipam),
    ...families.map((family) => tables(filled, family, ipam.routeProtocol)),
    PROTOCOLS[filled.protocol](filled, families),
  ].join("\n");
  return { text, ipam, commands: [] };
}

function kernelMetric({ routeMetric }: FilledOptions): number {
  return routeMetric === KERNEL_METRIC ? KERNEL_METRIC - 1 : KERNEL_METRIC;
}

const PROTOCOLS = { ibgp, ospf, babel };

function head(options: FilledOptions, ipam: Recipe["ipam"]): string {
  const names = options.networks.map(({ name }) => name).join(", ");
  return `# BIRD 2: spreads the addresses that are claimed on this node, and installs those of the others.
# Networks: ${names}. Goes to /etc/bird/bird.conf.
#
# So that a restart of BIRD is not seen as the end of this node's containers (iBGP only):
#   /etc/bird/envvars:                                BIRD_ARGS="-R"
#   /etc/systemd/system/bird.service.d/claims.conf:   [Service]
#                                                     ExecStop=/usr/sbin/birdc graceful restart
#
# The configuration of vxlan-cni must say:
#   "ipam": { "routeProtocol": ${ipam.routeProtocol}, "routeMetric": ${ipam.routeMetric}, "propagationTimeout": ${ipam.propagationTimeout} }
${options.placeholders.map((line) => `# ${line}\n`).join("")}
log syslog all;
router id ${routerId(options.self)};

# After a restart with -R the routes of the other nodes stay in the kernel until the peers have told theirs again, at most so
# many seconds; then those that nobody announced are removed.
graceful restart wait 5;

protocol device { scan time 10; }
`;
}

function prefixes(options: FilledOptions, family: 4 | 6): readonly string[] {
  return family === 4 ? options.v4 : options.v6;
}

function tables(options: FilledOptions, family: 4 | 6, routeProtocol: number): string {
  const bits = family === 4 ? 32 : 128;
  const list = prefixes(options, family).map((cidr) => `${cidr}{${bits},${bits}}`).join(", ");
  return `
# ---- IPv${family} ----
# Host routes of the networks: the only ones that are learned, announced and installed.
define HOSTS${family} = [ ${list} ];

# A local claim is a kernel route with our protocol number. Everything else is for the others to install.
ipv${family} table claims${family};

protocol kernel kernel${family} {
  learn;               # See the claims: routes that BIRD did not make.
  persist;             # Leave the other nodes' claims in the kernel when BIRD stops: they are still taken.
  graceful restart;    # With -R: do not remove them before the peers had the time to announce them again.
  metric ${
    kernelMetric(options)
  };         # Not the metric of our claims (${options.routeMetric}), or a competitor could not be installed next to ours.
  scan time 20;        # Changes arrive as events; the scan only repairs.
  ipv${family} {
    import filter {
      if net ~ HOSTS${family} then { if krt_source = ${routeProtocol} then accept; reject; }
      accept;          # The node's other routes resolve the next hops of the peers; they go nowhere else.
    };
    export where net ~ HOSTS${family};
  };
}

# The connected routes of the underlay, to resolve next hops; not those of the networks.
protocol direct direct${family} { ipv${family}; interface "-mv_*", "-vx_*", "*"; }

# Both sides see a conflict: here (master) a remote claim wins and is installed, there (claims) the local one wins and is announced.
protocol pipe pipe${family} {
  table master${family};
  peer table claims${family};
  export filter { if proto = "kernel${family}" && net ~ HOSTS${family} then { preference = 500; accept; } reject; };
  import filter { if net ~ HOSTS${family} then { preference = 400; accept; } reject; };
}
`;
}

function ibgp(options: FilledOptions, families: readonly (4 | 6)[]): string {
  const { self, peers, asn } = options;
  const channels = families.map((family) => {
    const hop = nextHop(options, family);
    return `  ipv${family} {
    table claims${family};
    igp table master${family};
    import where net ~ HOSTS${family};
    export where proto = "kernel${family}";
${hop}  };
`;
  });
  return `
# ---- iBGP, every node with every other: no reflector, which would hide one of two claims ----
template bgp node {
  local ${self.address} as ${asn};
  hold time 15;
  keepalive time 5;
  connect delay time 1;
  connect retry time 2;
  error wait time 1, 2;
  # While a node cannot be reached, its claims count as taken for an hour: its containers may still run.
  graceful restart on;
  graceful restart time 60;
  long lived graceful restart on;
  long lived stale time 3600;
${channels.join("")}}
${
    peers.map(({ name, address }) => `protocol bgp ${symbol(name)} from node { neighbor ${address} as ${asn}; }\n`)
      .join("")
  }`;
}

function nextHop({ self }: FilledOptions, family: 4 | 6): string {
  const session6 = self.address.includes(":");
  if (family === 4) {
    return session6 ? "    extended next hop;   # v4 claims over a v6 underlay (RFC 8950)\n" : "    next hop self;\n";
  }
  return session6
    ? "    next hop self;\n"
    : `    next hop address ${self.address6 ?? "2001:db8::1"};   # This node's v6 underlay address\n`;
}

function symbol(name: string): string {
  return `'${name.replaceAll("'", "")}'`;
}

function ospf(options: FilledOptions, families: readonly (4 | 6)[]): string {
  return families.map((family) => `
# ---- OSPFv${family === 4 ? 2 : 3} ----
protocol ospf v${family === 4 ? 2 : 3} ospf${family} {
  ecmp no;             # Two nodes that claim one address are a conflict, not a load balancer.
  tick 1;
  ipv${family} {
    table claims${family};
    import where net ~ HOSTS${family};
    export filter { if proto = "kernel${family}" then { ospf_metric2 = 100; accept; } reject; };
  };
  area 0 {
    interface "${options.interface}" { hello 1; dead 8; wait 2; retransmit 2; };
  };
}
`).join("");
}

function babel(options: FilledOptions, families: readonly (4 | 6)[]): string {
  const channels = families.map((family) =>
    `  ipv${family} { table claims${family}; import where net ~ HOSTS${family}; export where proto = "kernel${family}"; };\n`
  );
  return `
# ---- Babel ----
protocol babel babel1 {
  randomize router id no;
${channels.join("")}  interface "${options.interface}" { type wired; hello interval 1 s; update interval 4 s; };
}
`;
}
