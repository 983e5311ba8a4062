/** The node's own address in a network: claimed by one ADD, waited for by the others. */
import { CniError, Code } from "../cni/error.ts";
import type { Invocation } from "../cni/invocation.ts";
import type { Cidr } from "../ip.ts";
import type { Rtnetlink } from "../netlink/rtnetlink.ts";
import { announce } from "../state/announce.ts";
import { create } from "../state/apply.ts";
import type { Lock, World } from "../world.ts";
import { gatewayLock, readHost, writeHost } from "./attachments.ts";
import type { Network } from "./config.ts";
import { gateways, type HostSide } from "./host.ts";
import { type BuiltIn, callIpam, gatewayInvocation, resultAddresses } from "./ipam.ts";
import { gatewayAddress } from "./objects.ts";

export interface Gateway {
  world: World;
  kernel: Rtnetlink;
  builtIn: BuiltIn;
  network: Network;
  invocation: Invocation;
  side: HostSide;
}

/** The gateways there are, one of each family of the network; undefined when some are missing. */
function complete({ kernel, network, side }: Gateway): Cidr[] | undefined {
  const found = gateways(kernel, network, side.macvlanIndex);
  return network.prefixes.every(({ ip }) => found.some((one) => one.ip.version === ip.version)) ? found : undefined;
}

/** Starts at once: claims when nobody does, so that the wait is shared with the container's own. Undefined: somebody else is at it. */
export function startGateway(gateway: Gateway): Promise<Cidr[]> | undefined {
  const there = complete(gateway);
  if (there !== undefined) return Promise.resolve(there);
  const lock = gateway.world.store.tryLock(gatewayLock(gateway.network.name), true);
  return lock === undefined ? undefined : claim(gateway, lock);
}

/** Waits for whoever claims the gateway; claims it here when that failed. */
export async function awaitGateway(gateway: Gateway): Promise<Cidr[]> {
  return claim(gateway, await gateway.world.store.lock(gatewayLock(gateway.network.name)));
}

async function claim(gateway: Gateway, held: Lock): Promise<Cidr[]> {
  using _ = held;
  const there = complete(gateway);
  if (there !== undefined) return there;
  const { world, builtIn, network, invocation, side } = gateway;
  const own = gatewayInvocation(invocation, network);
  const handoff = { network, linkIndex: side.macvlanIndex, ips: [] };
  const host = readHost(world.store, network.name);
  if (host === undefined) {
    throw new CniError(Code.tryAgainLater, `Cannot claim a gateway in "${network.name}": the network was removed`);
  }
  // An earlier claim whose address never came to the link: its maker died.
  if (host.claimed) await callIpam(world, builtIn, own, { ...handoff, verb: "DEL" });
  writeHost(world.store, network.name, { ...host, claimed: true });
  const result = await callIpam(world, builtIn, own, { ...handoff, verb: "ADD" });
  const addresses = resultAddresses(result, network).map(({ address }) => address);
  await putGateway(gateway, addresses);
  return addresses;
}

/** Puts gateway addresses on `mv_`; those that are there already stay. */
export async function putGateway({ world, kernel, network, side }: Gateway, addresses: readonly Cidr[]): Promise<void> {
  const there = gateways(kernel, network, side.macvlanIndex);
  const missing = addresses.filter(({ ip }) =>
    !there.some((one) => one.ip.version === ip.version && one.ip.value === ip.value)
  );
  await using undo = new AsyncDisposableStack();
  create(kernel, missing.map((address) => gatewayAddress(network, address)), undo);
  undo.move();
  using host = world.host();
  announce(host, kernel, { index: side.macvlanIndex, mac: side.macvlanMac }, missing.map(({ ip }) => ip));
}
