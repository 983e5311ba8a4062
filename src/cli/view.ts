/** What this node holds: read once, for whoever prints, draws or repairs it. */
import { formatCidr, formatIp, parseCidr } from "../ip.ts";
import { type Node, openNode } from "../state/node.ts";
import { openClaims, ownerOf, RESERVED, RESERVING } from "../routetable/claims.ts";
import { findConflict, interfaceMac } from "../routetable/conflict.ts";
import { type Attachment, knownNetworks, type Ledger, openLedger, recordedAddressing } from "../vxlan/attachments.ts";
import { readGateways } from "../vxlan/facts.ts";
import { macvlanName, vxlanName } from "../vxlan/topology.ts";
import type { World } from "../world.ts";

export interface AddressView {
  address: string;
  /** Who else has it, in words. */
  conflict?: string;
  /** With a conflict: whether this side keeps the address. */
  keeps?: boolean;
}

export interface NetworkView {
  name: string;
  /** The node's devices that exist. */
  devices: string[];
  gateways: string[];
  attachments: { containerId: string; ifname: string; netns: string; addresses: AddressView[] }[];
  reservations: { address: string; ready: boolean }[];
}

export async function viewNode(world: World): Promise<NetworkView[]> {
  using node = openNode(world);
  const ledger = openLedger(node);
  return await Promise.all(knownNetworks(ledger).map((name) => viewNetwork(node, ledger, name)));
}

async function viewNetwork(node: Node, { attachments, networks }: Ledger, name: string): Promise<NetworkView> {
  const { kernel } = node;
  const [vx, mv] = [vxlanName({ name }), macvlanName({ name })];
  const index = kernel.link(mv)?.index;
  const record = networks.read(vx);
  const attached = attachments.list(vx).flatMap((entry) => attachments.read(`${vx}/${entry}`) ?? []);
  return {
    name,
    devices: [vx, mv].filter((device) => kernel.link(device) !== undefined),
    gateways: record === undefined || index === undefined
      ? []
      : readGateways(kernel, recordedAddressing(record), index).map(formatCidr),
    attachments: await Promise.all(attached.map((one) => viewAttachment(node, one))),
    reservations: viewReservations(node, mv),
  };
}

function viewReservations(node: Node, device: string): NetworkView["reservations"] {
  const claims = openClaims(node);
  return [RESERVED, RESERVING].flatMap((owner) =>
    claims.of(owner).filter((claim) => claim.device === device)
      .map(({ ip }) => ({ address: formatIp(ip), ready: owner === RESERVED }))
  );
}

async function viewAttachment(node: Node, attachment: Attachment): Promise<NetworkView["attachments"][number]> {
  const { containerId, ifname, netns, network, addresses } = attachment;
  const isClaimed = openClaims(node).of(ownerOf(attachment)).length > 0;
  const link = node.kernel.link(macvlanName({ name: network }));
  const viewed = await Promise.all(addresses.map(async (address): Promise<AddressView> => {
    const ip = parseCidr(address)?.ip;
    if (!isClaimed || link?.index === undefined || ip === undefined) return { address };
    const device = { index: link.index, name: link.name ?? "", mac: link.mac ?? "", probes: true };
    const found = await findConflict(node, { ip, device, mac: interfaceMac(node, attachment) ?? device.mac });
    return found === undefined ? { address } : { address, conflict: found.other, keeps: found.ours };
  }));
  return { containerId, ifname, netns, addresses: viewed };
}
