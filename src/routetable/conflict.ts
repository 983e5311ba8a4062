/** Is a claim there, and is it ours alone? Two partitions of a cluster can have given out one address; when they heal, both sides name the same loser. */
import { CniError, Code } from "../cni/error.ts";
import { KernelError } from "../errno.ts";
import { bits, contains, formatIp, type Ip, sameIp } from "../ip.ts";
import { ownAddress } from "../netlink/address.ts";
import { type Kernel, openKernel } from "../netlink/kernel.ts";
import { type RouteMessage, RTN_LOCAL } from "../netlink/route.ts";
import type { Node } from "../state/node.ts";
import { askDomain, type ClaimDevice } from "./domain.ts";

/** An address that a container of this node has. */
interface Held {
  ip: Ip;
  device: ClaimDevice;
  /** The hardware address of the container's interface. */
  mac: string;
}

/** Somebody else who has the address. */
interface Conflict {
  /** In words: a hardware address, or the next hop of a route. */
  other: string;
  /** Whether this side keeps the address. */
  ours: boolean;
}

/** Milliseconds in which an owner on the broadcast domain answers. */
const ANSWER_WAIT = 50;

/** Throws CniError (105) when the claim's route is gone, or when somebody else has the address and keeps it. */
export async function checkClaim(node: Node, held: Held): Promise<void> {
  const text = formatIp(held.ip);
  if (!isInstalled(node.kernel, held)) {
    throw new CniError(
      Code.checkFailed,
      `Cannot find the claim of ${text}: its host route on "${held.device.name}" is missing; run DEL and ADD for this container`,
    );
  }
  const conflict = await findConflict(node, held);
  if (conflict === undefined || conflict.ours) return;
  throw new CniError(
    Code.checkFailed,
    `Cannot confirm the claim of ${text}: ${conflict.other} has the same address, and keeps it; run DEL and ADD for this container`,
  );
}

/** Whether our host route stands in the table, preferred or not. */
function isInstalled(kernel: Kernel, { device, ip }: Held): boolean {
  const found = kernel.lookup(ip);
  if (found?.length !== bits(ip.version)) return false;
  return found.oif === device.index || found.type === RTN_LOCAL ||
    kernel.lookup(ip, device.index)?.length === bits(ip.version);
}

/** Looks for somebody else with the address: on the broadcast domain first, then in the routing table. */
export async function findConflict(node: Node, held: Held): Promise<Conflict | undefined> {
  const { kernel } = node;
  const { device, mac } = held;
  const before = foreignRoute(kernel, held);
  const heard = device.probes ? await askDomain(node, held, ANSWER_WAIT) : [];
  const [lowest] = heard.filter((one) => one !== mac && one !== device.mac).sort();
  // Both sides hear the other's hardware address and compare the same two values: the lower one keeps the address.
  if (lowest !== undefined) return { other: `hardware address ${lowest}`, ours: mac < lowest };
  const after = before === undefined ? undefined : foreignRoute(kernel, held);
  return after === undefined ? undefined : routeConflict(kernel, after);
}

/** A route to the address that leads elsewhere: the preferred one, or one on the way of the underlay. */
function foreignRoute(kernel: Kernel, { device, ip }: Held): RouteMessage | undefined {
  const parent = kernel.link(device.index)?.link;
  const underlay = parent === undefined ? undefined : kernel.link(parent)?.info?.vxlan?.link;
  for (const oif of [undefined, underlay]) {
    const found = kernel.lookup(ip, oif);
    const isExact = found?.length === bits(ip.version) && found.type !== RTN_LOCAL;
    if (found !== undefined && isExact && found.oif !== device.index) return found;
  }
  return undefined;
}

/** Without an answer on the broadcast domain the nodes' addresses on the underlay decide: the lower one keeps the address. */
function routeConflict(kernel: Kernel, { gateway, oif }: RouteMessage): Conflict {
  if (gateway === undefined || oif === undefined) return { other: "a route of this node", ours: false };
  const own = kernel.addresses(oif).flatMap((one) => {
    const ip = ownAddress(one);
    return ip !== undefined && contains({ ip, length: one.length ?? 0 }, gateway) && !sameIp(ip, gateway) ? [ip] : [];
  })[0];
  return { other: `the node behind ${formatIp(gateway)}`, ours: own !== undefined && own.value < gateway.value };
}

/** The hardware address of a container's interface as it is now: a later plugin of the chain may have changed it. Undefined when its namespace is gone, or not the one of `identity` any more. */
export function interfaceMac(
  { world }: Node,
  { netns: path, ifname, identity }: { netns: string; ifname: string; identity?: string },
): string | undefined {
  try {
    using container = openKernel(world.netns(path), world.log);
    if (identity !== undefined && container.netns.identity !== identity) return undefined;
    return container.link(ifname)?.mac;
  } catch (error) {
    if (error instanceof KernelError) return undefined;
    throw error;
  }
}
