import assert from "node:assert/strict";
import { must } from "../lib/run.ts";
import { blue, IPAM, netConf, Node, red } from "./node.ts";

Deno.test("DEL succeeds and releases everything, whatever has become of the rest", async (t) => {
  const { vxlans: _, ...withoutVxlans } = netConf();
  const cases: Record<
    string,
    { before?: (node: Node, id: string) => Promise<unknown>; options?: Parameters<Node["call"]>[2] }
  > = {
    "as it should be": {},
    "with prevResult null": { options: { config: netConf({ prevResult: null }) } },
    "without CNI_NETNS": { options: { netns: "" } },
    "without CNI_NETNS and CNI_PATH": { options: { netns: undefined, path: "" } },
    "namespace gone": { before: (node, id) => node.host.must(["ip", "netns", "del", id]) },
    "namespace replaced by a new one": {
      before: (node, id) => node.host.must(["sh", "-c", `ip netns del ${id} && ip netns add ${id}`]),
    },
    "namespace's file left behind": {
      before: (node, id) => node.host.must(["sh", "-c", `umount /run/netns/${id}`]),
    },
    "interface gone": { before: (node, id) => must(node.host.inside(id, ["ip", "link", "del", "eth0"])) },
    "node's devices gone": { before: (node) => node.host.must(["ip", "link", "del", "vx_red"]) },
    "mv_ gone": { before: (node) => node.host.must(["ip", "link", "del", "mv_red"]) },
    "underlay gone": { before: (node) => node.host.must(["ip", "link", "del", "ul0"]) },
    "claims and rule gone": {
      before: (node) => node.host.must(["sh", "-c", "ip route flush proto 192; ip rule del priority 32765"]),
    },
    "devices set down and changed": {
      before: (node) =>
        node.host.must(["sh", "-c", "ip link set mv_red down mtu 1300; ip link set vx_red down mtu 1300"]),
    },
    "network renamed": { options: { config: netConf({ vxlans: [blue()], defaultNetwork: "blue" }) } },
    "vxlans gone": { options: { config: withoutVxlans } },
    "vxlans broken": { options: { config: netConf({ vxlans: "none" }) } },
    "IPAM changed": { options: { config: netConf({ ipam: { type: "host-local" } }) } },
    "id and protocol changed": {
      options: {
        config: netConf({ ipam: { ...IPAM, routeProtocol: 77 }, vxlans: [red({ id: 9, cidr: "10.9.0.0/24" })] }),
      },
    },
    "Kubernetes asked for": { options: { config: netConf({ k8sReadAnnotations: true }) } },
    "an annotation for another network": {
      options: { config: netConf({ args: { annotations: { "vxlan-cni.travishegner.com/NetworkName": "green" } } }) },
    },
    "unknown CNI_ARGS": { options: { args: "COLOUR=red" } },
  };
  for (const [name, { before, options }] of Object.entries(cases)) {
    await t.step(name, async () => {
      await using node = await Node.make();
      const id = await node.container();
      await node.run("ADD", id);
      await before?.(node, id);
      for (const time of ["first", "second"]) {
        const { code, stdout, stderr } = await node.call("DEL", id, options);
        assert.deepEqual([code, stdout, stderr], [0, "", ""], `${time} DEL`);
        const left = (await node.changes()).filter((line) => line.startsWith("+"));
        assert.deepEqual(left, [], `after the ${time} DEL`);
      }
    });
  }
});

Deno.test("DEL without records releases what prevResult names", async () => {
  await using node = await Node.make();
  const [a, b] = [await node.container(), await node.container()];
  await node.run("ADD", a);
  const added = await node.run("ADD", b);
  await node.host.must(["sh", "-c", `rm /run/vxlan-cni/*/${b}@eth0 /run/vxlan-cni/*/*/${b}@eth0 2>/dev/null; true`]);
  await node.run("DEL", b, { config: netConf({ prevResult: added }) });
  assert.equal((await node.host.ip("link", b)).length, 1);
  assert.equal((await node.host.ip("-4 route show proto 192")).length, 2);
  await node.run("DEL", a);
  assert.deepEqual(await node.changes(), []);
});

Deno.test("DEL of one of two containers leaves the other alone, also when no process lives in their namespaces", async () => {
  await using node = await Node.make();
  const [a, b] = [await node.container(), await node.container()];
  await node.run("ADD", a);
  const added = await node.run("ADD", b);
  const inside = await node.host.ip("addr", b);
  for (const id of [a, a, "c9"]) {
    await node.run("DEL", id);
    assert.deepEqual(await node.host.ip("addr", b), inside);
    await node.run("CHECK", b, { config: netConf({ prevResult: added }) });
  }
  // Nor is an interface of the same name in another container's namespace taken for ours.
  await node.run("DEL", a, { netns: b });
  await node.run("CHECK", b, { config: netConf({ prevResult: added }) });
  await node.run("DEL", b);
  assert.deepEqual(await node.changes(), []);
});
