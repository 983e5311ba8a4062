/** `vxlan-cni status`: what this node holds, and whether somebody else holds it as well. */
import { formatCidr, parseCidr, parseIp } from "../ip.ts";
import { type Rtnetlink, rtnetlink } from "../netlink/rtnetlink.ts";
import type { Device } from "../routetable/ask.ts";
import { findConflict, interfaceMac } from "../routetable/check.ts";
import { listClaims } from "../routetable/records.ts";
import { listReservations } from "../routetable/reserve.ts";
import { type Attachment, knownNetworks, listAttachments, readHost } from "../vxlan/attachments.ts";
import { readConfig } from "../vxlan/config.ts";
import { gateways } from "../vxlan/host.ts";
import { macvlanName, vxlanName } from "../vxlan/objects.ts";
import type { World } from "../world.ts";

interface AddressStatus {
  address: string;
  /** Who else has it, in words. */
  conflict?: string;
  /** With a conflict: whether this side keeps the address. */
  keeps?: boolean;
}

interface NetworkStatus {
  name: string;
  /** The node's devices that exist. */
  devices: string[];
  gateways: string[];
  attachments: { containerId: string; ifname: string; netns: string; addresses: AddressStatus[] }[];
  reservations: { address: string; ready: boolean }[];
}

/** Prints the status for people, or as JSON; returns 0, or 1 when there is a conflict. */
export async function printStatus(args: string[], world: World): Promise<number> {
  const { parseArgs } = await import("node:util");
  const { values } = parseArgs({ args, options: { json: { type: "boolean", default: false } } });
  const networks = await readStatus(world);
  console.log(values.json ? JSON.stringify({ networks }, undefined, 2) : describe(networks));
  const conflicts = networks.flatMap(({ attachments }) => attachments).flatMap(({ addresses }) => addresses);
  return conflicts.some(({ conflict }) => conflict !== undefined) ? 1 : 0;
}

async function readStatus(world: World): Promise<NetworkStatus[]> {
  using host = world.host();
  using kernel = rtnetlink(host.netlink());
  const out: NetworkStatus[] = [];
  for (const name of knownNetworks(world.store)) {
    const mv = kernel.link(macvlanName({ name }));
    const attachments = listAttachments(world.store, name);
    out.push({
      name,
      devices: [vxlanName({ name }), macvlanName({ name })].filter((device) => kernel.link(device) !== undefined),
      gateways: readGateways(world, kernel, name, mv?.index),
      attachments: await Promise.all(attachments.map((one) => attachmentStatus(world, kernel, one))),
      reservations: listReservations(world.store).filter(({ device }) => device === macvlanName({ name }))
        .map(({ ip, ready }) => ({ address: ip, ready })),
    });
  }
  return out;
}

function readGateways(world: World, kernel: Rtnetlink, name: string, index: number | undefined): string[] {
  const config = readHost(world.store, name)?.config;
  const network = config === undefined ? undefined : readConfig(config).networks.find((one) => one.name === name);
  if (network === undefined || index === undefined) return [];
  return gateways(kernel, network, index).map(formatCidr);
}

async function attachmentStatus(world: World, kernel: Rtnetlink, attachment: Attachment) {
  const { containerId, ifname, netns, network, ips } = attachment;
  const claimed = listClaims(world.store).some((claim) => claim.containerId === containerId && claim.ifname === ifname);
  const link = kernel.link(macvlanName({ name: network }));
  const addresses = await Promise.all(ips.map(async (address): Promise<AddressStatus> => {
    const ip = parseCidr(address)?.ip ?? parseIp(address);
    if (!claimed || link?.index === undefined || ip === undefined) return { address };
    const device: Device = { index: link.index, name: link.name ?? "", mac: link.mac ?? "", probes: true };
    using host = world.host();
    const mac = interfaceMac(world, attachment) ?? device.mac;
    const found = await findConflict({ world, kernel, host, device, ip, mac });
    return found === undefined ? { address } : { address, conflict: found.other, keeps: found.ours };
  }));
  return { containerId, ifname, netns, addresses };
}

function describe(networks: readonly NetworkStatus[]): string {
  if (networks.length === 0) return "no network is in use on this node";
  return networks.map(({ name, devices, gateways: own, attachments, reservations }) =>
    [
      `network ${name}: ${devices.join(", ") || "no devices"}; gateway ${own.join(", ") || "none"}`,
      ...attachments.map(({ containerId, ifname, addresses }) =>
        `  ${containerId} ${ifname}: ${addresses.map(describeAddress).join(", ") || "no address yet"}`
      ),
      ...reservations.map(({ address, ready }) => `  reserved: ${address}${ready ? "" : " (spreading)"}`),
    ].join("\n")
  ).join("\n");
}

function describeAddress({ address, conflict, keeps }: AddressStatus): string {
  if (conflict === undefined) return address;
  const advice = keeps ? "this node keeps it" : "the other side keeps it: remove and add this container again";
  return `${address} CONFLICT with ${conflict}; ${advice}`;
}
