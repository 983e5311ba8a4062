/** Section 2 CHECK: content right after ADD, failing when something of the result is gone, and looking only. */
import { type Answer, failed, isObject, type JsonObject, silent, succeeded } from "./answer.ts";
import { difference, snapshot } from "./kernel.ts";
import { demand, type Rule, since } from "./rule.ts";
import { leavesHost } from "./rules_add.ts";
import { type Attachment, type Subject, view } from "./subject.ts";

const VERSIONS_WITH_CHECK = since("0.4.0");

export const checkRules: readonly Rule[] = [
  {
    name: "CHECK succeeds right after ADD and prints nothing",
    section: "2 CHECK",
    level: "MUST",
    for: "both",
    versions: VERSIONS_WITH_CHECK,
    async check(subject) {
      const attachment = await subject.attach();
      silent(await subject.later("CHECK", attachment));
      silent(await subject.later("CHECK", attachment, { what: "again" }));
    },
  },
  {
    name: "CHECK changes nothing",
    section: "2 CHECK",
    level: "SHOULD",
    for: "both",
    versions: VERSIONS_WITH_CHECK,
    async check(subject) {
      const attachment = await subject.shared();
      const inside = await snapshot(subject.host, attachment.netns);
      await leavesHost(subject, async () => succeeded(await subject.later("CHECK", attachment)));
      const changed = difference(inside, await snapshot(subject.host, attachment.netns));
      demand(changed === "", `in the container: ${changed}`);
    },
  },
  fails("CHECK fails without prevResult", "MUST", (_, attachment) => {
    delete attachment.result;
    return Promise.resolve();
  }),
  fails(
    "CHECK fails when the interface is gone",
    "SHOULD",
    (subject, attachment) => inside(subject, attachment, "link", "del", attachment.ifname),
  ),
  fails("CHECK fails when an address is gone", "SHOULD", async (subject, attachment) => {
    for (const { address } of view(attachment).ips) {
      await inside(subject, attachment, "addr", "del", address, "dev", attachment.ifname);
    }
  }),
  fails("CHECK fails when a route is gone", "SHOULD", async (subject, attachment) => {
    const routes = view(attachment).routes;
    for (const { dst } of routes) {
      const family = dst.includes(":") ? "-6" : "-4";
      await subject.host.must(["ip", "-n", attachment.netns, family, "route", "del", dst]);
    }
    // Without a route in the result there is nothing to miss: the address takes its place.
    if (routes.length === 0) await inside(subject, attachment, "addr", "flush", "dev", attachment.ifname);
  }),
  fails("CHECK fails when prevResult lists an address the interface does not have", "SHOULD", (_, attachment) => {
    attachment.result = rewritten(attachment, (text) => text.replaceAll(/"(address)":"[^"/]+/g, '"$1":"203.0.113.77'));
    return Promise.resolve();
  }),
  fails(
    "CHECK fails when the namespace is gone",
    "SHOULD",
    (subject, attachment) => subject.removeContainer(attachment.netns),
  ),
  {
    name: "CHECK fails after DEL",
    section: "2 CHECK",
    level: "SHOULD",
    for: "both",
    versions: VERSIONS_WITH_CHECK,
    async check(subject) {
      const attachment = await subject.attach();
      succeeded(await subject.later("DEL", attachment));
      failed(await subject.later("CHECK", attachment, { what: "after DEL" }));
    },
  },
  allows("CHECK allows routes and addresses that a later plugin added", async (subject, attachment) => {
    await inside(subject, attachment, "addr", "add", "198.51.100.9/24", "dev", attachment.ifname);
    await inside(subject, attachment, "route", "add", "203.0.113.0/24", "dev", attachment.ifname);
  }),
  allows("CHECK allows a MAC that a later plugin changed and put into prevResult", async (subject, attachment) => {
    await inside(subject, attachment, "link", "set", attachment.ifname, "address", "02:00:00:00:00:07");
    attachment.result = rewritten(attachment, (text) => {
      const own = view(attachment).interfaces.find((link) => link.sandbox !== "")?.mac ?? "none";
      return text.replaceAll(own, "02:00:00:00:00:07");
    });
  }),
  allows("CHECK allows interfaces that other plugins of the chain put into prevResult", (_, attachment) => {
    const interfaces = attachment.result?.["interfaces"];
    if (attachment.result !== undefined && Array.isArray(interfaces)) {
      const other = { name: "ul0" };
      attachment.result = { ...attachment.result, interfaces: [...interfaces, other] };
    }
    return Promise.resolve();
  }),
  {
    name: "CHECK fails when the address is no longer reserved",
    section: "2 CHECK",
    level: "SHOULD",
    for: "ipam",
    versions: VERSIONS_WITH_CHECK,
    async check(subject) {
      const kept = await subject.attach();
      const lost = await subject.attach();
      const { result } = lost;
      succeeded(await subject.later("DEL", lost));
      failed(await subject.call("CHECK", { attachment: lost, config: { prevResult: result ?? {} } }));
      succeeded(await subject.later("CHECK", kept));
    },
  },
];

function fails(
  name: string,
  level: Rule["level"],
  harm: (subject: Subject, attachment: Attachment) => Promise<unknown>,
): Rule {
  return rule(name, level, harm, (answer) => failed(answer));
}

function allows(name: string, change: (subject: Subject, attachment: Attachment) => Promise<unknown>): Rule {
  return rule(name, "MUST", change, (answer) => succeeded(answer));
}

function rule(
  name: string,
  level: Rule["level"],
  change: (subject: Subject, attachment: Attachment) => Promise<unknown>,
  judge: (answer: Answer) => unknown,
): Rule {
  return {
    name,
    section: "2 CHECK",
    level,
    for: "interface",
    versions: VERSIONS_WITH_CHECK,
    async check(subject) {
      const attachment = await subject.attach();
      const { result } = attachment;
      await change(subject, attachment);
      const answer = await subject.later("CHECK", attachment);
      if (result !== undefined) attachment.result = result;
      judge(answer);
    },
  };
}

async function inside(subject: Subject, attachment: Attachment, ...words: string[]): Promise<void> {
  await subject.host.must(["ip", "-n", attachment.netns, ...words]);
}

function rewritten(attachment: Attachment, change: (text: string) => string): JsonObject {
  const result = JSON.parse(change(JSON.stringify(attachment.result ?? {})));
  return isObject(result) ? result : {};
}
