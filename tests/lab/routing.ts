/** How the lab runs each routing daemon: the recipes of the command line, started in the foreground below `/run/routing`. */
import { birdRecipe } from "../../src/recipes/bird.ts";
import { frrRecipe } from "../../src/recipes/frr.ts";
import type { Recipe, RoutingOptions } from "../../src/recipes/options.ts";
import type { Host } from "../lib/host.ts";
import type { DaemonPlan } from "./daemon.ts";

export type Routing = "bird-ibgp" | "bird-ospf" | "bird-babel" | "frr-bgp" | "frr-ospf";

/** One way to spread the claims. */
export interface RoutingKind {
  package: "bird2" | "frr";
  /** Whether its neighbours find each other by multicast on one link. */
  needsLink: boolean;
  recipe(options: RoutingOptions): Recipe;
  plan: DaemonPlan;
  /** How many neighbours are established, in every family; `families` is what the recipe has prefixes of. */
  established(host: Host, families: readonly (4 | 6)[]): Promise<number>;
}

/** Where a node's configuration lies: the host's own `/run`, which dies with it. */
export const CONFIG = "/run/routing/daemon.conf";

const BIRD: DaemonPlan = {
  prepare: "true",
  commands: [`bird -f -R -c ${CONFIG} -s /run/routing/bird.ctl -P /run/routing/bird.pid`],
  ready:
    "until birdc -s /run/routing/bird.ctl show status >/dev/null 2>&1; do kill -0 $pids || exit 1; sleep 0.02; done",
  // Leaves without a word: the others keep this node's claims, as its containers go on.
  stop: "birdc -s /run/routing/bird.ctl graceful restart >/dev/null",
};

function frr(...daemons: ("bgpd" | "ospfd" | "ospf6d")[]): DaemonPlan {
  const common = "-A 127.0.0.1 -P 0 -z /run/frr/zserv.api --vty_socket /run/frr --log stdout --log-level errors";
  const start = (name: string, words = "") => `/usr/lib/frr/${name} -i /run/frr/${name}.pid ${common} ${words}`;
  return {
    // FRR keeps crash logs below /var/tmp and reads /etc/frr: this host gets its own of both.
    prepare:
      `rm -rf /run/frr && mkdir -p /run/frr /run/routing && chown frr:frr /run/frr /run/routing && chmod 755 /run/frr &&
      { mountpoint -q /var/tmp || mount -t tmpfs -o mode=1777 tmpfs /var/tmp; } &&
      { mountpoint -q /etc/frr || mount -t tmpfs -o mode=755 tmpfs /etc/frr; } &&
      touch /etc/frr/vtysh.conf && cp ${CONFIG} /etc/frr/frr.conf && chown -R frr:frr /etc/frr`,
    commands: [
      start("zebra", "-r -K 30"),
      ...daemons.map((name) => `{ until test -S /run/frr/zserv.api; do sleep 0.02; done; exec ${start(name)}; }`),
    ],
    ready: `for name in zebra ${daemons.join(" ")}; do
        until test -S /run/frr/$name.vty; do kill -0 $pids || exit 1; sleep 0.02; done
      done; vtysh --vty_socket /run/frr -b`,
    stop: ":",
  };
}

/** Every way to spread claims that the lab knows. */
export const ROUTING: Record<Routing, RoutingKind> = {
  "bird-ibgp": {
    package: "bird2",
    needsLink: false,
    recipe: (options) => birdRecipe({ ...options, protocol: "ibgp" }),
    plan: BIRD,
    established: async (host) =>
      (await birdc(host, "show protocols")).split("\n").filter((l) => / BGP .* Established/.test(l)).length,
  },
  "bird-ospf": {
    package: "bird2",
    needsLink: true,
    recipe: (options) => birdRecipe({ ...options, protocol: "ospf" }),
    plan: BIRD,
    established: (host, families) =>
      fewest(families, async (family) => {
        const routers = (await birdc(host, `show ospf state ospf${family}`)).split("\n\n")
          .filter((block) => /^\s*router /.test(block) && /^\s*distance /m.test(block));
        return routers.length - 1;
      }),
  },
  "bird-babel": {
    package: "bird2",
    needsLink: true,
    recipe: (options) => birdRecipe({ ...options, protocol: "babel" }),
    plan: BIRD,
    established: async (host) =>
      (await birdc(host, "show babel neighbors")).split("\n")
        .filter((line) => /^fe80/.test(line) && Number(line.trim().split(/\s+/)[2]) < 65535).length,
  },
  "frr-bgp": {
    package: "frr",
    needsLink: false,
    recipe: (options) => frrRecipe({ ...options, protocol: "ibgp" }),
    plan: frr("bgpd"),
    established: (host, families) =>
      fewest(families, async (family) => {
        const text = await vtysh(host, `show bgp ipv${family} unicast summary json`);
        const { peers = {} } = JSON.parse(text) as { peers?: Record<string, { state: string }> };
        return Object.values(peers).filter(({ state }) => state === "Established").length;
      }),
  },
  "frr-ospf": {
    package: "frr",
    needsLink: true,
    recipe: (options) => frrRecipe({ ...options, protocol: "ospf" }),
    plan: frr("ospfd", "ospf6d"),
    established: (host, families) =>
      fewest(families, async (family) => {
        const text = await vtysh(host, family === 4 ? "show ip ospf neighbor" : "show ipv6 ospf6 neighbor");
        return text.split("\n").filter((line) => /\bFull\//.test(line)).length;
      }),
  },
};

/** Asks a node's BIRD. */
async function birdc(host: Host, command: string): Promise<string> {
  return (await host.run(["birdc", "-s", "/run/routing/bird.ctl", ...command.split(" ")])).stdout;
}

/** Asks a node's FRR. */
async function vtysh(host: Host, command: string): Promise<string> {
  return (await host.run(["vtysh", "--vty_socket", "/run/frr", "-c", command])).stdout;
}

async function fewest(families: readonly (4 | 6)[], count: (family: 4 | 6) => Promise<number>): Promise<number> {
  return Math.min(...await Promise.all(families.map(count)));
}
