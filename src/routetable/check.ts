/** Is a claim there, and is it ours alone? Two partitions of a cluster can have given out one address; when they heal, both sides name the same loser. */
import { CniError, Code } from "../cni/error.ts";
import { KernelError } from "../errno.ts";
import { contains, formatIp, hostPrefix, type Ip, sameIp } from "../ip.ts";
import { mac as macCodec } from "../netlink/codec.ts";
import type { RouteMessage } from "../netlink/format.ts";
import { RT_TABLE_LOCAL, type Rtnetlink, rtnetlink } from "../netlink/rtnetlink.ts";
import type { Netns, World } from "../world.ts";
import { ask, type Device } from "./ask.ts";

export interface Claim {
  world: World;
  kernel: Rtnetlink;
  host: Netns;
  device: Device;
  ip: Ip;
  /** The hardware address of the container that has the address. */
  mac: string;
}

/** Somebody else who has the address. */
export interface Conflict {
  /** In words: a hardware address, or the next hop of a route. */
  other: string;
  /** Whether this side keeps the address. */
  ours: boolean;
}

/** Milliseconds in which an owner on the broadcast domain answers. */
const ANSWER_WAIT = 50;

/** Throws CniError (105) when the claim's route is gone, or when somebody else has the address and keeps it. */
export async function checkClaim(claim: Claim): Promise<void> {
  const { kernel, device, ip } = claim;
  if (!isInstalled(kernel, device, ip)) {
    throw new CniError(
      Code.checkFailed,
      `Cannot find the claim of ${
        formatIp(ip)
      }: its host route on "${device.name}" is missing; run DEL and ADD for this container`,
    );
  }
  const conflict = await findConflict(claim);
  if (conflict === undefined || conflict.ours) return;
  throw new CniError(
    Code.checkFailed,
    `Cannot confirm the claim of ${
      formatIp(ip)
    }: ${conflict.other} has the same address, and keeps it; run DEL and ADD for this container`,
  );
}

/** Whether our host route stands in the table, preferred or not. */
function isInstalled(kernel: Rtnetlink, device: Device, ip: Ip): boolean {
  const found = kernel.lookup(ip);
  if (found?.length !== hostPrefix(ip).length) return false;
  return found.oif === device.index || found.table === RT_TABLE_LOCAL ||
    kernel.lookup(ip, device.index)?.length === hostPrefix(ip).length;
}

/** Looks for somebody else with the address: on the broadcast domain first, then in the routing table. */
export async function findConflict(claim: Claim): Promise<Conflict | undefined> {
  const { world, kernel, host, device, ip, mac } = claim;
  const before = foreignRoute(kernel, device, ip);
  const heard = device.probes ? await ask(world, host, device, ip, ANSWER_WAIT) : [];
  const others = heard.map(({ mac: bytes }) => macCodec.decode(bytes)).filter((one) =>
    one !== mac && one !== device.mac
  );
  const [lowest] = others.sort();
  // Both sides hear the other's hardware address and compare the same two values: the lower one keeps the address.
  if (lowest !== undefined) return { other: `hardware address ${lowest}`, ours: mac < lowest };
  const after = before === undefined ? undefined : foreignRoute(kernel, device, ip);
  return after === undefined ? undefined : routeConflict(kernel, after);
}

/** A route to the address that leads elsewhere: the preferred one, or one on the way of the underlay or the default route. */
function foreignRoute(kernel: Rtnetlink, device: Device, ip: Ip): RouteMessage | undefined {
  const parent = kernel.link(device.index)?.link;
  const underlay = parent === undefined ? undefined : kernel.link(parent)?.info?.vxlan?.link;
  for (const oif of [undefined, underlay]) {
    const found = kernel.lookup(ip, oif);
    const exact = found?.length === hostPrefix(ip).length && found.table !== RT_TABLE_LOCAL;
    if (found !== undefined && exact && found.oif !== device.index) return found;
  }
  return undefined;
}

/** Without an answer on the broadcast domain the nodes' addresses on the underlay decide: the lower one keeps the address. */
function routeConflict(kernel: Rtnetlink, { gateway, oif }: RouteMessage): Conflict {
  if (gateway === undefined || oif === undefined) return { other: "a route of this node", ours: false };
  const own = kernel.addresses(oif).flatMap(({ local, address, length = 0 }) => {
    const ip = local ?? address;
    return ip !== undefined && contains({ ip, length }, gateway) && !sameIp(ip, gateway) ? [ip] : [];
  })[0];
  return { other: `the node behind ${formatIp(gateway)}`, ours: own !== undefined && own.value < gateway.value };
}

/** The hardware address of a container's interface as it is now: a later plugin of the chain may have changed it. Undefined when its namespace is gone, or not the one of `identity` any more. */
export function interfaceMac(
  world: World,
  { netns: path, ifname, identity }: { netns: string; ifname: string; identity?: string },
): string | undefined {
  try {
    using netns = world.netns(path);
    if (identity !== undefined && netns.identity !== identity) return undefined;
    using inside = rtnetlink(netns.netlink());
    return inside.link(ifname)?.mac;
  } catch (error) {
    if (error instanceof KernelError) return undefined;
    throw error;
  }
}
