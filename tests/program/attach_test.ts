import assert from "node:assert/strict";
import { must } from "../lib/run.ts";
import { addresses, IPAM, netConf, Node, OPTIONS, red } from "./node.ts";

interface Link {
  ifname: string;
  address: string;
  mtu: number;
  link?: string;
  operstate: string;
  flags: string[];
  linkinfo?: { info_kind: string; info_data: Record<string, unknown> };
}

interface Addressed {
  ifname: string;
  addr_info: Record<string, unknown>[];
}

interface Route {
  dst: string;
  gateway?: string;
  dev: string;
  protocol: string;
  scope: string;
  metric?: number;
}

const DUAL = netConf({ vxlans: [red({ cidrs: ["fd00:97::/64"] })] });

function route({ dst, gateway, dev, protocol, scope, metric }: Route): string {
  const via = gateway === undefined ? "" : `via ${gateway} `;
  return `${dst} ${via}dev ${dev} proto ${protocol} scope ${scope} metric ${metric ?? 0}`;
}

Deno.test("ADD makes both sides of a dual-stack network, and DEL removes both", async (t) => {
  await using node = await Node.make();
  const id = await node.container();
  const added = await node.run("ADD", id, { config: DUAL });
  const [ip4 = "", ip6 = ""] = addresses(added);
  const [gateway4 = "", gateway6 = ""] = (added.ips ?? []).map(({ gateway }) => gateway ?? "");
  assert.equal(new Set([ip4, ip6, gateway4, gateway6]).size, 4);

  await t.step("the host's devices", async () => {
    const [vx] = await node.host.ip<Link>("link show vx_red");
    assert.deepEqual(
      [vx?.mtu, vx?.linkinfo?.info_kind, vx?.linkinfo?.info_data.id, vx?.linkinfo?.info_data.group],
      [1450, "vxlan", 101, "239.1.1.101"],
    );
    assert.deepEqual([vx?.linkinfo?.info_data.link, vx?.linkinfo?.info_data.port, vx?.linkinfo?.info_data.ageing], [
      "ul0",
      4789,
      300,
    ]);
    const [mv] = await node.host.ip<Link>("link show mv_red");
    assert.deepEqual(
      [mv?.mtu, mv?.link, mv?.linkinfo?.info_kind, mv?.linkinfo?.info_data.mode],
      [1450, "vx_red", "macvlan", "bridge"],
    );
    for (const link of [vx, mv]) {
      assert.ok(link?.flags.includes("UP"), link?.ifname);
      assert.equal(await node.host.must(["sysctl", "-n", `net.ipv6.conf.${link?.ifname}.accept_ra`]), "0\n");
    }
  });

  await t.step("the host's addresses, routes and rules", async () => {
    const [mv] = await node.host.ip<Addressed>("addr show mv_red");
    const globals = (mv?.addr_info ?? []).filter(({ scope }) => scope === "global");
    assert.deepEqual(globals.map(({ local, prefixlen }) => `${local}/${prefixlen}`), [
      `${gateway4}/24`,
      `${gateway6}/64`,
    ]);
    assert.ok(globals.every(({ tentative }) => tentative !== true));
    const main4 = (await node.host.ip<Route>("-4 route show dev mv_red")).map((one) =>
      route({ ...one, dev: "mv_red" })
    );
    assert.deepEqual(
      new Set(main4),
      new Set([
        "10.97.1.0/24 dev mv_red proto kernel scope link metric 0",
        `${ip4} dev mv_red proto eigrp scope global metric 0`,
        `${gateway4} dev mv_red proto eigrp scope global metric 0`,
      ]),
    );
    const claims6 = (await node.host.ip<Route>("-6 route show dev mv_red proto 192")).map(({ dst }) => dst);
    assert.deepEqual(claims6.sort(), [ip6, gateway6].sort());
    for (const [family, prefix] of [["-4", "10.97.1.0/24"], ["-6", "fd00:97::/64"]]) {
      const bypass = await node.host.ip<Route>(`${family} route show table 192`);
      assert.deepEqual(bypass.map(({ dst, dev }) => [dst, dev]), [[prefix, "mv_red"]]);
      const rules = await node.host.must(["ip", family ?? "", "rule", "show", "priority", "32765"]);
      assert.equal(rules.trim(), `32765:\tfrom ${prefix} to ${prefix} lookup 192`);
    }
  });

  await t.step("the container's side", async () => {
    const [eth] = await node.host.ip<Link>("link show eth0", id);
    assert.deepEqual([eth?.mtu, eth?.linkinfo?.info_kind, eth?.linkinfo?.info_data.mode, eth?.operstate], [
      1450,
      "macvlan",
      "bridge",
      "UP",
    ]);
    const addr = await node.host.ip<Addressed>("addr show", id);
    const globals = addr.flatMap(({ ifname, addr_info }) =>
      addr_info.filter(({ scope }) => scope === "global").map((one) => [ifname, `${one.local}/${one.prefixlen}`])
    );
    assert.deepEqual(globals, [["eth0", `${ip4}/24`], ["eth0", `${ip6}/64`]]);
    assert.ok(
      addr.flatMap(({ addr_info }) => addr_info).every((one) => one.tentative !== true || one.scope === "link"),
    );
    const routes4 = (await node.host.ip<Route>("-4 route", id)).map(({ dst, gateway, dev }) => [dst, gateway, dev]);
    assert.deepEqual(routes4, [["default", gateway4, "eth0"], ["10.97.1.0/24", undefined, "eth0"]]);
    const routes6 = (await node.host.ip<Route>("-6 route show default", id)).map(({ gateway, dev }) => [gateway, dev]);
    assert.deepEqual(routes6, [[gateway6, "eth0"]]);
    const [lo] = await node.host.ip<Link>("link show lo", id);
    assert.ok(!lo?.flags.includes("UP"), "loopback was touched");
  });

  await t.step("container and node reach each other", async () => {
    for (const to of [gateway4, gateway6]) {
      await must(node.host.inside(id, ["ping", "-qc1", "-W3", to]));
    }
    for (const to of [ip4, ip6]) await node.host.must(["ping", "-qc1", "-W3", to]);
  });

  await node.run("DEL", id, { config: { ...DUAL, prevResult: added } });
  assert.deepEqual(await node.changes(), []);
  assert.deepEqual((await node.host.ip<Link>("link", id)).map(({ ifname }) => ifname), ["lo"]);
});

Deno.test("the MTU is the configured one, else the underlay's minus the overhead of its family", async () => {
  const cases: [mtu: number, changes: Record<string, unknown>, wanted: number][] = [
    [1500, {}, 1450],
    [9000, {}, 8950],
    [1500, { options: { ...OPTIONS, group: "ff05::101" } }, 1430],
    [1500, { options: { vtepdev: "ul0", srcaddr: "fd00:ff::1" } }, 1430],
    [1500, { mtu: 1300 }, 1300],
  ];
  for (const [mtu, changes, wanted] of cases) {
    await using node = await Node.make(mtu);
    const id = await node.container();
    const added = await node.run("ADD", id, { config: netConf({ vxlans: [red(changes)] }) });
    assert.deepEqual(added.interfaces?.map((one) => one.mtu), [wanted, wanted, wanted], JSON.stringify(changes));
    const found = [
      ...await node.host.ip<Link>("link show vx_red"),
      ...await node.host.ip<Link>("link show mv_red"),
      ...await node.host.ip<Link>("link show eth0", id),
    ];
    assert.deepEqual(found.map((link) => link.mtu), [wanted, wanted, wanted], JSON.stringify(changes));
  }
});

Deno.test("without vtepdev the underlay is the device of the route to the group, else of the default route", async () => {
  await using node = await Node.make();
  await node.host.must(["sh", "-c", "ip link add ul1 type veth peer name wire1 && ip link set ul1 up mtu 1400"]);
  await node.host.must(["ip", "route", "add", "239.1.1.103/32", "dev", "ul1"]);
  const { vtepdev: _, ...options } = OPTIONS;
  for (const [group, device, mtu] of [["239.1.1.101", "ul0", 1450], ["239.1.1.103", "ul1", 1350]]) {
    const id = await node.container();
    const config = netConf({ vxlans: [red({ options: { ...options, group } })] });
    const added = await node.run("ADD", id, { config });
    const [vx] = await node.host.ip<Link>("link show vx_red");
    assert.deepEqual([vx?.linkinfo?.info_data.link, vx?.mtu], [device, mtu]);
    await node.run("CHECK", id, { config: { ...config, prevResult: added } });
    await node.run("DEL", id, { config });
  }
});

Deno.test("the bypass can be turned off, and its table chosen", async () => {
  await using node = await Node.make();
  const off = await node.container();
  await node.run("ADD", off, { config: netConf({ vxlans: [red({ bypass: false })] }) });
  assert.deepEqual((await node.changes()).filter((line) => /^\+ rule|table 192/.test(line)), []);
  await node.run("DEL", off);
  const other = await node.container();
  await node.run("ADD", other, { config: netConf({ vxlans: [red({ bypassTable: 70000 })] }) });
  assert.deepEqual((await node.changes()).filter((line) => /^\+ rule|table (192|70000)/.test(line)), [
    "+ route 10.97.1.0/24 dev mv_red table 70000 scope link",
    "+ rule 32765:\tfrom 10.97.1.0/24 to 10.97.1.0/24 lookup 70000",
  ]);
  await node.run("DEL", other, { config: netConf({ vxlans: [red({ bypassTable: 70000 })] }) });
  assert.deepEqual(await node.changes(), []);
});

Deno.test("claims carry the configured protocol and metric", async () => {
  await using node = await Node.make();
  const id = await node.container();
  const config = netConf({ ipam: { ...IPAM, routeProtocol: 99, routeMetric: 77 } });
  const added = await node.run("ADD", id, { config });
  const routes = await node.host.ip<Route>("-4 route show proto 99");
  assert.deepEqual(
    routes.map(({ dst, metric }) => [dst, metric]).sort(),
    [[addresses(added)[0], 77], [added.ips?.[0]?.gateway, 77]].sort(),
  );
  await node.run("CHECK", id, { config: { ...config, prevResult: added } });
  await node.run("DEL", id, { config });
  assert.deepEqual(await node.changes(), []);
});
