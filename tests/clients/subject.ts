/** The plugin that the real clients and chains are tried with. This is the one place that says which. */
import { binDir } from "../lib/call.ts";
import { netConf, OPTIONS, red } from "../lib/config.ts";
import type { Conflist } from "./chain.ts";

/** A configuration list and the folders with its plugins. */
export interface Subject {
  conflist: Conflist;
  pluginDirs: string[];
}

/** Where Debian's containernetworking-plugins puts the reference plugins. */
const REFERENCE = "/usr/lib/cni";

/**
 * The plugin under test. `CNI_SUBJECT=ptp` or `=macvlan` takes that reference plugin of containernetworking-plugins instead, to
 * tell an error of a test from an error of the plugin. ptp cannot set a MAC and is a veth; a host does not reach its own
 * containers through macvlan: the tests of these fail.
 */
export async function makeSubject(): Promise<Subject> {
  const name = Deno.env.get("CNI_SUBJECT") ?? "vxlan";
  if (name !== "vxlan") return { conflist: reference(name), pluginDirs: [REFERENCE] };
  return { conflist: ours(), pluginDirs: [await binDir(), REFERENCE] };
}

function ours(): Conflist {
  const options = { ...OPTIONS, ttl: "4", learning: "true" };
  const { cniVersion, name, ...plugin } = netConf({
    cniVersion: "1.0.0",
    vxlans: [red({ excludeFirst: 1, excludeLast: 1, options })],
  });
  return { cniVersion, name, plugins: [plugin] };
}

function reference(type: string): Conflist {
  const ipam = {
    type: "host-local",
    dataDir: "/run/host-local",
    subnet: "10.97.1.0/24",
    routes: [{ dst: "0.0.0.0/0" }],
  };
  // `master` is macvlan's; ptp has no such key and takes no notice.
  return { cniVersion: "1.0.0", name: "vxnet", plugins: [{ type, master: "ul0", ipam }] };
}
