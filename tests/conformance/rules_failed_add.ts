/** What is left after an ADD that failed: nothing, at the latest after the DEL that a runtime sends then. */
import { failed, succeeded } from "./answer.ts";
import { kernelState } from "./kernel.ts";
import { demand } from "./demand.ts";
import { must, type Rule, type Scope, section, should } from "./rule.ts";
import { since } from "./version.ts";
import { leavesHost, ownAddresses } from "./rules_add.ts";
import type { Attachment, CallOptions, Subject } from "./subject.ts";

interface Situation extends Scope {
  readonly name: string;
  /** What to call ADD with so that it fails. */
  prepare(subject: Subject, attachment: Attachment): Promise<CallOptions>;
}

const SITUATIONS: readonly Situation[] = [
  {
    name: "the namespace is missing",
    prepare(_, attachment) {
      attachment.path = "/run/netns/missing";
      return Promise.resolve({});
    },
  },
  {
    name: "the namespace is none",
    prepare(_, attachment) {
      attachment.path = "/etc/hostname";
      return Promise.resolve({});
    },
  },
  {
    name: "the delegate is missing",
    needs: "delegate",
    prepare: () => Promise.resolve({ config: { ipam: { type: "no-such-plugin" } } }),
  },
  {
    name: "the delegate fails",
    needs: "delegate",
    async prepare(subject) {
      await subject.delegate?.failOn("ADD", { cniVersion: subject.version, code: 111, msg: "delegate says no" });
      return { delegate: true };
    },
  },
  {
    name: "the requested address is taken",
    versions: since("0.3.0"),
    for: "both",
    needs: "ips",
    async prepare(subject) {
      return { config: { runtimeConfig: { ips: ownAddresses(await subject.shared()) } } };
    },
  },
  {
    name: "the requested address is foreign",
    versions: since("0.3.0"),
    for: "both",
    needs: "ips",
    prepare: () => Promise.resolve({ config: { runtimeConfig: { ips: ["203.0.113.77"] } } }),
  },
];

export const failedAddRules: readonly Rule[] = [
  ...section(
    "2 ADD",
    { for: "interface" },
    SITUATIONS.map(({ name, prepare, ...scope }) =>
      should(`a failed ADD leaves nothing: ${name}`, scope, (subject) => leavesNothing(subject, prepare, false))
    ),
  ),
  // A path that never was a namespace is the runtime's mistake: what DEL makes of it is not prescribed.
  ...section(
    "3 Lifecycle & Ordering",
    { for: "interface" },
    SITUATIONS.filter(({ name }) => name !== "the namespace is none").map(({ name, prepare, ...scope }) =>
      must(`DEL after a failed ADD leaves nothing: ${name}`, scope, (subject) => leavesNothing(subject, prepare, true))
    ),
  ),
];

async function leavesNothing(subject: Subject, prepare: Situation["prepare"], del: boolean): Promise<void> {
  await subject.shared();
  const attachment = await subject.container();
  const options = await prepare(subject, attachment);
  await leavesHost(subject, async () => {
    failed(await subject.add(attachment, options));
    if (del) succeeded(await subject.later("DEL", attachment, { what: "after the failed ADD" }));
  });
  const links = (await kernelState(subject.host, attachment.netns)).links.map((link) => link.ifname);
  demand(String(links) === "lo", `links in the container: ${links}`);
}
