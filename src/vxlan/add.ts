/** ADD: connects a container to its network. */
import { checkArgs, requestedIps, requestedMac } from "../cni/request.ts";
import { decodeResult, type Result } from "../cni/result.ts";
import type { Kernel } from "../netlink/kernel.ts";
import { attach, type Wanted } from "./attach.ts";
import { type Attachment, attachmentName, beginAttachment, findAttachments, recordAddressing } from "./attachments.ts";
import { type Call, checkNotHost, interfaceExists, openContainer } from "./call.ts";
import { annotation, chooseNetwork } from "./choose.ts";
import { readConfig } from "./config.ts";
import { ensureHost } from "./host.ts";
import { recover, release } from "./release.ts";

export async function add(call: Call): Promise<Result> {
  const { world, invocation, ledger } = call;
  checkArgs(invocation);
  const config = readConfig(invocation.config.raw);
  const { network, why } = chooseNetwork(config, invocation);
  world.log?.(`network "${network.name}": ${why}`);
  const annotated = annotation(config, "RequestedAddress");
  const ips = requestedIps(invocation, network.prefixes, { path: annotated.path, ip: annotated.value });
  const wanted: Wanted = { config, ips, mac: requestedMac(invocation) };
  const { prevResult } = invocation.config.raw;
  const previous = prevResult === undefined ? undefined : decodeResult(prevResult, "prevResult");
  // An IPAM plugin that is not there is known before anything is made.
  call.delegate(network.ipam.type);
  using container = openContainer(call);
  checkNotHost(call, container);
  await releaseStale(call, container);
  await recover(call, network.name);

  const { containerId, ifname, netns } = invocation;
  const attachment: Attachment = {
    ...recordAddressing(network, invocation),
    containerId,
    ifname,
    netns,
    identity: container.netns.identity,
    network: network.name,
    vxlan: 0,
    addresses: [],
    routes: [],
  };
  const lock = beginAttachment(ledger, attachment);
  await using undo = new AsyncDisposableStack();
  undo.defer(async () => {
    using _ = lock;
    await release(call, attachment, { ipam: false });
  });
  ledger.attachments.write(attachmentName(attachment), attachment);
  const side = await ensureHost(call, network);
  attachment.vxlan = side.vxlan;
  const result = await attach({ ...call, network, container, attachment, undo, side }, wanted);
  world.interrupted.throwIfAborted();
  ledger.attachments.end(attachmentName(attachment), lock);
  undo.move();
  return previous === undefined ? result : merge(previous, result);
}

/** Throws CniError (103) when the interface exists; what remains of an attachment without one is released. */
async function releaseStale(call: Call, container: Kernel): Promise<void> {
  const { invocation, ledger: { attachments } } = call;
  if (container.link(invocation.ifname) !== undefined) throw interfaceExists(call);
  for (const name of findAttachments(call.ledger, invocation)) {
    const stale = attachments.read(name);
    if (stale === undefined) continue;
    // One that is being made at this moment is not stale.
    using _ = beginAttachment(call.ledger, stale);
    await release(call, stale);
  }
}

/** Ours after what a chain brought; positions are those of the merged list. */
function merge(previous: Result, own: Result): Result {
  const before = previous.interfaces ?? [];
  return {
    interfaces: [...before, ...(own.interfaces ?? [])],
    ips: [
      ...previous.ips,
      ...own.ips.map((ip) => ({
        ...ip,
        ...(ip.interface === undefined ? {} : { interface: ip.interface + before.length }),
      })),
    ],
    routes: [...previous.routes, ...own.routes],
    dns: Object.keys(own.dns).length > 0 ? own.dns : previous.dns,
  };
}
