/** Section 2 CHECK: content right after ADD, failing when something of the result is gone, and looking only. */
import { type Answer, failed, isObject, type JsonObject, silent, succeeded } from "./answer.ts";
import { type Clause, must, section, should } from "./rule.ts";
import { since } from "./version.ts";
import { leavesContainer, leavesHost } from "./rules_add.ts";
import { type Attachment, type Subject, view } from "./subject.ts";

export const checkRules = section("2 CHECK", { for: "both", versions: since("0.4.0") }, [
  must("CHECK succeeds right after ADD and prints nothing", async (subject) => {
    const attachment = await subject.attach();
    silent(await subject.later("CHECK", attachment));
    silent(await subject.later("CHECK", attachment, { what: "again" }));
  }),
  should("CHECK changes nothing", async (subject) => {
    const attachment = await subject.shared();
    const check = async () => succeeded(await subject.later("CHECK", attachment));
    await leavesContainer(subject, attachment, () => leavesHost(subject, check));
  }),
  fails(must, "CHECK fails without prevResult", (_, attachment) => {
    delete attachment.result;
    return Promise.resolve();
  }),
  fails(
    should,
    "CHECK fails when the interface is gone",
    (subject, attachment) => inside(subject, attachment, "link", "del", attachment.ifname),
  ),
  fails(should, "CHECK fails when an address is gone", async (subject, attachment) => {
    for (const { address } of view(attachment).ips) {
      await inside(subject, attachment, "addr", "del", address, "dev", attachment.ifname);
    }
  }),
  fails(should, "CHECK fails when a route is gone", async (subject, attachment) => {
    const routes = view(attachment).routes;
    for (const { dst } of routes) {
      const family = dst.includes(":") ? "-6" : "-4";
      await subject.host.must(["ip", "-n", attachment.netns, family, "route", "del", dst]);
    }
    // Without a route in the result there is nothing to miss: the address takes its place.
    if (routes.length === 0) await inside(subject, attachment, "addr", "flush", "dev", attachment.ifname);
  }),
  fails(should, "CHECK fails when prevResult lists an address the interface does not have", (_, attachment) => {
    attachment.result = rewritten(attachment, (text) => text.replaceAll(/"(address)":"[^"/]+/g, '"$1":"203.0.113.77'));
    return Promise.resolve();
  }),
  fails(
    should,
    "CHECK fails when the namespace is gone",
    (subject, attachment) => subject.removeContainer(attachment.netns),
  ),
  should("CHECK fails after DEL", async (subject) => {
    const attachment = await subject.attach();
    succeeded(await subject.later("DEL", attachment));
    failed(await subject.later("CHECK", attachment, { what: "after DEL" }));
  }),
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
  should("CHECK fails when the address is no longer reserved", { for: "ipam" }, async (subject) => {
    const kept = await subject.attach();
    const lost = await subject.attach();
    const { result } = lost;
    succeeded(await subject.later("DEL", lost));
    failed(await subject.call("CHECK", { attachment: lost, config: { prevResult: result ?? {} } }));
    succeeded(await subject.later("CHECK", kept));
  }),
]);

type Change = (subject: Subject, attachment: Attachment) => Promise<unknown>;

function fails(level: typeof must, name: string, harm: Change): Clause {
  return level(name, { for: "interface" }, async (subject) => void failed(await checked(subject, harm)));
}

function allows(name: string, change: Change): Clause {
  return must(name, { for: "interface" }, async (subject) => void succeeded(await checked(subject, change)));
}

/** CHECK of an attachment after a change; afterwards the attachment has its own result again. */
async function checked(subject: Subject, change: Change): Promise<Answer> {
  const attachment = await subject.attach();
  const { result } = attachment;
  await change(subject, attachment);
  const answer = await subject.later("CHECK", attachment);
  if (result !== undefined) attachment.result = result;
  return answer;
}

async function inside(subject: Subject, attachment: Attachment, ...words: string[]): Promise<void> {
  await subject.host.must(["ip", "-n", attachment.netns, ...words]);
}

function rewritten(attachment: Attachment, change: (text: string) => string): JsonObject {
  const result = JSON.parse(change(JSON.stringify(attachment.result ?? {})));
  return isObject(result) ? result : {};
}
