/** Section 2 ADD: what it makes, what it leaves alone, when it refuses. */
import { failed, succeeded } from "./answer.ts";
import { difference, everythingOf } from "../lib/state.ts";
import { kernelState, linkOf } from "./kernel.ts";
import { bare } from "./result.ts";
import { broken, demand } from "./demand.ts";
import { must, type Rule, section, should } from "./rule.ts";
import { reaches, since } from "./version.ts";
import { type Attachment, type Subject, view } from "./subject.ts";

export const addRules: readonly Rule[] = [
  ...section("2 ADD", { for: "interface" }, [
    must("ADD creates the interface CNI_IFNAME in the container, up", async (subject) => {
      const attachment = await subject.shared();
      const link = linkOf(await kernelState(subject.host, attachment.netns), attachment.ifname);
      demand(link !== undefined, `no ${attachment.ifname} in the container`);
      demand(link.flags.includes("UP"), `${attachment.ifname} is down`);
      return link.linkinfo?.info_kind ?? "no kind";
    }),
    must("ADD leaves other interfaces of the container as they are", async (subject) => {
      const attachment = await subject.container();
      const ip = ["ip", "-n", attachment.netns];
      await subject.host.must([...ip, "link", "add", "other0", "type", "bridge"]);
      await subject.host.must([...ip, "addr", "add", "198.51.100.9/24", "dev", "other0"]);
      const before = (await kernelState(subject.host, attachment.netns)).links;
      succeeded(await subject.add(attachment));
      const after = (await kernelState(subject.host, attachment.netns)).links;
      for (const link of before.filter((link) => link.ifname !== "lo")) {
        const now = after.find((other) => other.ifname === link.ifname);
        demand(JSON.stringify(now) === JSON.stringify(link), `${link.ifname} was changed`);
      }
      demand(after.length === before.length + 1, `${after.length - before.length} links came`);
    }),
    must("ADD fails where an interface of this name exists, and leaves it as it is", async (subject) => {
      await subject.shared();
      const attachment = await subject.container();
      await subject.host.must(["ip", "-n", attachment.netns, "link", "add", attachment.ifname, "type", "bridge"]);
      await leavesContainer(subject, attachment, async () => failed(await subject.add(attachment)));
    }),
    must("a second ADD of the same attachment fails and does not harm the first", async (subject) => {
      const attachment = await subject.attach();
      await leavesContainer(subject, attachment, async () => failed(await subject.add(attachment, { what: "again" })));
    }),
    must("a container can be added twice with different interface names", { for: "both" }, async (subject) => {
      const first = await subject.attach();
      const second = await subject.attach({}, { of: first, ifname: "second0" });
      const addresses = [first, second].flatMap((one) => view(one).ips.map((ip) => bare(ip.address)));
      demand(new Set(addresses).size === addresses.length, `addresses: ${addresses.join(", ")}`);
    }),
    must("ADD fails for a namespace that does not exist", async (subject) => {
      await subject.shared();
      const attachment = await subject.container();
      attachment.path = "/run/netns/missing";
      failed(await subject.add(attachment, { what: "of a missing namespace" }));
    }),
    must("ADD fails for a path that is no namespace", async (subject) => {
      await subject.shared();
      const attachment = await subject.container();
      for (const path of ["/etc/hostname", "/run", "/dev/null"]) {
        attachment.path = path;
        failed(await subject.add(attachment, { what: `of ${path}` }));
      }
    }),
  ]),
  ...section("2 Errors", { for: "both" }, [
    should("ADD of input that is refused leaves nothing", async (subject) => {
      await subject.shared();
      const attachment = await subject.container();
      await leavesHost(subject, async () => {
        failed(await subject.add(attachment, { stdin: "{" }));
        failed(await subject.add(attachment, { config: { name: "" } }));
        failed(await subject.add(attachment, { env: { CNI_IFNAME: "a/b" } }));
      });
      const links = (await kernelState(subject.host, attachment.netns)).links.map((link) => link.ifname);
      demand(String(links) === "lo", `links in the container: ${links}`);
    }),
  ]),
  ...section("5 Success", { for: "interface", versions: since("0.3.0") }, [
    must("prevResult given to ADD is part of the result, with valid positions", async (subject) => {
      const attachment = await subject.container();
      const prevResult = {
        cniVersion: subject.version,
        interfaces: [{ name: "other0", mac: "02:00:00:00:00:09", sandbox: attachment.path }],
        ips: [{
          ...(reaches(subject.version, "1.0.0") ? {} : { version: "4" }),
          address: "198.51.100.9/24",
          interface: 0,
        }],
      };
      succeeded(await subject.add(attachment, { config: { prevResult }, what: "with prevResult" }));
      const { ips, interfaces } = view(attachment);
      const previous = ips.find((ip) => ip.address === "198.51.100.9/24") ?? broken("the previous address is missing");
      demand(interfaces[previous.interface ?? -1]?.name === "other0", "the previous address lost its interface");
      const own = ips.filter((ip) => interfaces[ip.interface ?? -1]?.name === attachment.ifname);
      demand(own.length > 0, "no address of its own");
    }),
  ]),
  ...section("2 ADD", { for: "interface" }, [
    should("ADD works where the container has a default route already", async (subject) => {
      const attachment = await subject.container();
      const ip = ["ip", "-n", attachment.netns];
      await subject.host.must([...ip, "link", "add", "other0", "up", "type", "bridge"]);
      await subject.host.must([...ip, "addr", "add", "198.51.100.9/24", "dev", "other0"]);
      await subject.host.must([...ip, "route", "add", "default", "via", "198.51.100.1"]);
      succeeded(await subject.add(attachment));
      const routes = await subject.host.ip<{ dst: string; gateway?: string }>("route show default", attachment.netns);
      demand(routes.some((route) => route.gateway === "198.51.100.1"), "the first default route is gone");
    }),
  ]),
];

/** Demands that an action leaves the host as it was. */
export async function leavesHost(subject: Subject, action: () => Promise<unknown>): Promise<void> {
  const before = await everythingOf(subject.host);
  await action();
  const changed = difference(before, await everythingOf(subject.host));
  demand(changed === "", `on the host: ${changed}`);
}

/** Demands that an action leaves the inside of a container as it was. */
export async function leavesContainer(
  subject: Subject,
  { netns }: Attachment,
  action: () => Promise<unknown>,
): Promise<void> {
  const before = await everythingOf(subject.host, netns);
  await action();
  const changed = difference(before, await everythingOf(subject.host, netns));
  demand(changed === "", `in the container: ${changed}`);
}

/** The addresses of an attachment's result, without prefix lengths. */
export function ownAddresses(attachment: Attachment): string[] {
  return view(attachment).ips.map((ip) => bare(ip.address));
}
