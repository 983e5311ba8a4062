import assert from "node:assert/strict";
import { binDir, call, start } from "../lib/plugin.ts";
import { addresses, IPAM, netConf, Node } from "./node.ts";
import { recorder } from "./recorder.ts";

Deno.test("the original's configuration works unchanged", async () => {
  await using node = await Node.make();
  const id = await node.container();
  const config = {
    cniVersion: "0.4.0",
    name: "vxnet",
    type: "vxlan",
    ipam: { type: "route-table" },
    defaultNetwork: "blue",
    vxlans: ["red", "blue"].map((name, index) => ({
      id: 101 + index,
      name,
      cidr: `10.97.${1 + index}.0/24`,
      excludeFirst: 1,
      excludeLast: 1,
      mtu: 0,
      options: { vtepdev: "ul0", group: `239.1.1.${101 + index}`, port: "4789", ttl: "4", learning: "true" },
    })),
    args: {
      annotations: {
        "vxlan-cni.travishegner.com/NetworkName": "red",
        "vxlan-cni.travishegner.com/RequestedAddress": "10.97.1.20",
      },
    },
    k8sReadAnnotations: false,
    k8sConfigPath: "/etc/kubernetes/cni-kubeconfig",
    k8sNetworkFromNamespace: true,
  };
  const args = "IgnoreUnknown=1;K8S_POD_NAMESPACE=blue;K8S_POD_NAME=web-1;K8S_POD_INFRA_CONTAINER_ID=0815";
  const added = await node.run("ADD", id, { config, args });
  assert.deepEqual(addresses(added), ["10.97.1.20"]);
  const checked = await call(node.host, "CHECK", {
    config: { ...config, prevResult: added },
    ...{ args, containerId: id, netns: id, ifname: "eth0" },
  });
  assert.deepEqual([checked.code, checked.stdout], [0, ""]);
  await node.run("DEL", id, { config, args });
  assert.deepEqual(await node.changes(), []);
});

Deno.test("no verb says anything but its answer, unless VXLAN_CNI_LOG asks for more", async () => {
  await using node = await Node.make();
  const id = await node.container();
  for (const env of [{}, { VXLAN_CNI_LOG: "1" }] as Record<string, string>[]) {
    const added = await node.call("ADD", id, { env });
    const result = added.json;
    const rest: [verb: string, config: unknown][] = [
      ["CHECK", netConf({ prevResult: result })],
      ["STATUS", netConf()],
      ["GC", netConf({ "cni.dev/valid-attachments": [{ containerID: id, ifname: "eth0" }] })],
      ["DEL", netConf({ prevResult: result })],
      ["DEL", netConf()],
    ];
    assert.ok(added.stdout.endsWith("}\n") && added.stdout.split("\n").length === 2);
    for (const [verb, config] of rest) {
      const { code, stdout, stderr } = await node.call(verb, id, { config, env });
      assert.deepEqual([code, stdout], [0, ""], verb);
      if (env.VXLAN_CNI_LOG === undefined) assert.equal(stderr, "");
    }
    if (env.VXLAN_CNI_LOG === undefined) assert.equal(added.stderr, "");
  }
});

Deno.test("a node on which nothing but /run can be written is served all the same", async () => {
  await using node = await Node.make();
  const id = await node.container();
  for (const folder of ["/var/log", "/tmp", "/root"]) {
    await node.host.must(["mount", "-t", "tmpfs", "-o", "ro", "none", folder]);
  }
  // The executable must be seen where /tmp was.
  const program = "/run/bin/vxlan";
  await node.host.must([
    "sh",
    "-c",
    `mkdir /run/bin && umount /tmp && cp ${await binDir()}/vxlan ${program} && mount -t tmpfs -o ro none /tmp`,
  ]);
  const { interfaces } = await node.run("ADD", id, { program, path: "/run/bin" });
  assert.equal(interfaces?.length, 3);
  await node.run("DEL", id, { program, path: "/run/bin" });
  assert.deepEqual(await node.changes(), []);
});

Deno.test("SIGTERM reaches an IPAM plugin that runs as a process, and everything is undone", async () => {
  await using node = await Node.make();
  const id = await node.container();
  const path = await recorder(node.host, "routetable-ipam", `exec ${await binDir()}/routetable-ipam`);
  const config = netConf({ ipam: { ...IPAM, propagationTimeout: 60000 } });
  const running = await start(node.host, "ADD", { config, path, containerId: id, netns: id, ifname: "eth0" });
  await node.host.must(["sh", "-c", "until test $(ip -4 route show proto 192 | wc -l) = 2; do :; done"]);
  running.kill("SIGTERM");
  const { code, json } = await running.ended;
  assert.notEqual(code, 0);
  assert.match(json?.msg ?? "", /signal/);
  assert.deepEqual(await node.changes(), []);
});
