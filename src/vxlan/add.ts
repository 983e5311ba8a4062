/** ADD: connects a container to its network. */
import type { Invocation } from "../cni/invocation.ts";
import { checkArgs, requestedIps, requestedMac } from "../cni/request.ts";
import { decodeResult, type Result } from "../cni/result.ts";
import { type Rtnetlink, rtnetlink } from "../netlink/rtnetlink.ts";
import type { World } from "../world.ts";
import { type Attachment, beginAttachment, findAttachments, settle } from "./attachments.ts";
import { ANNOTATION, chooseNetwork, readConfig } from "./config.ts";
import { connect } from "./connect.ts";
import { checkNotHost, interfaceExists, openContainer } from "./container.ts";
import { recover, release } from "./del.ts";
import { ensureHost, keptConfig } from "./host.ts";
import type { BuiltIn } from "./ipam.ts";

export async function add(world: World, builtIn: BuiltIn, invocation: Invocation): Promise<Result> {
  checkArgs(invocation);
  const config = readConfig(invocation.config.raw);
  const network = chooseNetwork(config, invocation);
  const key = `${ANNOTATION}RequestedAddress`;
  const requested = requestedIps(invocation, network.prefixes, {
    key: `args.annotations["${key}"]`,
    ip: config.annotations[key],
  });
  const mac = requestedMac(invocation);
  const { prevResult } = invocation.config.raw;
  const previous = prevResult === undefined ? undefined : decodeResult(prevResult, "prevResult");
  using host = world.host();
  using netns = openContainer(world, invocation);
  checkNotHost(host, netns, invocation);
  using kernel = rtnetlink(host.netlink());
  using inside = rtnetlink(netns.netlink());
  await checkNotAttached(world, builtIn, invocation, inside);
  await recover(world, kernel, builtIn, network.name, invocation);

  const attachment: Attachment = {
    containerId: invocation.containerId,
    ifname: invocation.ifname,
    netns: invocation.netns,
    identity: netns.identity,
    network: network.name,
    config: keptConfig(invocation),
    path: [...invocation.path],
    ips: [],
  };
  const lock = beginAttachment(world.store, attachment);
  await using undo = new AsyncDisposableStack();
  undo.defer(async () => {
    using _ = lock;
    await release(world, kernel, builtIn, attachment, invocation, { ipam: false });
  });
  const side = await ensureHost(world, kernel, network, invocation);
  const result = await connect({
    ...{ world, builtIn, invocation, config, network, kernel, netns, inside },
    ...{ attachment, side, requested, mac, undo },
  });
  world.interrupted.throwIfAborted();
  const merged = previous === undefined ? result : merge(previous, result);
  settle(world.store, attachment, lock);
  undo.move();
  return merged;
}

/** Throws CniError (103) when the interface exists; what remains of an attachment without one is released. */
async function checkNotAttached(
  world: World,
  builtIn: BuiltIn,
  invocation: Invocation,
  inside: Rtnetlink,
): Promise<void> {
  const { ifname, netns, containerId } = invocation;
  if (inside.link(ifname) !== undefined) throw interfaceExists(ifname, netns);
  using host = world.host();
  using kernel = rtnetlink(host.netlink());
  for (const stale of findAttachments(world.store, { containerId, ifname })) {
    // One that is being made at this moment is not stale.
    using _ = beginAttachment(world.store, stale);
    await release(world, kernel, builtIn, stale, invocation);
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
