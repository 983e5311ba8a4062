/** DEL, and what else releases attachments: whatever has become of the rest of the world. */
import { CniError } from "../cni/error.ts";
import type { Invocation } from "../cni/invocation.ts";
import { parseCidr } from "../ip.ts";
import type { Kernel } from "../netlink/kernel.ts";
import { remove } from "../state/apply.ts";
import { failures } from "../state/failures.ts";
import { reason } from "../text.ts";
import {
  type Attachment,
  attachmentName,
  findAttachments,
  recordAddressing,
  recordedAddressing,
} from "./attachments.ts";
import { networkOf } from "./attachments.ts";
import { type Call, openIfThere } from "./call.ts";
import { chooseNetwork } from "./choose.ts";
import { readConfig } from "./config.ts";
import { releaseHost } from "./host.ts";
import { callIpam } from "./ipam.ts";
import { macvlanName, vxlanName } from "./topology.ts";

export async function del(call: Call): Promise<undefined> {
  const { invocation, ledger: { attachments } } = call;
  const recorded = findAttachments(call.ledger, invocation).map((name) =>
    attachments.read(name) ?? rebuilt(call, name)
  );
  const guess = recorded.length > 0 ? undefined : guessed(invocation);
  const found = guess === undefined ? recorded : [guess];
  for (const attachment of found) {
    // No record: call IPAM only if its plugin exists; a missing plugin cannot hold an address.
    const ipam = guess === undefined || hasDelegate(call, attachment);
    using _ = await attachments.wait(attachmentName(attachment));
    await release(call, attachment, { ipam });
    await recover(call, attachment.network);
  }
}

function hasDelegate(call: Call, { ipam }: Attachment): boolean {
  try {
    call.delegate(ipam.type);
    return true;
  } catch (error) {
    if (error instanceof CniError) return false;
    throw error;
  }
}

/** Finishes what calls left that died half-way; what cannot be finished is left for the next call. */
export async function recover(call: Call, network: string): Promise<void> {
  const { world, ledger: { attachments } } = call;
  for (const { name, lock } of attachments.abandoned(vxlanName({ name: network }))) {
    using _ = lock;
    const attachment = attachments.has(name) ? attachments.read(name) ?? rebuilt(call, name) : undefined;
    if (attachment === undefined) attachments.end(name, lock);
    else {
      await release(call, attachment).catch((error) => world.log?.(`recovery of "${name}": ${reason(error)}`));
    }
  }
}

/** Without a record: what the configuration says, if it still makes sense. */
function guessed(invocation: Invocation): Attachment | undefined {
  try {
    const config = readConfig(invocation.config.raw);
    const { network } = chooseNetwork({ ...config, k8sReadAnnotations: false }, invocation);
    const { containerId, ifname, netns } = invocation;
    const rest = { netns, identity: "", network: network.name, vxlan: 0, addresses: [], routes: [] };
    return { ...recordAddressing(network, invocation), containerId, ifname, ...rest };
  } catch (error) {
    if (error instanceof CniError) return undefined;
    throw error;
  }
}

/** For a broken record: what its name and the configuration say. */
function rebuilt({ invocation }: Call, name: string): Attachment {
  const [folder = "", key = ""] = name.split("/");
  const at = key.indexOf("@");
  const guess = guessed(invocation);
  const { name: config, cniVersion, raw: { ipam } } = invocation.config;
  const type = typeof ipam === "object" && ipam !== null && "type" in ipam ? String(ipam.type) : "routetable-ipam";
  const unknown = { ipam: { type }, prefixes: [], excludeFirst: 0, excludeLast: 0, cniVersion, config, path: [] };
  return {
    ...{ ...unknown, ...guess, netns: invocation.netns, identity: "", vxlan: 0, addresses: [], routes: [] },
    network: networkOf(folder),
    containerId: key.slice(0, at),
    ifname: key.slice(at + 1),
  };
}

/** Releases one attachment; goes on after an error and throws all of them at the end, with the record kept for another try. */
export async function release(call: Call, attachment: Attachment, { ipam } = { ipam: true }): Promise<void> {
  const { attachments } = call.ledger;
  const name = attachmentName(attachment);
  const failed = failures();
  failed.attempt(() => deleteContainerLink(call, attachment));
  if (ipam) await failed.wait(() => releaseAddresses(call, attachment));
  if (!failed.some) {
    attachments.forget(name);
    attachments.unmark(name);
  }
  await failed.wait(() => releaseHost(call, attachment.network, attachment));
  failed.end();
}

/** For this call's own attachment, IPAM gets what the runtime sent; for any other, what was recorded. */
async function releaseAddresses(call: Call, attachment: Attachment): Promise<void> {
  const { kernel, invocation } = call;
  const { containerId, ifname, netns, ipam, cniVersion, config: name, path, network, addresses } = attachment;
  const own = containerId === invocation.containerId && ifname === invocation.ifname;
  const raw = own ? invocation.config.raw : { cniVersion, name, type: "vxlan", ipam };
  await callIpam({
    ...call,
    invocation: {
      ...invocation,
      ...{ containerId, ifname, netns: own && invocation.netns !== "" ? invocation.netns : netns },
      args: own ? invocation.args : {},
      path: invocation.path.length > 0 ? invocation.path : path,
      config: { ...invocation.config, raw },
    },
  }, {
    verb: "DEL",
    from: recordedAddressing(attachment),
    linkIndex: kernel.link(macvlanName({ name: network }))?.index,
    ips: addresses.flatMap((text) => parseCidr(text)?.ip ?? []),
  });
}

/** Deletes the interface if its namespace is still there and it is the one that was made. */
function deleteContainerLink(call: Call, attachment: Attachment): void {
  const { invocation, kernel: node } = call;
  const own = attachment.containerId === invocation.containerId && attachment.ifname === invocation.ifname;
  for (const path of new Set([own ? invocation.netns : "", attachment.netns])) {
    using container = openIfThere(call, path);
    // A path can come to mean something else, e.g. when a process id is used again.
    const { identity } = container?.netns ?? { identity: undefined };
    if (container === undefined || (attachment.identity !== "" && attachment.identity !== identity)) continue;
    const index = indexOfMade(call, attachment, container);
    if (index === undefined) continue;
    remove({ node, container }, [{ kind: "link", in: "container", name: attachment.ifname, index }]);
    return;
  }
}

/** The interface by its recorded index; when that is not known, the one of its name, if it can only be ours. */
function indexOfMade(call: Call, attachment: Attachment, container: Kernel): number | undefined {
  const { ifname, network, link: made } = attachment;
  const found = container.link(made ?? ifname);
  if (found?.info?.kind !== "macvlan") return undefined;
  if (made !== undefined) return found.index;
  const { identity } = container.netns;
  const parent = call.kernel.link(vxlanName({ name: network }))?.index;
  const isOurs = found.link === parent && identity !== call.kernel.netns.identity &&
    !belongsToOther(call, attachment, identity);
  return isOurs ? found.index : undefined;
}

/** Whether another container's record says that the interface of this name in that namespace is its own. */
function belongsToOther({ ledger: { attachments } }: Call, attachment: Attachment, identity: string): boolean {
  const { containerId, ifname, network } = attachment;
  const folder = vxlanName({ name: network });
  return attachments.list(folder).some((name) => {
    const other = attachments.read(`${folder}/${name}`);
    return other?.identity === identity && other.ifname === ifname && other.containerId !== containerId;
  });
}
