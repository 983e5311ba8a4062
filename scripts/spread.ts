/**
 * Measures how long a claim needs from the kernel of node 1 to the kernel of node 2, and its release:
 * `deno run -A scripts/spread.ts ROUTING [CLAIMS] [l2|routed]`.
 */
import { claim, device, release } from "../tests/lab/claims.ts";
import { Lab } from "../tests/lab/lab.ts";
import { ROUTING, type Routing } from "../tests/lab/routing.ts";
import { type RouteEvent, RouteWatch } from "../tests/lab/watch.ts";

/** Times in milliseconds, one for each claim. */
interface Spread {
  claimed: number[];
  released: number[];
}

/** Claims and releases addresses one after another and takes the times between the events of both kernels. */
async function spread(routing: Routing, count: number, kind: "l2" | "routed", family: 4 | 6): Promise<Spread> {
  await using lab = await Lab.make({
    nodes: 3,
    underlay: kind,
    routing,
    networks: [{ name: "red", cidrs: ["10.97.1.0/24", "fd00:97:1::/64"] }],
  });
  await lab.converged();
  const [from, to] = [lab.node(0), lab.node(1)];
  await device(from, "red", 101);
  await using here = await RouteWatch.start(from.host, family);
  await using there = await RouteWatch.start(to.host, family);
  const times: Spread = { claimed: [], released: [] };
  for (let k = 1; k <= count; k++) {
    const address = family === 4 ? `10.97.1.${k}` : `fd00:97:1::${k}`;
    for (const deleted of [false, true]) {
      await (deleted ? release : claim)(from, address);
      const fits = (event: RouteEvent) => event.deleted === deleted && event.text.startsWith(`${address} `);
      const sent = await here.find(`${address} on node 1`, fits);
      const seen = await there.find(`${address} on node 2`, fits);
      times[deleted ? "released" : "claimed"].push((seen.at - sent.at) / 1000);
      // The next claim must not meet the daemon's clock always at the same place.
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 300));
    }
  }
  return times;
}

function summary(times: readonly number[]): string {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number) => (sorted[Math.ceil(share * sorted.length) - 1] ?? NaN).toFixed(1);
  return `${at(0.5)} / ${at(0.95)} / ${at(1)} ms`;
}

const [routing = "", count = "30", kind = "l2"] = Deno.args;
if (!(routing in ROUTING)) {
  throw new Error(`Cannot measure "${routing}"; choose from ${Object.keys(ROUTING).join(", ")}`);
}
for (const family of [4, 6] as const) {
  const underlay = kind === "routed" ? "routed" : "l2";
  const { claimed, released } = await spread(routing as Routing, Number(count), underlay, family);
  console.log(
    `${routing} ${kind} v${family}: claim ${summary(claimed)}, release ${summary(released)} (median / p95 / max)`,
  );
}
