/** Upgrades in the middle of something: of a call of the version before, which lives or died, and of taking over its records. */
import { deepEqual, doesNotMatch, equal, match, ok } from "node:assert/strict";
import { type Answer, binDir, start } from "../lib/call.ts";
import { downgrade, type Files, filesIn, rootOf, writeFiles } from "../lib/earlier.ts";
import { CONFIG, died, settled } from "../lib/earlier_scenes.ts";
import { everythingOf } from "../lib/state.ts";
import { Node } from "./node.ts";

const KEY = "cni.dev/valid-attachments";
/** System calls that an upgrade changes the ledger by. */
const CHANGES = ["rename", "linkat", "unlink", "rmdir"];
const OTHERS = ["c1", "c2", "c3"];

/** What comes after a killed ADD of `c4`. */
const NEXT: Record<string, (node: Node) => Promise<unknown>> = {
  "its DEL": (node) => node.run("DEL", "c4", { config: CONFIG }),
  "ADD of it again": async (node) => {
    await node.host.must(["sh", "-c", "ip netns del c4 && ip netns add c4"]);
    await node.run("ADD", "c4", { config: CONFIG });
    await node.run("DEL", "c4", { config: CONFIG });
  },
  "ADD of another one": async (node) => {
    await node.run("ADD", await node.container("c5"), { config: CONFIG });
    await node.run("DEL", "c5", { config: CONFIG });
  },
  "GC": (node) =>
    node.run("GC", "", {
      config: { ...CONFIG, [KEY]: OTHERS.map((containerID) => ({ containerID, ifname: "eth0" })) },
    }),
};

/** The claims of a container, in the kernel. */
async function routesOf({ host }: Node, { ips = [] }: Answer = {}): Promise<number> {
  const found = await Promise.all(ips.map(({ address, version: _ }) => {
    const [ip = ""] = address.split("/");
    return host.ip(`-${ip.includes(":") ? 6 : 4} route show ${ip} proto 192`);
  }));
  return found.flat().length;
}

for (const [name, next] of Object.entries(NEXT)) {
  Deno.test(`ADD of the version before killed, and an upgrade: ${name} cleans up behind it, and nobody else`, async () => {
    await using node = await Node.make();
    const results = await died(node);
    const pictures = () => Promise.all(OTHERS.map((id) => everythingOf(node.host, id)));
    const before = await pictures();
    const files = await downgrade(node.host, CONFIG);
    // While a claim was being made, its record may name what somebody else was quicker to claim.
    const claim = files["claims/c4@eth0"] as { ips: string[] };
    const taken = (results.c1?.ips ?? []).map(({ address }) => address.replace(/\/.*/, ""));
    await writeFiles(node.host, { "claims/c4@eth0": { ...claim, ips: [...taken, ...claim.ips] } });
    await next(node);
    deepEqual((await node.host.ip("link", "c4")).length, 1, "loopback only");
    doesNotMatch(await node.host.must([`${await binDir()}/vxlan`, "status"]), /c4 eth0/);
    deepEqual(Object.keys(await filesIn(rootOf(node.host))).filter((name) => name.includes("c4@eth0")), []);
    for (const ip of claim.ips) deepEqual(await node.host.ip(`${ip.includes(":") ? "-6 " : ""}route show ${ip}`), []);
    deepEqual(await pictures(), before);
    for (const id of OTHERS) {
      equal(await routesOf(node, results[id]), 2, id);
      await node.run("CHECK", id, { config: { ...CONFIG, prevResult: results[id] } });
    }
    for (const id of OTHERS) await node.run("DEL", id, { config: CONFIG });
    deepEqual(await node.changes(), []);
    deepEqual(await node.host.must(["ls", "/run/vxlan-cni"]), "");
  });
}

/** The ledger of this version: what its files say, by their names, and of which claims the address is their own. */
async function ledgerOf(node: Node): Promise<{ files: Files; owned: string[] }> {
  const root = rootOf(node.host);
  const all = Object.entries(await filesIn(root));
  // What a process died with before it had its name is nobody's, and goes when somebody looks.
  const files = Object.fromEntries(all.filter(([name]) => !name.endsWith("~")));
  const inode = (name: string) => Deno.statSync(`${root}/${name}`).ino;
  const owned = Object.keys(files).filter((name) => {
    const [, own, ip] = /^([^/]+)\/claims\/.*@(.*)$/.exec(name) ?? [];
    return own !== undefined && inode(name) === inode(`${own}/addresses/${ip}`);
  });
  return { files, owned: owned.sort() };
}

Deno.test("an upgrade that is killed at any of its changes is carried on by the next call", async () => {
  await using node = await Node.make();
  const { host } = node;
  await died(node);
  const earlier = await downgrade(host, CONFIG);
  const status = [`${await binDir()}/vxlan`, "status"];
  await host.must(status);
  const wanted = await ledgerOf(node);
  equal(wanted.owned.length, 8, "two addresses of the gateway and of each container");
  for (const change of CHANGES) {
    for (let nth = 1;; nth++) {
      await host.must(["sh", "-c", "rm -r /run/vxlan-cni/*"]);
      await writeFiles(host, earlier);
      const inject = `inject=${change}:signal=KILL:when=${nth}`;
      const tracer = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", `trace=${change}`, "-e", inject];
      const { code } = await host.run([...tracer, ...status]);
      await host.must(status);
      const when = `killed at ${change} number ${nth}`;
      deepEqual(await ledgerOf(node), wanted, when);
      match(await host.must(["ls", "/run/vxlan-cni"]), /^\d+-\d+\n$/, when);
      if (code === 0) break;
      equal(code, 137);
      ok(nth < 100, "it never ends");
    }
  }
  for (const id of [...OTHERS, "c4"]) await node.run("DEL", id, { config: CONFIG });
  deepEqual(await node.changes(), []);
});

/** Holds marks as a call of the version before does, until it is told to end. */
async function hold(node: Node, marks: readonly string[]): Promise<() => Promise<void>> {
  const locks = marks.flatMap((mark) => ["flock", `/run/vxlan-cni/${mark}`]);
  const [program = "", ...args] = node.host.enter([...locks, "sh", "-c", "echo held; exec cat"]);
  const child = new Deno.Command(program, { args, stdin: "piped", stdout: "piped" }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  reader.releaseLock();
  return async () => {
    await child.stdin.close();
    await child.stdout.cancel();
    await child.status;
  };
}

const MARKS = ["adding/red/c2@eth0", "claiming/c2@eth0"];

/** A call that has looked at least once whether the version before is ready. */
async function startWaiting(node: Node, verb: string) {
  const through = ["strace", "-f", "-qq", "-o", "/run/trace", "-e", "trace=poll"];
  const running = await start(node.host, verb, {
    ...{ config: CONFIG, containerId: "c1", netns: "c1", ifname: "eth0", through },
  });
  await node.host.must(["sh", "-c", "until grep -q 'poll(.*, 0, 20)' /run/trace 2>/dev/null; do :; done"]);
  return running;
}

Deno.test("a call of the version before that still runs is waited for, and what it made stays", async () => {
  await using node = await Node.make();
  const { c2 = {} } = await settled(node);
  const before = await everythingOf(node.host, "c2");
  const files = await downgrade(node.host, CONFIG);
  // Of c2, what there is before its ADD is ready.
  const [attachment, claims] = ["attachments/red/c2@eth0", "claims/c2@eth0"];
  const unfinished = { [attachment]: { ...files[attachment] as object, ips: [] } };
  await writeFiles(node.host, { ...files, ...unfinished, ...Object.fromEntries(MARKS.map((mark) => [mark, ""])) });
  const end = await hold(node, MARKS);
  const running = await startWaiting(node, "DEL");
  await writeFiles(node.host, { [attachment]: files[attachment], [claims]: files[claims] });
  for (const mark of MARKS) await Deno.remove(`${rootOf(node.host)}/${mark}`);
  await end();
  const { code, stdout, stderr } = await running.ended;
  deepEqual([code, stdout, stderr], [0, "", ""]);
  deepEqual(await everythingOf(node.host, "c2"), before);
  equal(await routesOf(node, c2), 2);
  await node.run("CHECK", "c2", { config: { ...CONFIG, prevResult: c2 } });
  await node.run("DEL", "c2", { config: CONFIG });
  deepEqual(await node.changes(), []);
});

Deno.test("an ADD that waits for the version before can be told to end, and has done nothing", async () => {
  await using node = await Node.make();
  await settled(node);
  await writeFiles(node.host, {
    ...await downgrade(node.host, CONFIG),
    ...Object.fromEntries(MARKS.map((mark) => [mark, ""])),
  });
  const before = await filesIn(rootOf(node.host));
  const end = await hold(node, MARKS);
  const running = await startWaiting(node, "ADD");
  const [thread] = (await node.host.must(["cat", "/run/trace"])).split(" ");
  Deno.kill(Number(thread), "SIGTERM");
  const { json } = await running.ended;
  deepEqual([json?.code, json?.msg], [107, "Cannot finish: interrupted by a signal; everything was undone"]);
  await end();
  const { upgrading, ...left } = await filesIn(rootOf(node.host));
  deepEqual([upgrading, left], ["", before]);
});

Deno.test("a call of the version before that never ends: try again later", async () => {
  await using node = await Node.make();
  await settled(node);
  await writeFiles(node.host, { ...await downgrade(node.host, CONFIG), [MARKS[0] ?? ""]: "" });
  const end = await hold(node, MARKS.slice(0, 1));
  const source = new URL("../../src/entry/earlier.ts", import.meta.url).href;
  // A clock that goes by the looks.
  const code = `import { openEarlier } from "${source}"; let now = 0;
    await openEarlier({ now: () => now, readable: (_, ms) => { now += ms; }, interrupted: new AbortController().signal })
      .catch(({ code, message }) => console.log(code, message));`;
  match(
    await node.host.must([Deno.execPath(), "eval", "--no-config", "--ext=ts", code]),
    /^11 Cannot take over the records of an earlier version: its call "adding\/red\/c2@eth0" is still running; try again later\n$/,
  );
  await end();
});
