/** The node's own address in a network: claimed by one ADD, waited for by the others. */
import { CniError, Code } from "../cni/error.ts";
import { type Cidr, type Ip, sameIp } from "../ip.ts";
import { announce } from "../state/announce.ts";
import { create } from "../state/apply.ts";
import type { Lock } from "../world.ts";
import { gatewayLock } from "./attachments.ts";
import type { Call } from "./call.ts";
import { type NodeSide, readGateways } from "./facts.ts";
import { releaseGateway } from "./host.ts";
import { callIpam, forGateway, resultAddresses } from "./ipam.ts";
import type { Network } from "./network.ts";
import { gatewayAddress, vxlanName } from "./topology.ts";

/** A network of this node whose devices are there. */
export interface Hosted extends Call {
  readonly network: Network;
  readonly side: NodeSide;
}

/** The gateways there are, one of each family of the network; undefined when some are missing. */
function complete({ kernel, network, side }: Hosted): Cidr[] | undefined {
  const found = readGateways(kernel, network, side.macvlan);
  return network.prefixes.every(({ ip }) => found.some((one) => one.ip.version === ip.version)) ? found : undefined;
}

/** The node's gateways; claimed here unless another call does so. `avoid` are addresses that the container asks for meanwhile. */
export async function ensureGateways(hosted: Hosted, avoid: readonly Ip[]): Promise<Cidr[]> {
  const { store, network } = hosted;
  const name = gatewayLock(network.name);
  return complete(hosted) ?? await claim(hosted, avoid, store.tryLock(name, true) ?? await store.lock(name));
}

async function claim(hosted: Hosted, avoid: readonly Ip[], held: Lock): Promise<Cidr[]> {
  using _ = held;
  const there = complete(hosted);
  if (there !== undefined) return there;
  const { network, side, ledger: { networks } } = hosted;
  const record = networks.read(vxlanName(network));
  if (record === undefined) {
    throw new CniError(Code.tryAgainLater, `Cannot claim a gateway in "${network.name}": the network was removed`);
  }
  // An earlier claim whose address never came to the link: its maker died.
  if (record.claimed) await releaseGateway(hosted, record);
  networks.write(vxlanName(network), { ...record, claimed: true });
  const result = await callIpam(forGateway(hosted, network), {
    verb: "ADD",
    from: network,
    linkIndex: side.macvlan,
    avoid,
    gateway: true,
  });
  const addresses = resultAddresses(result, network).map(({ address }) => address);
  putGateways(hosted, addresses);
  return addresses;
}

/** Puts gateway addresses on `mv_`; those that are there already stay. */
export function putGateways({ kernel, network, side }: Hosted, addresses: readonly Cidr[]): void {
  const there = readGateways(kernel, network, side.macvlan);
  const missing = addresses.filter(({ ip }) => !there.some((one) => sameIp(one.ip, ip)));
  // Gateways belong to the network, not to one attachment: they are not taken back with it.
  create({ node: kernel }, missing.map((address) => gatewayAddress(network, address)), new AsyncDisposableStack());
  announce(kernel, { index: side.macvlan, mac: side.mac }, missing.map(({ ip }) => ip));
}
