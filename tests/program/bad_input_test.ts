/** No input, however wrong, gets more than an error that names it; the host stays as it was. */
import { equal, ok } from "node:assert/strict";
import { call } from "../lib/call.ts";
import { type BadCase, badInput } from "./bad_input.ts";
import { Node } from "./node.ts";

/** Containers that are called for at the same time; more would only wait for the processor. */
const CONTAINERS = ["c1", "c2", "c3", "c4"];
/** Longest answer, in characters: whatever was wrong must not come back as a whole. */
const LONGEST = 2_000;

Deno.test("bad input is refused with an error that names it and leaves the host as it was", async (context) => {
  await using node = await Node.make();
  for (const container of CONTAINERS) await node.container(container);
  const inside = await containerState(node);
  const groups = badInput("c1");
  const count = groups.reduce((sum, { cases }) => sum + cases.length, 0);
  ok(count >= 200, `${count} cases`);
  for (const { name, cases } of groups) {
    await context.step(`${name} (${cases.length})`, async () => {
      const faults = await faultsOf(node, cases);
      equal(faults.join("\n"), "");
      equal((await node.changes()).join("\n"), "", "the host has changed");
      equal(await containerState(node), inside, "a container has changed");
    });
  }
  await context.step("the good configuration works on this host afterwards", async () => {
    await node.run("ADD", "c1");
    await node.run("DEL", "c1");
    equal((await node.changes()).join("\n"), "");
  });
});

async function faultsOf(node: Node, cases: readonly BadCase[]): Promise<string[]> {
  const faults: string[] = [];
  const queue = [...cases];
  await Promise.all(CONTAINERS.map(async (container) => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const fault = await faultOf(node, forContainer(next, container));
      if (fault !== undefined) faults.push(`${next.what}: ${fault}`);
    }
  }));
  return faults;
}

/** The same case for another container; a value that is itself what is wrong stays. */
function forContainer(wrong: BadCase, container: string): BadCase {
  const { containerId, netns } = wrong.call;
  const moved = {
    ...(containerId === "c1" ? { containerId: container } : {}),
    ...(netns === "c1" ? { netns: container } : {}),
  };
  return { ...wrong, call: { ...wrong.call, ...moved } };
}

/** How an answer differs from the one that must come; undefined when it does not. */
async function faultOf(node: Node, { verb, call: options, codes, names }: BadCase): Promise<string | undefined> {
  const answer = await call(node.host, verb, options);
  const { code, msg, cniVersion } = answer.json ?? {};
  const seen = `exit ${answer.code}, ${answer.stdout.slice(0, 300)}${answer.stderr.slice(0, 200)}`;
  if (answer.code === 0) {
    // What should not have been made must not spoil the groups that follow.
    await call(node.host, "DEL", options);
    return `succeeded: ${seen}`;
  }
  if (answer.stderr !== "") return `wrote to standard error: ${seen}`;
  if (code === undefined || !codes.includes(code)) return `wanted code ${codes.join(" or ")}: ${seen}`;
  if (typeof cniVersion !== "string") return `no cniVersion: ${seen}`;
  if (msg?.includes(names) !== true) return `does not name ${names}: ${seen}`;
  if (answer.stdout.length > LONGEST) return `${answer.stdout.length} characters of error: ${seen.slice(0, 100)}`;
  return undefined;
}

async function containerState(node: Node): Promise<string> {
  const states = CONTAINERS.map((container) => node.host.must(["ip", "-n", container, "-o", "addr"]));
  return (await Promise.all(states)).join("");
}
