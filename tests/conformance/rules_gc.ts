/** Section 2 GC (1.1.0): what is not in the list of valid attachments goes, everything else stays. */
import { silent, succeeded } from "./answer.ts";
import { difference, everythingOf } from "../lib/state.ts";
import { demand } from "./demand.ts";
import { must, type Rule, section, should } from "./rule.ts";
import { since } from "./version.ts";
import { ownAddresses } from "./rules_add.ts";
import { works } from "./rules_del.ts";
import type { Attachment, Subject } from "./subject.ts";

const VERSIONS_WITH_GC = since("1.1.0");

export const gcRules: readonly Rule[] = [
  ...section("2 GC", { for: "both", versions: VERSIONS_WITH_GC }, [
    should("GC succeeds with nothing to do and prints nothing", async (subject) => {
      await subject.alone();
      silent(await collect(subject, []));
      silent(await collect(subject, [], "again"));
    }),
    must("GC keeps valid attachments", async (subject) => {
      await subject.alone();
      const kept = [await subject.attach(), await subject.attach()];
      const before = await state(subject, kept);
      silent(await collect(subject, kept));
      const changed = difference(before, await state(subject, kept));
      demand(changed === "", `changed: ${changed}`);
      for (const attachment of kept) await works(subject, attachment);
    }),
    should("GC removes the reservation of an attachment that is not listed", { needs: "ips" }, async (subject) => {
      await subject.alone();
      const kept = await subject.attach();
      const stale = await subject.attach();
      await subject.removeContainer(stale.netns);
      succeeded(await collect(subject, [kept]));
      await obtainable(subject, stale);
      await works(subject, kept);
    }),
    should("GC with an empty list removes every reservation of the network", { needs: "ips" }, async (subject) => {
      await subject.alone();
      const stale = [await subject.attach(), await subject.attach()];
      for (const { netns } of stale) await subject.removeContainer(netns);
      succeeded(await collect(subject, []));
      for (const attachment of stale) await obtainable(subject, attachment);
    }),
  ]),
  ...section("3 Execution of Network Configurations", { for: "both", versions: VERSIONS_WITH_GC, needs: "ips" }, [
    must("GC tells attachments of one container apart by interface name", async (subject) => {
      await subject.alone();
      const kept = await subject.attach();
      const stale = await subject.attach({}, { of: kept, ifname: "second0" });
      if (subject.spec.kind === "interface") {
        await subject.host.must(["ip", "-n", stale.netns, "link", "del", stale.ifname]);
      }
      succeeded(await collect(subject, [kept]));
      await obtainable(subject, stale);
      await works(subject, kept);
    }),
  ]),
  ...section("2 GC", { for: "both", versions: VERSIONS_WITH_GC }, [
    must("GC leaves the attachments of other networks", async (subject) => {
      await subject.alone();
      const kept = await subject.attach();
      succeeded(await collect(subject, [], "of another network", { name: "another-network" }));
      await works(subject, kept);
    }),
  ]),
  ...section("2 DEL", { for: "both", versions: VERSIONS_WITH_GC }, [
    must("DEL after GC succeeds", async (subject) => {
      await subject.alone();
      const stale = await subject.attach();
      await subject.removeContainer(stale.netns);
      succeeded(await collect(subject, []));
      succeeded(await subject.later("DEL", stale, { what: "after GC" }));
    }),
  ]),
];

/** GC as a runtime calls it: no variable but CNI_PATH, the attachments that are still valid in the config. */
export function collect(
  subject: Subject,
  valid: readonly Attachment[],
  what?: string,
  config: Record<string, string> = {},
): ReturnType<Subject["call"]> {
  const list = valid.map((attachment) => ({ containerID: attachment.id, ifname: attachment.ifname }));
  return subject.call("GC", {
    config: { ...config, "cni.dev/valid-attachments": list },
    ...(what === undefined ? {} : { what }),
  });
}

/** Demands that somebody else can have the addresses of an attachment now. */
async function obtainable(subject: Subject, stale: Attachment): Promise<void> {
  const ips = ownAddresses(stale);
  const next = await subject.attach({ config: { runtimeConfig: { ips } }, what: `requesting ${ips} after GC` });
  demand(String(ownAddresses(next)) === String(ips), `requested ${ips}, got ${ownAddresses(next)}`);
}

async function state(subject: Subject, attachments: readonly Attachment[]): Promise<string[]> {
  const containers = await Promise.all(attachments.map(({ netns }) => everythingOf(subject.host, netns)));
  return [...await everythingOf(subject.host), ...containers.flat()];
}
