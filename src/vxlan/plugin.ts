/** The main plugin `vxlan`: one kernel vxlan device for each network, one macvlan for each container. */
import { keepAlso, keptAttachments } from "../cni/attachments.ts";
import { CniError, Code } from "../cni/error.ts";
import type { Invocation } from "../cni/invocation.ts";
import type { Plugin } from "../cni/plugin.ts";
import { rtnetlink } from "../netlink/rtnetlink.ts";
import type { World } from "../world.ts";
import { add } from "./add.ts";
import { claimAttachment, knownNetworks, listAttachments } from "./attachments.ts";
import { check } from "./check.ts";
import { type Network, readConfig } from "./config.ts";
import { del, release } from "./del.ts";
import { vtepDevice } from "./host.ts";
import { type BuiltIn, callIpam, gatewayInvocation } from "./ipam.ts";
import { macvlanName } from "./objects.ts";

export function vxlan(world: World, builtIn: BuiltIn): Plugin {
  return (invocation) => {
    switch (invocation.verb) {
      case "ADD":
        return add(world, builtIn, invocation);
      case "DEL":
        return del(world, builtIn, invocation);
      case "CHECK":
        return check(world, builtIn, invocation);
      case "STATUS":
        return status(world, builtIn, invocation);
      case "GC":
        return gc(world, builtIn, invocation);
      case "VERSION":
        return Promise.resolve(undefined);
    }
  };
}

/** Ready for ADD? Throws CniError (50) when a device of the underlay is missing, or what IPAM throws. */
async function status(world: World, builtIn: BuiltIn, invocation: Invocation): Promise<undefined> {
  const { networks } = readConfig(invocation.config.raw);
  using host = world.host();
  using kernel = rtnetlink(host.netlink());
  for (const network of networks) {
    try {
      vtepDevice(kernel, network);
    } catch (error) {
      throw new CniError(Code.notAvailable, error instanceof Error ? error.message : String(error));
    }
    const linkIndex = kernel.link(macvlanName(network))?.index;
    await callIpam(world, builtIn, invocation, { verb: "STATUS", network, linkIndex, ips: [] });
  }
}

/** Releases all attachments of this configuration that are not listed as valid. */
async function gc(world: World, builtIn: BuiltIn, invocation: Invocation): Promise<undefined> {
  const kept = keptAttachments(invocation);
  const { networks } = readConfig(invocation.config.raw);
  using host = world.host();
  using kernel = rtnetlink(host.netlink());
  const failed: unknown[] = [];
  const attempt = async (work: () => Promise<unknown>) => {
    try {
      await work();
    } catch (error) {
      failed.push(error);
    }
  };
  for (const network of knownNetworks(world.store)) {
    for (const attachment of listAttachments(world.store, network)) {
      if (attachment.config.name !== invocation.config.name || kept(attachment)) continue;
      await attempt(async () => {
        using _ = await claimAttachment(world.store, attachment);
        await release(world, kernel, builtIn, attachment, invocation);
      });
    }
  }
  for (const network of onePerType(networks)) {
    await attempt(() => gcIpam(world, builtIn, invocation, network, networks));
  }
  if (failed.length > 0) throw failed[0];
}

function onePerType(networks: readonly Network[]): Network[] {
  return networks.filter(({ ipam }, index) => networks.findIndex((one) => one.ipam.type === ipam.type) === index);
}

/** IPAM's own clean-up; the gateways' addresses are in use as long as their devices are. */
async function gcIpam(
  world: World,
  builtIn: BuiltIn,
  invocation: Invocation,
  network: Network,
  all: readonly Network[],
): Promise<void> {
  const raw = all.reduce((list, one) => {
    const { containerId, ifname } = gatewayInvocation(invocation, one);
    return keepAlso(list, containerId, ifname);
  }, invocation.config.raw);
  try {
    await callIpam(world, builtIn, { ...invocation, config: { ...invocation.config, raw } }, {
      verb: "GC",
      network,
      ips: [],
    });
  } catch (error) {
    // A plugin from before GC has nothing to clean up by.
    const unsupported = error instanceof CniError &&
      [Code.incompatibleVersion, Code.unknownContainer, Code.invalidEnvironment].some((code) => code === error.code);
    if (!unsupported) throw error;
  }
}
