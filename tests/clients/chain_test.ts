/** The real plugins that are chained after ours: ADD, CHECK and DEL of the list, and what the chained plugin is for. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import type { Answer } from "../lib/call.ts";
import { everythingOf } from "../lib/state.ts";
import { type Attachment, Chain, failures, type PluginConf, type Step } from "./chain.ts";
import { Libcni } from "./libcni.ts";
import { Machine } from "./machine.ts";

/** Attaches a new container to the machine's list with `plugins` chained. */
async function attach(machine: Machine, plugins: PluginConf[], more: Partial<Attachment> = {}): Promise<Chain> {
  const netns = await machine.host.container();
  const { conflist, pluginDirs } = machine.subject;
  return new Chain(machine.host, {
    conflist: { ...conflist, plugins: [...conflist.plugins, ...plugins] },
    pluginDirs,
    containerId: `id-${netns}`,
    netns,
    ifname: "eth0",
    ...more,
  });
}

function succeeded(steps: Step[]): void {
  deepEqual(failures(steps), []);
}

/** The container's own address in a result, without prefix length. */
function addressOf(result: Answer | undefined): string {
  const address = result?.ips?.[0]?.address.split("/")[0];
  ok(address !== undefined, "the result has an address");
  return address;
}

Deno.test("tuning: a changed MAC and MTU fail no CHECK, and the container is reachable", async () => {
  await using machine = await Machine.make();
  const before = await everythingOf(machine.host);
  const mac = "02:00:00:00:00:99";
  const chain = await attach(machine, [{
    type: "tuning",
    mac,
    mtu: 1280,
    sysctl: { "net.ipv4.conf.eth0.arp_filter": "1" },
  }]);
  succeeded(await chain.add());
  const [link] = await machine.host.ip<{ address: string; mtu: number }>("link show eth0", chain.attachment.netns);
  equal(link?.address, mac);
  equal(link?.mtu, 1280);
  deepEqual(chain.result?.interfaces?.filter((known) => known.sandbox).map((known) => known.mac), [mac]);
  succeeded(await chain.check());

  const other = await attach(machine, []);
  succeeded(await other.add());
  await machine.ping(other.attachment.netns, addressOf(chain.result));
  await machine.ping(chain.attachment.netns, addressOf(other.result));
  succeeded(await other.del());
  succeeded(await chain.del());
  deepEqual(await everythingOf(machine.host), before);
});

Deno.test("portmap: a port of the host leads to the container until DEL", async () => {
  await using machine = await Machine.make();
  const before = await everythingOf(machine.host);
  const portMappings = [{ hostPort: 8080, containerPort: 80, protocol: "tcp" }];
  const chain = await attach(machine, [{ type: "portmap", capabilities: { portMappings: true } }], {
    capabilities: { portMappings },
    // Its CHECK wants rules for IPv6 also for a container without, if the host has NAT for IPv6 (version 1.1.1).
    path: machine.pathWithoutNat6,
  });
  succeeded(await chain.add());
  succeeded(await chain.check());
  await machine.serve(chain.attachment.netns, 80, "hello from the container");
  match(await machine.fetch("192.0.2.1", 8080), /hello from the container/);

  succeeded(await chain.del());
  deepEqual(
    (await machine.host.must(["iptables", "-t", "nat", "-S"])).split("\n").filter((rule) => /8080/.test(rule)),
    [],
  );
  deepEqual(await everythingOf(machine.host), before);
});

Deno.test("firewall: a container passes a host that drops what is forwarded, until DEL", async () => {
  await using machine = await Machine.make();
  const before = await everythingOf(machine.host);
  await machine.host.must(["iptables", "-P", "FORWARD", "DROP"]);
  const chain = await attach(machine, [{ type: "firewall", backend: "iptables" }]);
  succeeded(await chain.add());
  succeeded(await chain.check());
  await machine.ping(chain.attachment.netns, "192.0.2.254");

  const address = addressOf(chain.result);
  match(await machine.host.must(["iptables", "-S"]), new RegExp(address));
  succeeded(await chain.del());
  ok(!(await machine.host.must(["iptables", "-S"])).includes(address));
  deepEqual(await everythingOf(machine.host), before);
});

Deno.test("sbr: the container answers by a table of its own, and CHECK agrees", async () => {
  await using machine = await Machine.make();
  const before = await everythingOf(machine.host);
  const chain = await attach(machine, [{ type: "sbr" }]);
  succeeded(await chain.add());
  const address = addressOf(chain.result);
  const rules = await machine.host.ip<{ src: string; table: string }>("rule", chain.attachment.netns);
  const table = rules.find(({ src }) => src === address)?.table;
  ok(table !== undefined, `a rule for ${address}`);
  const routes = await machine.host.ip<{ dst: string }>(`route show table ${table}`, chain.attachment.netns);
  ok(routes.some(({ dst }) => dst === "default"), "a default route in the table of the rule");
  // Section 2, CHECK: a plugin must allow for a later one to have modified networking resources, e.g. routes.
  succeeded(await chain.check());
  await machine.must(["ping", "-c", "1", "-W", "5", address]);
  succeeded(await chain.del());
  deepEqual(await everythingOf(machine.host), before);
});

Deno.test("bandwidth: without limits it is no more than a link of the chain", async () => {
  await using machine = await Machine.make();
  const before = await everythingOf(machine.host);
  const chain = await attach(machine, [{ type: "bandwidth", capabilities: { bandwidth: true } }]);
  succeeded(await chain.add());
  // Its own CHECK panics without limits (nil pointer, version 1.1.1).
  succeeded((await chain.check()).filter(({ plugin }) => plugin !== "bandwidth"));
  succeeded(await chain.del());
  deepEqual(await everythingOf(machine.host), before);
});

Deno.test("bandwidth: with limits it refuses what is not a veth; the chain can be taken back", async () => {
  await using machine = await Machine.make();
  const before = await everythingOf(machine.host);
  const bandwidth = { ingressRate: 8_000_000, ingressBurst: 80_000, egressRate: 8_000_000, egressBurst: 80_000 };
  const chain = await attach(machine, [{ type: "bandwidth", capabilities: { bandwidth: true } }], {
    capabilities: { bandwidth },
  });
  const [ours, shaped] = await chain.add();
  equal(ours?.error, undefined);
  match(
    shaped?.error?.msg ?? "",
    /container interface eth0 has no veth peer: interface "eth0" was not a veth interface/,
  );
  // As a runtime does when ADD fails: DEL for the whole list, without a result.
  succeeded(await chain.del());
  deepEqual(await everythingOf(machine.host), before);
});

Deno.test("libcni: runs the whole list of tuning, portmap and firewall", async () => {
  await using machine = await Machine.make();
  const libcni = await Libcni.make(machine.host, machine.folder);
  const before = await everythingOf(machine.host);
  const portMappings = [{ hostPort: 8080, containerPort: 80, protocol: "tcp" }];
  const { attachment } = await attach(machine, [
    { type: "tuning", capabilities: { mac: true } },
    { type: "portmap", capabilities: { portMappings: true } },
    { type: "firewall", backend: "iptables" },
  ], { capabilities: { portMappings, mac: "02:00:00:00:00:98" }, path: machine.pathWithoutNat6 });
  const { result, error } = await libcni.call("ADD", attachment);
  equal(error, undefined);
  deepEqual(result?.interfaces?.filter((known) => known.sandbox).map((known) => known.mac), ["02:00:00:00:00:98"]);
  deepEqual(await libcni.call("CHECK", attachment), {});
  deepEqual(await libcni.call("DEL", attachment), {});
  deepEqual(await libcni.call("DEL", attachment), {});
  deepEqual(await everythingOf(machine.host), before);
});
