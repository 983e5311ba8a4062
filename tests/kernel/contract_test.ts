/** The contract of the fake kernel: the same requests to it and to Linux come to the same. */
import { equal } from "node:assert/strict";
import { openNetns } from "../../src/system/netns.ts";
import { fakeWorld } from "../fake/world.ts";
import { Host } from "../lib/host.ts";
import { ADDRESSES } from "./contract/addresses.ts";
import { LINKS } from "./contract/links.ts";
import { LOOKUPS } from "./contract/lookups.ts";
import { ROUTES } from "./contract/routes.ts";
import { RULES } from "./contract/rules.ts";
import { type Side, sideOf } from "./contract/side.ts";

/** Two fresh namespaces of the fake kernel's. */
function fakeSide(): Side & Disposable {
  const world = fakeWorld();
  for (const path of ["/run/netns/node", "/run/netns/c1"]) world.kernel.space(path);
  return sideOf({ node: world.netns("/run/netns/node"), container: world.netns("/run/netns/c1") });
}

/** Two fresh namespaces of Linux, without the link-local addresses that it would give to links in its own time. */
async function realSide(host: Host): Promise<Side & Disposable> {
  const [node, container] = await Promise.all(["node", "c1"].map(async (name) => {
    await host.container(name);
    const netns = openNetns(`/proc/${host.pid}/root/run/netns/${name}`);
    netns.setSysctl("ipv6/conf/default/addr_gen_mode", "1");
    return netns;
  }));
  if (node === undefined || container === undefined) throw new Error("Cannot test: no namespaces");
  return sideOf({ node, container });
}

/** Throws with the first lines of both sides that are not the same. */
function compare(fake: Side, real: Side): void {
  const at = real.said.findIndex(({ line }, index) => line !== fake.said[index]?.line);
  if (at < 0 && fake.said.length === real.said.length) return;
  const some = ({ said }: Side) => said.slice(Math.max(0, at), at + 12).map(({ line }) => `  ${line}`).join("\n");
  throw new Error(`The fake kernel says:\n${some(fake)}\nLinux says:\n${some(real)}`);
}

for (const [title, scenario] of Object.entries({ ...LINKS, ...ADDRESSES, ...ROUTES, ...LOOKUPS, ...RULES })) {
  Deno.test(`contract: ${title}`, async () => {
    await using host = await Host.make("contract");
    using fake = fakeSide();
    using real = await realSide(host);
    for (const side of [fake, real]) await scenario(side);
    compare(fake, real);
    // The fake need not say anything; what it says are the kernel's words.
    for (const [index, { line, words }] of fake.said.entries()) {
      if (words !== "") equal(words, real.said[index]?.words, line);
    }
  });
}
