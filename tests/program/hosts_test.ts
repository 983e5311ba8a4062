/** Hosts that are network namespaces of one machine: one `/run` for all, the same networks and container ids, a ledger for each. */
import { deepEqual, equal, match, notEqual, ok } from "node:assert/strict";
import { type Answer, binDir, call } from "../lib/call.ts";
import { addresses, type Caller, caller } from "../lib/caller.ts";
import { netConf, red } from "../lib/config.ts";
import { Host, loneHost } from "../lib/host.ts";
import { stateOf } from "../lib/state.ts";

const KEY = "cni.dev/valid-attachments";
const config = netConf({ vxlans: [red({ cidrs: ["fd00:97::/64"] })] });

/** One of the hosts. */
interface Guest extends Caller, AsyncDisposable {
  readonly host: Host;
  /** The number of its network namespace. */
  readonly inode: string;
  /** What is there now, and was not when the host was made: devices, addresses, routes and its own ledger. */
  changes(): Promise<string[]>;
  /** What an operator sees. */
  status(): Promise<string>;
}

/** A host on the machine; its containers `c1` and `c2` have namespaces named after it. */
async function guest(name: string, machine: Host): Promise<Guest> {
  const host = await loneHost(name, machine);
  const inode = (await host.must(["readlink", "/proc/self/ns/net"])).replace(/\D/g, "");
  const program = `${await binDir()}/vxlan`;
  const lines = async () =>
    (await stateOf(host)).filter((line) => !line.startsWith("file ") || line.includes(`/vxlan-cni/${inode}-`));
  const before = await lines();
  return {
    ...caller((verb, options) => {
      const { netns = "" } = options;
      const own = netns === "" || netns.startsWith("/") ? netns : `${name}-${netns}`;
      return call(host, verb, { ...options, netns: own });
    }),
    host,
    inode,
    changes: async () => (await lines()).filter((line) => !before.includes(line)),
    status: () => host.must([program, "status"]),
    [Symbol.asyncDispose]: () => host[Symbol.asyncDispose](),
  };
}

async function addContainers(machine: Host, name: string): Promise<void> {
  for (const id of ["c1", "c2"]) await machine.container(`${name}-${id}`);
}

async function ledgers(machine: Host): Promise<string[]> {
  const text = await machine.must(["sh", "-c", "ls -1 /run/vxlan-cni 2>/dev/null || true"]);
  return text.split("\n").filter((line) => line !== "");
}

Deno.test("two hosts on one machine, the same network and the same ids: each sees, keeps and removes its own only", async () => {
  await using machine = await Host.make("machine");
  await using a = await guest("a", machine);
  await using b = await guest("b", machine);
  for (const { host: { name } } of [a, b]) await addContainers(machine, name);
  const added = new Map<Guest, Answer[]>([[a, []], [b, []]]);
  for (const id of ["c1", "c2"]) {
    await Promise.all([a, b].map(async (one) => void added.get(one)?.push(await one.run("ADD", id, { config }))));
  }
  for (const one of [a, b]) {
    for (const [index, prevResult] of (added.get(one) ?? []).entries()) {
      await one.run("CHECK", `c${index + 1}`, { config: { ...config, prevResult } });
      for (const ip of addresses(prevResult)) match(await one.status(), new RegExp(`${ip}/`));
    }
    equal((await one.status()).match(/c[12] eth0/g)?.length, 2);
  }
  // What one of them does is nothing to the other.
  const untouched = async (other: Guest, work: () => Promise<unknown>) => {
    const before = await other.changes();
    await work();
    deepEqual(await other.changes(), before);
    const [, prevResult] = added.get(other) ?? [];
    await other.run("CHECK", "c2", { config: { ...config, prevResult } });
  };
  await untouched(b, () => a.run("DEL", "c1", { config }));
  await untouched(a, () => b.run("GC", "", { config: { ...config, [KEY]: [{ containerID: "c2", ifname: "eth0" }] } }));
  equal((await b.status()).match(/c[12] eth0/g)?.join(), "c2 eth0");
  await untouched(b, () => a.run("ADD", "c1", { config }));
  await untouched(b, async () => {
    await a.run("DEL", "c2", { config });
    await a.run("GC", "", { config: { ...config, [KEY]: [] } });
  });
  deepEqual(await a.changes(), []);
  await b.run("DEL", "c2", { config });
  deepEqual(await b.changes(), []);
  deepEqual(await ledgers(machine), []);
});

Deno.test("a host that is gone without a DEL, and another one that gets its number: nothing of the dead one's ledger counts", async () => {
  await using machine = await Host.make("machine");
  await addContainers(machine, "a");
  const dead = await guest("a", machine);
  await dead.run("ADD", "c1", { config });
  await dead.run("ADD", "c2", { config });
  const [left = ""] = await ledgers(machine);
  ok(left.startsWith(`${dead.inode}-`), left);
  await dead[Symbol.asyncDispose]();
  await using anew = await guest("a", machine);
  // Often it has the number of the dead one; if not, the ledger of the dead one gets the number of the living.
  const folder = left.replace(dead.inode, anew.inode);
  if (folder !== left) await machine.must(["mv", `/run/vxlan-cni/${left}`, `/run/vxlan-cni/${folder}`]);
  // The kernel takes the interfaces of the dead one down in its own time.
  await machine.must(["sh", "-c", "until ! ip -n a-c1 link show eth0 >/dev/null 2>&1; do :; done"]);
  equal(await anew.status(), "no network is in use on this node\n");
  const prevResult = await anew.run("ADD", "c1", { config });
  const [own = "", ...more] = await ledgers(machine);
  deepEqual(more, []);
  notEqual(own, folder);
  match(own, new RegExp(`^${anew.inode}-`));
  await anew.run("CHECK", "c1", { config: { ...config, prevResult } });
  equal((await anew.changes()).filter((line) => line.includes("/attachments/")).length, 1);
  await anew.run("DEL", "c1", { config });
  deepEqual(await anew.changes(), []);
  deepEqual(await ledgers(machine), []);
});
