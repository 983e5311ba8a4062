import assert from "node:assert/strict";
import { birdRecipe } from "../src/recipes/bird.ts";
import { frrRecipe } from "../src/recipes/frr.ts";
import type { Recipe, RoutingOptions } from "../src/recipes/options.ts";

const OPTIONS: RoutingOptions = {
  networks: [{ name: "red", cidrs: ["10.97.1.0/24", "fd00:97:1::/64"] }, { name: "blue", cidrs: ["10.97.2.0/24"] }],
  routeProtocol: 192,
  routeMetric: 0,
  self: { name: "node1", address: "192.0.2.1", address6: "2001:db8::1" },
  peers: [{ name: "node-2", address: "192.0.2.2" }, { name: "node.3", address: "192.0.2.3" }],
};

const RECIPES: [string, (options: RoutingOptions) => Recipe][] = [["bird", birdRecipe], ["frr", frrRecipe]];

for (const [name, recipe] of RECIPES) {
  Deno.test(`${name} recipe names every network, prefix and peer`, () => {
    const { text } = recipe(OPTIONS);
    for (const word of ["red, blue", "10.97.1.0/24", "10.97.2.0/24", "fd00:97:1::/64", "192.0.2.2", "192.0.2.3"]) {
      assert.ok(text.includes(word), word);
    }
    assert.ok(!text.includes("CHANGE:"), "nothing is left to fill in");
  });

  Deno.test(`${name} recipe prints the very settings that it returns`, () => {
    const { text, ipam } = recipe(OPTIONS);
    assert.ok(text.includes(
      `"ipam": { "routeProtocol": ${ipam.routeProtocol}, "routeMetric": ${ipam.routeMetric}, "propagationTimeout": ${ipam.propagationTimeout} }`,
    ));
  });

  Deno.test(`${name} recipe marks what the operator must fill in`, () => {
    const { networks, routeProtocol, routeMetric } = OPTIONS;
    const { text } = recipe({ networks, routeProtocol, routeMetric, protocol: "ospf" });
    assert.equal(text.match(/CHANGE:/g)?.length, 3);
  });

  Deno.test(`${name} recipe says nothing of a family that no network has`, () => {
    const { text } = recipe({ ...OPTIONS, networks: [{ name: "red", cidrs: ["10.97.1.0/24"] }] });
    assert.ok(text.includes("HOSTS4") && !text.includes("HOSTS6"));
  });

  Deno.test(`${name} recipe leaves no gap in its text`, () => {
    for (const protocol of ["ibgp", "ospf"] as const) {
      assert.ok(!/undefined|NaN|\[object/.test(recipe({ ...OPTIONS, protocol }).text));
    }
  });

  Deno.test(`${name} recipe is refused where no network has a prefix`, () => {
    assert.throws(() => recipe({ ...OPTIONS, networks: [] }), /no network has a prefix/);
  });
}

Deno.test("bird recipe keeps the configured protocol number and filters for it", () => {
  const { text, ipam } = birdRecipe({ ...OPTIONS, routeProtocol: 84 });
  assert.equal(ipam.routeProtocol, 84);
  assert.match(text, /krt_source = 84/);
});

Deno.test("bird recipe installs at a metric other than the claims', in both families", () => {
  for (const routeMetric of [0, 16, 1024, 4095, 4096, 4_026_531_840]) {
    const { text, ipam } = birdRecipe({ ...OPTIONS, routeMetric });
    const metrics = [...text.matchAll(/^ {2}metric (\d+);/gm)].map(([, metric]) => Number(metric));
    assert.equal(metrics.length, 2);
    assert.ok(metrics.every((metric) => metric !== ipam.routeMetric && metric !== 1024), `${metrics}`);
    assert.equal(ipam.routeMetric, routeMetric);
  }
});

Deno.test("bird recipe over a v6 underlay carries v4 claims with v6 next hops", () => {
  const { text } = birdRecipe({
    ...OPTIONS,
    self: { name: "node1", address: "2001:db8::1" },
    peers: [{ name: "node2", address: "2001:db8::2" }],
  });
  assert.match(text, /extended next hop/);
  assert.match(text, /^router id \d+\.\d+\.\d+\.\d+;$/m);
});

Deno.test("frr recipe replaces a protocol number that zebra takes for its own", () => {
  for (const taken of [11, 42, 186, 192, 198]) {
    assert.equal(frrRecipe({ ...OPTIONS, routeProtocol: taken }).ipam.routeProtocol, 200);
  }
  assert.equal(frrRecipe({ ...OPTIONS, routeProtocol: 84 }).ipam.routeProtocol, 84);
});

Deno.test("frr recipe prints the commands that each node has to run at boot", () => {
  const { text, commands } = frrRecipe(OPTIONS);
  assert.ok(commands.includes("ip rule add pref 32764 lookup 1000"));
  assert.ok(commands.includes("ip -6 rule add pref 32764 lookup 1000"));
  for (const command of commands) assert.ok(text.includes(command));
  assert.deepEqual(frrRecipe({ ...OPTIONS, protocol: "ospf" }).commands, []);
});

Deno.test("frr recipe for Babel is refused and says what to use", () => {
  assert.throws(() => frrRecipe({ ...OPTIONS, protocol: "babel" }), /use BIRD/);
});
