/** Section 5 Success: what ADD prints, alone and compared with the kernel. */
import { isObject } from "./answer.ts";
import { addressesOf, kernelState, linkOf, missingRoutes } from "./kernel.ts";
import { demand } from "./demand.ts";
import { must, type Rule, section, should } from "./rule.ts";
import { since } from "./version.ts";
import { shapeProblems } from "./shape.ts";
import { view } from "./subject.ts";

export const resultRules: readonly Rule[] = [
  ...section("5 Success", { for: "both" }, [
    must("the result has exactly the shape of its version", async (subject) => {
      const { result } = await subject.shared();
      const problems = shapeProblems(result, subject.version, subject.spec.kind);
      demand(problems.length === 0, problems.join("; "));
    }),
    must("the result's cniVersion is that of the config", async (subject) => {
      const { result } = await subject.shared();
      demand(result?.["cniVersion"] === subject.version, `cniVersion is ${result?.["cniVersion"]}`);
    }),
    must("the result has an address", async (subject) => {
      const { ips } = view(await subject.shared());
      demand(ips.length > 0, "no ips");
      return ips.map((ip) => ip.address).join(", ");
    }),
  ]),
  ...section("5 Success", { for: "interface", versions: since("0.3.0") }, [
    must("interfaces lists the container's interface with name and sandbox", async (subject) => {
      const attachment = await subject.shared();
      const own = view(attachment).interfaces.filter((link) => link.sandbox !== "");
      demand(own.length === 1, `${own.length} interfaces with sandbox`);
      demand(own[0]?.name === attachment.ifname, `its name is ${own[0]?.name}`);
      demand(own[0]?.sandbox === attachment.path, `its sandbox is ${own[0]?.sandbox}`);
    }),
    should("sandbox is the value of CNI_NETNS as it was given", async (subject) => {
      const attachment = await subject.container();
      attachment.path = `/proc/self/root/run/netns/${attachment.netns}`;
      await subject.add(attachment);
      const sandboxes = view(attachment).interfaces.map((link) => link.sandbox).filter((sandbox) => sandbox !== "");
      demand(sandboxes.length > 0 && sandboxes.every((one) => one === attachment.path), `sandbox is ${sandboxes}`);
    }),
    must("every interface of the result exists, with its MAC", async (subject) => {
      const attachment = await subject.shared();
      const [host, inside] = await Promise.all([
        kernelState(subject.host),
        kernelState(subject.host, attachment.netns),
      ]);
      for (const link of view(attachment).interfaces) {
        const seen = linkOf(link.sandbox === "" ? host : inside, link.name);
        demand(seen !== undefined, `${link.name} does not exist ${link.sandbox === "" ? "on the host" : "inside"}`);
        demand(
          link.mac === undefined || link.mac === seen.address,
          `${link.name}: ${link.mac}, kernel: ${seen.address}`,
        );
        demand(link.sandbox === "" || link.mac !== undefined, `${link.name} has no mac`);
      }
    }),
    must("the mtu of an interface is the kernel's", { versions: since("1.1.0") }, async (subject) => {
      const attachment = await subject.shared();
      const inside = await kernelState(subject.host, attachment.netns);
      const own = view(attachment).interfaces.find((link) => link.sandbox !== "");
      const seen = linkOf(inside, attachment.ifname);
      demand(own?.mtu === undefined || own.mtu === seen?.mtu, `mtu ${own?.mtu}, kernel: ${seen?.mtu}`);
    }),
    must("ips point to interfaces by their position in the list", async (subject) => {
      const { ips, interfaces } = view(await subject.shared());
      for (const { address, interface: index } of ips) {
        demand(index === undefined || index < interfaces.length, `${address}: index ${index} of ${interfaces.length}`);
      }
      const inside = ips.filter((ip) => (interfaces[ip.interface ?? -1]?.sandbox ?? "") !== "");
      demand(inside.length > 0, "no address points to an interface with sandbox");
    }),
  ]),
  ...section("2 ADD", { for: "interface" }, [
    must("the addresses of the result are on the container's interface", async (subject) => {
      const attachment = await subject.shared();
      const { ips, interfaces } = view(attachment);
      const own = ips.filter((ip) => ip.interface === undefined || interfaces[ip.interface]?.sandbox !== "");
      const seen = addressesOf(linkOf(await kernelState(subject.host, attachment.netns), attachment.ifname)).sort();
      const wanted = own.map((ip) => ip.address).sort();
      demand(String(seen) === String(wanted), `result: ${wanted.join(", ")}; kernel: ${seen.join(", ")}`);
    }),
    must("the routes of the result are in the container's table", async (subject) => {
      const attachment = await subject.shared();
      const missing = missingRoutes(await kernelState(subject.host, attachment.netns), view(attachment));
      demand(missing.length === 0, `missing: ${missing.join(", ")}`);
      return `${view(attachment).routes.length} routes`;
    }),
  ]),
  ...section("5 Delegated plugins (IPAM)", { for: "ipam", versions: since("0.3.0") }, [
    must("an IPAM plugin names no interface", async (subject) => {
      const { result } = await subject.shared();
      demand(result?.["interfaces"] === undefined, "the result has interfaces");
      const list = result?.["ips"];
      const ips = Array.isArray(list) ? list.filter(isObject) : [];
      demand(ips.every((ip) => !("interface" in ip)), "an address has the key interface");
    }),
  ]),
  ...section("1 Plugin configuration objects", { for: "interface" }, [
    should("dns of the config is in the result of a plugin that consumes it, or absent", async (subject) => {
      const dns = { nameservers: ["192.0.2.53"], search: ["example.test"] };
      const seen = view(await subject.attach({ config: { dns } })).dns;
      const given = Object.keys(seen).length === 0 ? undefined : seen["nameservers"];
      demand(given === undefined || String(given) === "192.0.2.53", `dns is ${JSON.stringify(seen)}`);
      return given === undefined ? "not consumed" : "in the result";
    }),
  ]),
];
