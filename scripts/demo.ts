/** `deno task demo`: a cluster of three nodes in network namespaces, from nothing to nothing, in less than a minute. */
import { Cluster } from "../tests/lab/cluster.ts";
import { binDir } from "../tests/lib/call.ts";
import { ensurePackages } from "../tests/lib/packages.ts";
import { ensureBuilt } from "./built.ts";
import { Demo, NETWORKS } from "./demo_cluster.ts";
import { bold, dim, green, heading, red, seconds, step } from "./steps.ts";

const PACKAGES = ["iproute2", "iputils-ping", "procps", "bird2"];
const TCP_BYTES = 64 << 20;

const interrupted = new AbortController();

/** As step(), but not begun when somebody has asked to stop. */
async function next(title: string, work: () => Promise<string | void>): Promise<void> {
  interrupted.signal.throwIfAborted();
  await step(title, work);
}

async function run(): Promise<void> {
  if (Deno.uid() !== 0) throw new Error("Cannot make network namespaces: this needs root; call it with sudo");
  await using stack = new AsyncDisposableStack();

  heading("Set up");
  await next("packages", async () => {
    await ensurePackages(PACKAGES);
    return PACKAGES.join(", ");
  });
  await next("executable", ensureBuilt);
  await next("install", async () => {
    await binDir();
    return "vxlan, routetable-ipam, route-table";
  });
  let demo: Demo | undefined;
  await next("three nodes on one underlay", async () => {
    demo = new Demo(stack.use(await Cluster.make({ routing: "bird-ibgp", networks: NETWORKS })));
    await demo.remember();
    return "BIRD on each, iBGP between all";
  });
  if (demo === undefined) return;
  await show(demo);
  heading("Clean up");
  await next("nodes, underlay, routing daemons", () => stack.disposeAsync());
}

/** From the first ADD to the last DEL. */
async function show(demo: Demo): Promise<void> {
  heading("ADD");
  for (const container of demo.containers) {
    await next(`${container.network}: ${container.name} on ${container.node.name}`, () => demo.add(container));
  }
  await next("claims have spread to every node", () => demo.spread());
  console.log(`\n${demo.picture()}`);

  heading("Same network, two nodes");
  await next("red, app to web", () => demo.ping("app", "web", 4));
  await next("blue, cache to db", () => demo.ping("cache", "db", 4));
  await next("blue, cache to db, IPv6", () => demo.ping("cache", "db", 6));
  await next("blue, TCP from cache to db", () => demo.tcp("cache", "db", 4, TCP_BYTES));
  await next("blue, TCP from cache to db, IPv6", () => demo.tcp("cache", "db", 6, TCP_BYTES));

  heading("From network to network: node1 has both and routes");
  await next("red web to blue db, node1", () => demo.ping("web", "db", 4));
  await next("red web to blue cache, node3", () => demo.ping("web", "cache", 4));
  await next("TCP from red web to blue cache", () => demo.tcp("web", "cache", 4, TCP_BYTES));

  heading("CHECK");
  await next("every container is as ADD left it", () => demo.check());

  heading("DEL");
  for (const container of demo.containers) await next(container.name, () => demo.del(container));
  for (const node of demo.cluster.nodes) await next(`${node.name} is as it was before`, () => demo.unchanged(node));
}

/** Runs the demo; returns the exit code. Whatever happens, nothing of it stays. */
async function main(): Promise<number> {
  const start = performance.now();
  for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const) {
    Deno.addSignalListener(signal, () => interrupted.abort(code));
  }
  console.log(
    `${bold("vxlan-cni")}: ${dim("containers on three nodes, two networks, no database but the routing table")}`,
  );
  try {
    await run();
  } catch (error) {
    const code: unknown = interrupted.signal.reason;
    if (typeof code === "number") {
      console.log(`\n${red("Interrupted")}; everything was removed.`);
      return code;
    }
    console.log(`\n${red("Failed")}: ${error instanceof Error ? error.message : error}`);
    return 1;
  }
  console.log(`\n${green("Done")} in ${seconds(performance.now() - start)}; nothing is left.`);
  return 0;
}

Deno.exit(await main());
