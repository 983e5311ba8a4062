/** Section 2 DEL: what it takes away, and how little it may need for that. */
import { silent, succeeded } from "./answer.ts";
import { leavesHost, ownAddresses } from "./rules_add.ts";
import { kernelState, linkOf } from "./kernel.ts";
import { demand } from "./demand.ts";
import { type Clause, must, section, should } from "./rule.ts";
import { since } from "./version.ts";
import { type Attachment, type CallOptions, type Subject, view } from "./subject.ts";

export const delRules = section("2 DEL", { for: "both" }, [
  must("DEL removes the interface", { for: "interface" }, async (subject) => {
    const attachment = await subject.attach();
    succeeded(await subject.later("DEL", attachment));
    const link = linkOf(await kernelState(subject.host, attachment.netns), attachment.ifname);
    demand(link === undefined, `${attachment.ifname} is still there`);
  }),
  must("ADD and DEL together leave the host as it was", async (subject) => {
    await subject.shared();
    await leavesHost(subject, async () => succeeded(await subject.later("DEL", await subject.attach())));
  }),
  should("DEL prints nothing on success", async (subject) => {
    silent(await subject.later("DEL", await subject.attach()));
  }),
  lenient(must, "DEL succeeds a second and a third time", async (subject, attachment) => {
    for (const what of ["", "again", "a third time"]) succeeded(await subject.later("DEL", attachment, { what }));
  }),
  lenient(should, "DEL succeeds without prevResult", (subject, attachment) => {
    delete attachment.result;
    return released(subject, attachment, { what: "without prevResult" });
  }),
  lenient(
    must,
    "DEL succeeds without CNI_NETNS",
    (subject, attachment) =>
      released(subject, attachment, { env: { CNI_NETNS: undefined }, what: "without CNI_NETNS" }),
  ),
  lenient(
    must,
    "DEL succeeds with an empty CNI_NETNS",
    (subject, attachment) => released(subject, attachment, { env: { CNI_NETNS: "" }, what: "with empty CNI_NETNS" }),
  ),
  lenient(should, "DEL succeeds when the namespace is gone", async (subject, attachment) => {
    await subject.removeContainer(attachment.netns);
    await released(subject, attachment, { what: "without the namespace" });
  }),
  lenient(should, "DEL succeeds when the namespace's path is a file left over", async (subject, attachment) => {
    await subject.host.must(["umount", attachment.path]);
    await released(subject, attachment, { what: "after the namespace was unmounted" });
  }),
  lenient(should, "DEL succeeds when namespace, path and prevResult are gone", async (subject, attachment) => {
    await subject.removeContainer(attachment.netns);
    delete attachment.result;
    await released(subject, attachment, { env: { CNI_NETNS: "" }, what: "with nothing left" });
  }),
  must("DEL succeeds when the interface is gone", { for: "interface" }, async (subject) => {
    const attachment = await subject.attach();
    await subject.host.must(["ip", "-n", attachment.netns, "link", "del", attachment.ifname]);
    await released(subject, attachment, { what: "without the interface" });
  }),
  must("DEL succeeds for what was never added", async (subject) => {
    await subject.shared();
    await leavesHost(subject, async () => succeeded(await subject.later("DEL", await subject.container())));
  }),
  must("DEL of one container leaves the others", async (subject) => {
    const kept = await subject.attach();
    succeeded(await subject.later("DEL", await subject.attach()));
    await works(subject, kept);
  }),
  must("DEL of one interface leaves the container's other one", async (subject) => {
    const kept = await subject.attach();
    const other = await subject.attach({}, { of: kept, ifname: "second0" });
    succeeded(await subject.later("DEL", other));
    await works(subject, kept);
  }),
  must("the same attachment can be added again after DEL", async (subject) => {
    const attachment = await subject.attach();
    succeeded(await subject.later("DEL", attachment));
    succeeded(await subject.add(attachment, { what: "after DEL" }));
    await works(subject, attachment);
  }),
  ...releases(),
]);

/** A DEL under some difficulty must succeed; that the address is free afterwards is asked by rules of their own. */
function lenient(
  level: typeof must,
  name: string,
  act: (subject: Subject, attachment: Attachment) => Promise<unknown>,
): Clause {
  return level(name, async (subject) => void await act(subject, await subject.attach()));
}

/** An address can be requested again after DEL, however little DEL was told. */
function releases(): Clause[] {
  const ways: [typeof must, string, (subject: Subject, attachment: Attachment) => Promise<CallOptions>][] = [
    [must, "DEL releases the address", () => Promise.resolve({})],
    [should, "DEL releases the address when the namespace is gone", async (subject, attachment) => {
      await subject.removeContainer(attachment.netns);
      return {};
    }],
    [should, "DEL releases the address without CNI_NETNS and prevResult", async (subject, attachment) => {
      await subject.removeContainer(attachment.netns);
      delete attachment.result;
      return { env: { CNI_NETNS: undefined } };
    }],
  ];
  return ways.map(([level, name, prepare]) =>
    level(name, { versions: since("0.3.0"), needs: "ips" }, async (subject) => {
      const attachment = await subject.attach();
      const ips = ownAddresses(attachment);
      succeeded(await subject.later("DEL", attachment, await prepare(subject, attachment)));
      const next = await subject.attach({ config: { runtimeConfig: { ips } }, what: `requesting ${ips} again` });
      demand(String(ownAddresses(next)) === String(ips), `requested ${ips}, got ${ownAddresses(next)}`);
    })
  );
}

async function released(subject: Subject, attachment: Attachment, options: CallOptions): Promise<void> {
  succeeded(await subject.later("DEL", attachment, options));
}

/** Demands that an attachment is whole: its addresses in the kernel, and CHECK content where the version has it. */
export async function works(subject: Subject, attachment: Attachment): Promise<void> {
  if (subject.spec.kind === "interface") {
    const link = linkOf(await kernelState(subject.host, attachment.netns), attachment.ifname);
    const seen = (link?.addr_info ?? []).map((address) => address.local);
    const missing = ownAddresses(attachment).filter((address) => !seen.includes(address));
    demand(view(attachment).ips.length > 0 && missing.length === 0, `${attachment.ifname} lost ${missing.join(", ")}`);
  }
  if (since("0.4.0").includes(subject.version)) {
    succeeded(await subject.later("CHECK", attachment, { what: "of the other attachment" }));
  }
}
