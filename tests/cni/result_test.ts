/** The result in all versions: `fixtures/result/<version>.json`, by the text of each version of the specification. */
import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { decodeResult, encodeResult, type Result } from "../../src/cni/result.ts";
import { atLeast, isVersion, VERSIONS } from "../../src/cni/versions.ts";

function fixture(version: string): Record<string, unknown> {
  return JSON.parse(Deno.readTextFileSync(new URL(`../../fixtures/result/${version}.json`, import.meta.url)));
}

const dns = { nameservers: ["10.97.0.53"], domain: "example.org", search: ["example.org"], options: ["ndots:2"] };

const full: Result = {
  interfaces: [
    { name: "vx_red", mac: "02:00:5e:10:00:01", mtu: 1450 },
    { name: "mv_red", mac: "02:00:5e:10:00:02", mtu: 1450 },
    { name: "eth0", mac: "02:00:5e:10:00:03", mtu: 1450, sandbox: "/run/netns/c1" },
  ],
  ips: [
    { address: "10.97.1.202/24", gateway: "10.97.1.105", interface: 2 },
    { address: "fd00:97:1::202/64", gateway: "fd00:97:1::105", interface: 2 },
  ],
  routes: [
    { dst: "0.0.0.0/0", gw: "10.97.1.105" },
    { dst: "::/0", gw: "fd00:97:1::105" },
    { dst: "10.98.0.0/16", mtu: 1400, priority: 10 },
  ],
  dns,
};

for (const version of VERSIONS) {
  Deno.test(`encodeResult() in ${version} has exactly the shape of its specification`, () => {
    deepEqual(JSON.parse(JSON.stringify(encodeResult(full, version))), fixture(version));
  });

  Deno.test(`decodeResult() reads what a plugin of ${version} wrote`, () => {
    const { ips, routes, dns: names, interfaces } = decodeResult(fixture(version), "prevResult");
    const modern = atLeast(version, "0.3.0");
    deepEqual(ips, modern ? full.ips : full.ips.map(({ interface: _, ...ip }) => ip));
    deepEqual(routes.map(({ dst }) => dst).sort(), ["0.0.0.0/0", "10.98.0.0/16", "::/0"]);
    deepEqual(names, dns);
    deepEqual(interfaces?.map(({ name }) => name), modern ? ["vx_red", "mv_red", "eth0"] : undefined);
  });
}

Deno.test("encodeResult() before 0.3.0 has one address of each family, the first, and no empty lists", () => {
  const ips = ["10.97.1.1/24", "10.97.1.2/24"].map((address) => ({ address }));
  deepEqual(encodeResult({ ips, routes: [], dns: {} }, "0.2.0"), {
    cniVersion: "0.2.0",
    ip4: { ip: "10.97.1.1/24" },
    dns: {},
  });
});

Deno.test("the result of an IPAM plugin has no interfaces, not an empty list of them", () => {
  ok(!("interfaces" in encodeResult({ ips: [{ address: "10.97.1.1/24" }], routes: [], dns: {} }, "1.1.0")));
});

Deno.test("decodeResult() keeps what it does not know of interfaces and routes", () => {
  const given = {
    interfaces: [{ name: "eth0", socketPath: "/run/vhost" }],
    ips: [],
    routes: [{ dst: "0.0.0.0/0", table: 100 }],
    dns: {},
  };
  deepEqual(decodeResult(given, "prevResult"), given);
});

Deno.test("decodeResult() takes null and missing lists for empty ones", () => {
  for (const given of [{}, { ips: null, routes: null, dns: null }, { ip4: null, ip6: null }]) {
    deepEqual(decodeResult(given, "prevResult"), { ips: [], routes: [], dns: {} });
  }
});

Deno.test("decodeResult() refuses what is not a result, and names what it read", () => {
  const wrong: unknown[] = [null, 5, [], { ips: 5 }, { ips: [5] }, { ips: [{}] }, { routes: [{}] }, {
    dns: "10.0.0.1",
  }];
  for (const given of [...wrong, { interfaces: [{}] }, { ip4: 5 }, { ip4: {} }]) {
    throws(() => decodeResult(given, "prevResult"), { name: "CniError", code: 6, message: /^Cannot read prevResult/ });
  }
});

Deno.test("atLeast() and isVersion() know the order and the list", () => {
  ok(atLeast("1.0.0", "0.4.0") && atLeast("0.3.1", "0.3.1") && !atLeast("0.3.0", "0.3.1"));
  for (const text of ["1.2.0", "0.4", "", 1, undefined, "toString"]) equal(isVersion(text), false);
});
