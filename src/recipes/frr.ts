/**
 * FRR's configuration for the claims.
 *
 * zebra hands only the best route of a prefix on, and a kernel route always beats BGP's: in one table a competitor can never
 * stand next to our claim. So BGP's routes go to a table of their own, which a rule asks before the main table; `bgpd` prefers
 * remote paths, so that they are installed, and announces all paths, so that its own is announced as well.
 */
import { fill, type FilledOptions, type Recipe, routerId, type RoutingOptions } from "./options.ts";

/** Protocol numbers that zebra takes for its own daemons' and neither announces nor keeps: 11, 42 and 186 to 198. */
const ZEBRAS = [11, 42, ...Array.from({ length: 13 }, (_, index) => 186 + index)];
/** Given by no one we know of; /etc/iproute2/rt_protos. */
const FREE_PROTOCOL = 200;
/** The kernel table of the other nodes' claims. */
const TABLE = 1000;
/** The rules' places: before the main table (32766) and the networks' own rules (32765). */
const RULE = 32764;
/** Milliseconds; measured maxima in docs/routing.md. */
const PROPAGATION = { ibgp: 250, ospf: 250 } as const;

/** A complete FRR configuration (`frr.conf`) that spreads the claims of the networks. */
export function frrRecipe(options: RoutingOptions): Recipe {
  const filled = fill(options);
  const { protocol } = filled;
  if (protocol === "babel") {
    throw new Error("Cannot print a Babel recipe for FRR: its babeld is not proven here; use BIRD, or iBGP");
  }
  const families = ([4, 6] as const).filter((family) => prefixes(filled, family).length > 0);
  const ipam = {
    routeProtocol: ZEBRAS.includes(filled.routeProtocol) ? FREE_PROTOCOL : filled.routeProtocol,
    routeMetric: filled.routeMetric,
    propagationTimeout: PROPAGATION[protocol],
  };
  const commands = protocol === "ibgp" ? families.flatMap((family) => rules(filled, family)) : [];
  const body = protocol === "ibgp" ? ibgp(filled, families) : ospf(filled, families);
  return {
    text: [head(filled, ipam, commands), ...families.map((f) => hosts(filled, f)), body].join("\n"),
    ipam,
    commands,
  };
}

function head(options: FilledOptions, ipam: Recipe["ipam"], commands: readonly string[]): string {
  const { protocol, networks, placeholders } = options;
  const daemons = protocol === "ibgp" ? "bgpd=yes" : "ospfd=yes and ospf6d=yes";
  const boot = commands.length === 0 ? "" : `!
! At boot, before the first container, each node must run (for example from a systemd unit before frr.service):
${commands.map((command) => `!   ${command}\n`).join("")}`;
  return `! FRR: spreads the addresses that are claimed on this node, and installs those of the others.
! Networks: ${
    networks.map(({ name }) => name).join(", ")
  }. Goes to /etc/frr/frr.conf; in /etc/frr/daemons: ${daemons}, and "-r -K 30" added to
! zebra_options: the other nodes' claims stay in the kernel while FRR restarts, and stale ones go 30 seconds later.
!
! The configuration of vxlan-cni must say:
!   "ipam": { "routeProtocol": ${ipam.routeProtocol}, "routeMetric": ${ipam.routeMetric}, "propagationTimeout": ${ipam.propagationTimeout} }
! zebra takes the protocol numbers 11, 42 and 186-198 (192 is EIGRP's) for its own daemons' and never announces them.
${boot}${placeholders.map((line) => `! ${line}\n`).join("")}!
frr defaults datacenter
log syslog warnings
! Hand routes on at once, not after 10 ms each.
zebra work-queue 0
! Nodes behind a router reach each other by the default route.
ip nht resolve-via-default
ipv6 nht resolve-via-default
`;
}

function prefixes(options: FilledOptions, family: 4 | 6): readonly string[] {
  return family === 4 ? options.v4 : options.v6;
}

function word(family: 4 | 6): string {
  return family === 4 ? "ip" : "ipv6";
}

/** Commands that make a node ask the table of the other nodes' claims; traffic inside a network stays with its own rule. */
function rules(options: FilledOptions, family: 4 | 6): string[] {
  const ip = family === 4 ? "ip" : "ip -6";
  return [
    ...prefixes(options, family).map((cidr) =>
      `${ip} rule add pref ${RULE - 1} from ${cidr} to ${cidr} goto ${RULE + 1}`
    ),
    `${ip} rule add pref ${RULE} lookup ${TABLE}`,
  ];
}

function hosts(options: FilledOptions, family: 4 | 6): string {
  const bits = family === 4 ? 32 : 128;
  const list = prefixes(options, family).map((cidr, index) =>
    `${word(family)} prefix-list HOSTS${family} seq ${5 * (index + 1)} permit ${cidr} ge ${bits}\n`
  );
  return `! ---- Host routes of the networks: the only ones that are announced and installed (IPv${family}) ----
${list.join("")}!
route-map OWN${family} permit 10
 match ${word(family)} address prefix-list HOSTS${family}
exit
`;
}

function ibgp(options: FilledOptions, families: readonly (4 | 6)[]): string {
  const { self, peers, asn } = options;
  return `${families.map((family) => remote(options, family)).join("")}!
! ---- iBGP, every node with every other: no reflector, which would hide one of two claims ----
router bgp ${asn}
 bgp router-id ${routerId(self)}
 no bgp default ipv4-unicast
 ! While a node cannot be reached, its claims count as taken for an hour: its containers may still run.
 bgp graceful-restart
 bgp graceful-restart restart-time 60
 bgp graceful-restart stalepath-time 60
 bgp graceful-restart preserve-fw-state
 bgp long-lived-graceful-restart stale-time 3600
 ! Send at once, do not gather for a second.
 coalesce-time 0
 neighbor CLUSTER peer-group
 neighbor CLUSTER remote-as ${asn}
 neighbor CLUSTER update-source ${self.address}
 neighbor CLUSTER timers 5 15
 neighbor CLUSTER timers connect 1
 neighbor CLUSTER advertisement-interval 0
${families.includes(4) && self.address.includes(":") ? " neighbor CLUSTER capability extended-nexthop\n" : ""}${
    peers.map(({ name, address }) =>
      ` neighbor ${address} peer-group CLUSTER\n neighbor ${address} description ${name}\n`
    ).join("")
  }${families.map(addressFamily).join("")}exit
`;
}

function remote({ self }: FilledOptions, family: 4 | 6): string {
  const hop = self.address6 ?? (self.address.includes(":") ? self.address : "2001:db8::1");
  return `!
! What others claim: preferred to our own path, so that it is installed, into table ${TABLE}, whatever we claim ourselves.
route-map REMOTE${family} permit 10
 match ${word(family)} address prefix-list HOSTS${family}
 set weight 65535
 set table ${TABLE}
${family === 6 ? " set ipv6 next-hop prefer-global\n" : ""}exit
!
route-map SEND${family} permit 10
 match ${word(family)} address prefix-list HOSTS${family}
${family === 6 ? ` set ipv6 next-hop global ${hop}\n` : ""}exit
`;
}

function addressFamily(family: 4 | 6): string {
  return ` !
 address-family ipv${family} unicast
  redistribute kernel route-map OWN${family}
  maximum-paths ibgp 1
  neighbor CLUSTER activate
  neighbor CLUSTER next-hop-self
  ! Our own path as well where another node's is preferred: both sides of a conflict stay announced.
  neighbor CLUSTER addpath-tx-all-paths
  neighbor CLUSTER route-map REMOTE${family} in
  neighbor CLUSTER route-map SEND${family} out
 exit-address-family
`;
}

function ospf(options: FilledOptions, families: readonly (4 | 6)[]): string {
  const id = routerId(options.self);
  return `!
! ---- OSPF. It has no table of its own: a node that claims an address does not see another node's claim to it in its kernel.
! Leave "probe" of vxlan-cni on: it asks the network itself. ----
interface ${options.interface}
${
    families.map((family) =>
      ` ${word(family)} ${family === 4 ? "ospf" : "ospf6"} area 0\n ${word(family)} ${
        family === 4 ? "ospf" : "ospf6"
      } hello-interval 1
 ${word(family)} ${family === 4 ? "ospf" : "ospf6"} dead-interval 8
`
    ).join("")
  }exit
!
${
    families.map((family) =>
      family === 4
        ? `router ospf
 ospf router-id ${id}
 redistribute kernel route-map OWN4
 timers throttle spf 0 50 500
 timers throttle lsa all 0
 timers lsa min-arrival 0
 maximum-paths 1
exit
!
`
        : `router ospf6
 ospf6 router-id ${id}
 redistribute kernel route-map OWN6
 timers throttle spf 0 50 500
 timers lsa min-arrival 0
 maximum-paths 1
exit
!
`
    ).join("")
  }`;
}
