/** The node's side of a network: made with its first container, removed with its last one. */
import { CniError, Code } from "../cni/error.ts";
import { invalid } from "../cni/schema.ts";
import type { Invocation } from "../cni/invocation.ts";
import { EEXIST, failedWith } from "../errno.ts";
import { type Cidr, contains, type Ip, parseIp } from "../ip.ts";
import type { Rtnetlink } from "../netlink/rtnetlink.ts";
import { create, remove } from "../state/apply.ts";
import { describe, inspect, type LinkObject, type NetObject } from "../state/object.ts";
import { compare } from "../state/plan.ts";
import type { World } from "../world.ts";
import { countAttachments, forgetHost, lockNetwork, readHost, writeHost } from "./attachments.ts";
import { type Network, readConfig } from "./config.ts";
import { type BuiltIn, callIpam, gatewayInvocation } from "./ipam.ts";
import { bypass, hostLinks, macvlanName, type Underlay, vxlanName } from "./objects.ts";
import { underlayVersion } from "./options.ts";

/** UDP, VXLAN and inner Ethernet headers, plus the outer IP header of 20 or 40 bytes. */
const OVERHEAD = { 4: 50, 6: 70 };

/** The links of the node's side as they are now. */
export interface HostSide {
  vxlanIndex: number;
  macvlanIndex: number;
  macvlanMac: string;
  /** As a result of ADD lists them. */
  interfaces: { name: string; mac: string; mtu: number }[];
  /** Bytes. */
  mtu: number;
}

/** Makes what is missing of the node's side, under the network's lock. Throws CniError (104) when something else stands there. */
export async function ensureHost(
  world: World,
  kernel: Rtnetlink,
  network: Network,
  invocation: Invocation,
): Promise<HostSide> {
  using _ = await lockNetwork(world.store, network.name);
  const compared = compare(kernel, hostLinks(network, vtepDevice(kernel, network)));
  // Before the record is there: what is in the way was not made here, and nobody may take it for that.
  for (const { object, finding } of compared) {
    if (finding.state !== "different") continue;
    throw inTheWay(object, finding.differences.map((d) => `${d.property} is ${d.found}, wanted ${d.wanted}`));
  }
  if (readHost(world.store, network.name) === undefined) {
    writeHost(world.store, network.name, {
      config: keptConfig(invocation),
      path: [...invocation.path],
      claimed: false,
    });
  }
  await using undo = new AsyncDisposableStack();
  for (const { object, finding } of compared) {
    if (object.kind === "link" && finding.state === "missing") createLink(world, kernel, network, object, undo);
  }
  const missing = compare(kernel, bypass(network)).filter(({ finding }) => finding.state === "missing");
  create(kernel, missing.map(({ object }) => object), undo);
  const side = hostSide(kernel, network);
  undo.move();
  return side;
}

/** Reads the links of the node's side; throws when one has gone. */
export function hostSide(kernel: Rtnetlink, network: Network): HostSide {
  const vxlan = kernel.link(vxlanName(network));
  const macvlan = kernel.link(macvlanName(network));
  if (vxlan?.index === undefined || macvlan?.index === undefined) {
    throw new CniError(Code.hostDiffers, `Cannot use network "${network.name}": its devices have gone in the meantime`);
  }
  const interfaces = [vxlan, macvlan].map(({ name = "", mac = "", mtu = 0 }) => ({ name, mac, mtu }));
  return {
    vxlanIndex: vxlan.index,
    macvlanIndex: macvlan.index,
    macvlanMac: macvlan.mac ?? "",
    interfaces,
    mtu: vxlan.mtu ?? 0,
  };
}

function createLink(
  world: World,
  kernel: Rtnetlink,
  network: Network,
  link: LinkObject,
  undo: AsyncDisposableStack,
): void {
  const underlay = readUnderlay(kernel, network);
  const [vxlan, macvlan] = hostLinks(network, vtepDevice(kernel, network), underlay);
  const wanted = link.name === vxlan?.name ? vxlan : macvlan;
  if (wanted === undefined) return;
  try {
    create(kernel, [wanted], undo);
  } catch (error) {
    const holder = failedWith(error, EEXIST) ? vniHolder(kernel, link) : undefined;
    if (holder === undefined) throw error;
    throw new CniError(
      Code.hostDiffers,
      `Cannot create ${
        describe(link)
      }: VNI ${network.id} is in use by link "${holder}" on this node; choose another id or port, or remove that link`,
      "",
      { cause: error },
    );
  }
  using host = world.host();
  // A router advertisement of a container's must not give the node an address or a default route.
  host.sysctl(`ipv6/conf/${link.name}/accept_ra`, "0");
}

/** The index of the device that the configuration names; undefined when it names none. */
export function vtepDevice(kernel: Rtnetlink, { options: { vtepdev }, key }: Network): number | undefined {
  if (vtepdev === undefined) return undefined;
  const index = kernel.link(vtepdev)?.index;
  if (index === undefined) {
    throw invalid(`${key}.options.vtepdev`, "the name of a device that exists on this node", vtepdev);
  }
  return index;
}

/** The underlay: the named device, else that of the route to the group, else that of the default route. */
function readUnderlay(kernel: Rtnetlink, network: Network): Underlay {
  const { options, key } = network;
  const version = underlayVersion(options);
  const device = vtepDevice(kernel, network) ?? routeDevice(kernel, options.group, version);
  if (device === undefined) {
    throw invalid(
      `${key}.options.vtepdev`,
      "a device, because no route leads to the group and there is no default route",
      undefined,
    );
  }
  return { device, mtu: (kernel.link(device)?.mtu ?? 1500) - OVERHEAD[version] };
}

function routeDevice(kernel: Rtnetlink, group: Ip | undefined, version: 4 | 6): number | undefined {
  // Documentation addresses (RFC 5737, RFC 3849): only a default route leads there.
  const anywhere = parseIp(version === 4 ? "192.0.2.1" : "2001:db8::1");
  const lookup = (to: Ip | undefined) => to === undefined ? undefined : kernel.lookup(to)?.oif;
  return lookup(group) ?? lookup(anywhere);
}

function vniHolder(kernel: Rtnetlink, link: LinkObject): string | undefined {
  return kernel.links().find(({ info }) => info?.vxlan !== undefined && info.vxlan.id === link.vxlan?.id)?.name;
}

function inTheWay(object: NetObject, differences: string[]): CniError {
  return new CniError(
    Code.hostDiffers,
    `Cannot use ${describe(object)}: it exists but differs: ${
      differences.join(", ")
    }; change the configuration, or remove it when nothing uses it`,
  );
}

/** The addresses of `mv_` that lie in the network: the node's gateways. */
export function gateways(kernel: Rtnetlink, network: Network, macvlanIndex: number): Cidr[] {
  return kernel.addresses(macvlanIndex).flatMap(({ local, address, length = 0 }) => {
    const ip = local ?? address;
    // An address of another length is a reservation that the node answers for.
    const own = ip !== undefined && network.prefixes.some((prefix) => prefix.length === length && contains(prefix, ip));
    return own ? [{ ip, length }] : [];
  });
}

/** Removes the node's side unless somebody is attached, under the network's lock. Goes on after an error and throws the first at the end. */
export async function releaseHost(
  world: World,
  kernel: Rtnetlink,
  builtIn: BuiltIn,
  name: string,
  invocation: Invocation,
): Promise<void> {
  using _ = await lockNetwork(world.store, name);
  const record = readHost(world.store, name);
  if (record === undefined || countAttachments(world.store, name) > 0) return;
  const network = readConfig(record.config).networks.find((one) => one.name === name);
  if (network === undefined) return;
  if (record.claimed) {
    const recorded = { ...invocation, path: record.path, config: { ...invocation.config, raw: record.config } };
    const linkIndex = kernel.link(macvlanName(network))?.index;
    await callIpam(world, builtIn, gatewayInvocation(recorded, network), { verb: "DEL", network, linkIndex, ips: [] });
  }
  const ours = hostLinks(network).filter((link) => isOurs(kernel, link));
  remove(kernel, [...ours, ...bypass(network)]);
  forgetHost(world.store, name);
}

/** A link that is something else was not made by this program; one that was changed or set down since still was. */
function isOurs(kernel: Rtnetlink, link: LinkObject): boolean {
  const finding = inspect(kernel, link);
  return finding.state === "present" || (finding.state === "different" &&
    !finding.differences.some(({ property }) => ["kind", "id", "parent"].includes(property)));
}

/** The configuration without what belongs to one call. */
export function keptConfig({ config: { raw } }: Invocation): Record<string, unknown> {
  const { prevResult: _1, runtimeConfig: _2, args: _3, ...kept } = raw;
  return kept;
}
