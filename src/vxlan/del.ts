/** DEL: releases everything of an attachment, whatever has become of the rest of the world. */
import { CniError } from "../cni/error.ts";
import type { Invocation } from "../cni/invocation.ts";
import { EINVAL, ENOENT, failedWith } from "../errno.ts";
import { parseCidr } from "../ip.ts";
import { type Rtnetlink, rtnetlink } from "../netlink/rtnetlink.ts";
import { remove } from "../state/apply.ts";
import type { Netns, World } from "../world.ts";
import { type Attachment, claimAttachment, crashed, findAttachments, forget, listAttachments } from "./attachments.ts";
import { chooseNetwork, type Network, readConfig } from "./config.ts";
import { releaseHost } from "./host.ts";
import { type BuiltIn, callIpam } from "./ipam.ts";
import { macvlanName, vxlanName } from "./objects.ts";

export async function del(world: World, builtIn: BuiltIn, invocation: Invocation): Promise<undefined> {
  using host = world.host();
  using kernel = rtnetlink(host.netlink());
  const found = findAttachments(world.store, invocation);
  const attachments = found.length > 0 ? found : guessed(invocation);
  for (const attachment of attachments) {
    // Of what has no record, an IPAM plugin that is not there holds nothing.
    const ipam = found.length > 0 || ipamIsThere(world, builtIn, attachment);
    const at = { ...attachment, netns: invocation.netns || attachment.netns };
    using _ = await claimAttachment(world.store, at);
    await release(world, kernel, builtIn, at, invocation, { ipam });
    await recover(world, kernel, builtIn, attachment.network, invocation);
  }
}

/** Finishes what calls left that died half-way; what cannot be finished is left for the next call. */
export async function recover(
  world: World,
  kernel: Rtnetlink,
  builtIn: BuiltIn,
  network: string,
  invocation: Invocation,
): Promise<void> {
  for (const { attachment, lock } of crashed(world.store, network)) {
    using _ = lock;
    try {
      await release(world, kernel, builtIn, attachment, invocation);
    } catch (error) {
      world.log(
        `recovery of ${attachment.containerId} ${attachment.ifname}: ${error instanceof Error ? error.message : error}`,
      );
    }
  }
}

function ipamIsThere(world: World, builtIn: BuiltIn, attachment: Attachment): boolean {
  const type = recordedNetwork(attachment)?.ipam.type;
  return type !== undefined && (Object.hasOwn(builtIn, type) || world.find(type, attachment.path) !== undefined);
}

/** Without a record: what the configuration says, if it still makes sense. */
function guessed(invocation: Invocation): Attachment[] {
  try {
    const config = { ...invocation.config.raw };
    const network = chooseNetwork({ ...readConfig(config), k8sReadAnnotations: false }, invocation);
    const { containerId, ifname, netns } = invocation;
    return [{
      containerId,
      ifname,
      netns,
      identity: "",
      network: network.name,
      config,
      path: [...invocation.path],
      ips: [],
    }];
  } catch (error) {
    if (error instanceof CniError) return [];
    throw error;
  }
}

/** Releases one attachment; goes on after an error and throws the first at the end, with the record kept for another try. */
export async function release(
  world: World,
  kernel: Rtnetlink,
  builtIn: BuiltIn,
  attachment: Attachment,
  invocation: Invocation,
  { ipam }: { ipam: boolean } = { ipam: true },
): Promise<void> {
  const network = recordedNetwork(attachment);
  const failed: unknown[] = [];
  const attempt = async (work: () => unknown) => {
    try {
      await work();
    } catch (error) {
      failed.push(error);
    }
  };
  await attempt(() => deleteContainerLink(world, kernel, attachment));
  if (network !== undefined && ipam) {
    await attempt(() => releaseAddress(world, kernel, builtIn, attachment, network, invocation));
  }
  if (failed.length === 0) forget(world.store, attachment);
  await attempt(() => releaseHost(world, kernel, builtIn, attachment.network, invocation));
  if (failed.length > 0) throw failed[0];
}

function recordedNetwork({ config, network }: Attachment): Network | undefined {
  try {
    return readConfig(config).networks.find(({ name }) => name === network);
  } catch (error) {
    if (error instanceof CniError) return undefined;
    throw error;
  }
}

async function releaseAddress(
  world: World,
  kernel: Rtnetlink,
  builtIn: BuiltIn,
  attachment: Attachment,
  network: Network,
  invocation: Invocation,
): Promise<void> {
  const { containerId, ifname, netns, config, path } = attachment;
  const own = containerId === invocation.containerId && ifname === invocation.ifname;
  // What the runtime says now is what the delegate gets, but for a call that it is not about.
  const raw = own ? invocation.config.raw : config;
  const previous = own ? invocation : { ...invocation, args: {} };
  await callIpam(world, builtIn, {
    ...previous,
    ...{ containerId, ifname, netns },
    path: invocation.path.length > 0 ? invocation.path : path,
    config: { ...invocation.config, raw },
  }, {
    verb: "DEL",
    network,
    linkIndex: kernel.link(macvlanName(network))?.index,
    ips: attachment.ips.flatMap((text) => parseCidr(text)?.ip ?? []),
  });
}

/** Deletes the interface if its namespace is still there and it is the one that we made. */
function deleteContainerLink(world: World, kernel: Rtnetlink, attachment: Attachment): void {
  using netns = openExisting(world, attachment.netns);
  if (netns === undefined) return;
  // A path can come to mean something else, e.g. when a process id is used again.
  if (attachment.identity !== "" && attachment.identity !== netns.identity) return;
  using host = world.host();
  if (netns.identity === host.identity || belongsToOther(world, attachment, netns.identity)) return;
  using inside = rtnetlink(netns.netlink());
  const link = inside.link(attachment.ifname);
  const parent = kernel.link(vxlanName({ name: attachment.network }))?.index;
  if (link?.info?.kind !== "macvlan" || link.link !== parent) return;
  remove(inside, [{ kind: "link", name: attachment.ifname }]);
}

/** Whether another container's record says that the interface of this name in that namespace is its own. */
function belongsToOther({ store }: World, { containerId, ifname, network }: Attachment, identity: string): boolean {
  return listAttachments(store, network).some((other) =>
    other.identity === identity && other.ifname === ifname && other.containerId !== containerId
  );
}

/** The namespace at a path; undefined when there is none or it is something else. */
function openExisting(world: World, path: string): Netns | undefined {
  if (path === "") return undefined;
  try {
    return world.netns(path);
  } catch (error) {
    const ENOTDIR = 20;
    if (failedWith(error, ENOENT, EINVAL, ENOTDIR)) return undefined;
    throw error;
  }
}
