/** The plugin that the real clients and chains are tried with. This is the one place that says which. */
import type { Conflist } from "../lib/chain.ts";
import { must } from "../lib/run.ts";

/** A configuration list and the folders with its plugins. */
export interface Subject {
  conflist: Conflist;
  pluginDirs: string[];
}

/** Where Debian's containernetworking-plugins puts the reference plugins. */
export const referencePlugins = "/usr/lib/cni";

/**
 * Installs the plugin under test in `folder` and describes it. `CNI_SUBJECT=ptp` or `=macvlan` takes that reference plugin
 * of containernetworking-plugins instead, to tell an error of a test from an error of the plugin. ptp cannot set a MAC and is
 * a veth; a host does not reach its own containers through macvlan: the tests of these fail.
 */
export async function makeSubject(folder: string): Promise<Subject> {
  const name = Deno.env.get("CNI_SUBJECT") ?? "vxlan";
  if (name !== "vxlan") return { conflist: reference(name), pluginDirs: [referencePlugins] };
  const executable = new URL("../../dist/vxlan-cni", import.meta.url).pathname;
  const bin = `${folder}/bin`;
  await Deno.mkdir(bin);
  const said = await must([executable, "install", "--bin-dir", bin]);
  if (!Array.from(Deno.readDirSync(bin), ({ name }) => name).includes(vxlan.plugins[0]!.type)) {
    throw new Error(`Cannot install the plugin: "install --bin-dir" made none, it said ${said.trim()}; build it again`);
  }
  return { conflist: vxlan, pluginDirs: [bin, referencePlugins] };
}

const vxlan: Conflist = {
  cniVersion: "1.0.0",
  name: "vxnet",
  plugins: [{
    type: "vxlan",
    ipam: { type: "routetable-ipam", propagationTimeout: 0 },
    defaultNetwork: "red",
    vxlans: [{
      id: 101,
      name: "red",
      cidr: "10.97.1.0/24",
      excludeFirst: 1,
      excludeLast: 1,
      options: { vtepdev: "ul0", group: "239.1.1.101", port: "4789", ttl: "4", learning: "true" },
    }],
  }],
};

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
