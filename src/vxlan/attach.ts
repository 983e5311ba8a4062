/** The heart of ADD: claims addresses and creates devices concurrently. */
import { CniError, Code } from "../cni/error.ts";
import type { Result, ResultRoute } from "../cni/result.ts";
import { EEXIST, failedWith } from "../errno.ts";
import { type Cidr, formatCidr, formatIp, type Ip, parseCidr, parseIp } from "../ip.ts";
import type { Kernel } from "../netlink/kernel.ts";
import { RT_TABLE_MAIN } from "../netlink/route.ts";
import { announce } from "../state/announce.ts";
import { create } from "../state/apply.ts";
import { attachmentName } from "./attachments.ts";
import { type Attaching, interfaceExists } from "./call.ts";
import type { Config } from "./config.ts";
import { ensureGateways, type Hosted, putGateways } from "./gateway.ts";
import { callIpam, claimsGateway, resultAddresses } from "./ipam.ts";
import { containerLink, containerObjects, type ContainerRoute, defaultRoute } from "./topology.ts";

/** What the container asks for. */
export interface Wanted {
  config: Config;
  ips: readonly Ip[];
  mac: string | undefined;
}

/** The container's link as it was made. */
interface MadeLink {
  index: number;
  mac: string;
  mtu: number;
}

/** Claims addresses and creates devices concurrently. */
export async function attach(attaching: Attaching & Hosted, wanted: Wanted): Promise<Result> {
  const { network } = attaching;
  const claimed = claimContainer(attaching, wanted);
  const gateways = claimsGateway(network) ? ensureGateways(attaching, wanted.ips) : Promise.resolve([]);
  const made = Promise.try(() => createLink(attaching, wanted));
  const configured = Promise.all([claimed, made]).then(([{ addresses }]) => putAddresses(attaching, addresses));
  const settled = await Promise.allSettled([made, claimed, configured, gateways]);
  for (const one of settled) if (one.status === "rejected") throw one.reason;
  const { result, addresses, named } = await claimed;
  if (named.length > 0) putGateways(attaching, named);
  return finish(attaching, wanted, {
    link: await made,
    addresses,
    gateways: named.length > 0 ? named : await gateways,
    ipam: result,
  });
}

interface Claimed {
  result: Result | undefined;
  addresses: Cidr[];
  /** Gateways that IPAM named. */
  named: Cidr[];
}

async function claimContainer(attaching: Attaching & Hosted, { ips }: Wanted): Promise<Claimed> {
  const { network, side: { macvlan: linkIndex }, attachment, undo } = attaching;
  // Also when ADD fails: a plugin may have got half-way (CNI spec 1.1.0, section 4).
  undo.defer(async () => {
    const held = attachment.addresses.flatMap((text) => parseCidr(text)?.ip ?? []);
    await callIpam(attaching, { verb: "DEL", from: network, linkIndex, ips: held });
  });
  const result = await callIpam(attaching, { verb: "ADD", from: network, linkIndex, ips });
  const found = resultAddresses(result, network);
  const addresses = found.map(({ address }) => address);
  attachment.addresses = addresses.map(formatCidr);
  const named = found.flatMap(({ gateway }) => gateway === undefined ? [] : [gatewayOf(gateway, addresses)]);
  return { result, addresses, named };
}

/** A gateway that IPAM named, with the length of the prefix of its family. */
function gatewayOf(text: string, addresses: readonly Cidr[]): Cidr {
  const ip = parseIp(text);
  const length = addresses.find((address) => address.ip.version === ip?.version)?.length;
  if (ip !== undefined && length !== undefined) return { ip, length };
  throw new CniError(Code.ipam, `Cannot use the answer of IPAM: wanted a gateway address, got ${JSON.stringify(text)}`);
}

function createLink(attaching: Attaching & Hosted, { mac }: Wanted): MadeLink {
  const { kernel: node, container, invocation: { ifname }, side, attachment, undo } = attaching;
  try {
    create({ node, container }, [containerLink(ifname, side.vxlan, { mac, mtu: side.mtu })], undo);
  } catch (error) {
    if (failedWith(error, EEXIST)) throw interfaceExists(attaching);
    throw error;
  }
  const link = container.link(ifname);
  if (link?.index === undefined) throw new Error(`Cannot find interface "${ifname}": it has gone in the meantime`);
  const made = { index: link.index, mac: link.mac ?? "", mtu: link.mtu ?? side.mtu };
  Object.assign(attachment, { link: made.index, mac: made.mac, mtu: made.mtu });
  return made;
}

/** At once: from now on the kernel itself answers whoever asks for the address. */
function putAddresses({ kernel: node, container, attachment, undo }: Attaching, addresses: readonly Cidr[]): void {
  const { ifname, vxlan } = attachment;
  const objects = containerObjects({ ifname, vxlan, addresses, routes: [] });
  create({ node, container }, objects.filter(({ kind }) => kind === "address"), undo);
}

interface Finished {
  link: MadeLink;
  addresses: readonly Cidr[];
  gateways: readonly Cidr[];
  ipam: Result | undefined;
}

/** Routes, announcement, and the answer. */
function finish(
  attaching: Attaching & Hosted,
  { config }: Wanted,
  { link, addresses, gateways, ipam }: Finished,
): Result {
  const { kernel: node, container, invocation, side, attachment, ledger, undo } = attaching;
  const { ifname, netns: sandbox } = invocation;
  const routes = routesOf(container, { link, addresses, gateways, ipam });
  const objects = containerObjects({ ifname, vxlan: side.vxlan, addresses: [], routes });
  create({ node, container }, objects.filter(({ kind }) => kind === "route"), undo);
  announce(container, link, addresses.map(({ ip }) => ip));
  const own = { name: ifname, mac: link.mac, mtu: link.mtu, sandbox };
  const gatewayFor = ({ ip }: Cidr) => gateways.find((one) => one.ip.version === ip.version);
  const told = routes.map(({ to, gateway }): ResultRoute => ({
    dst: formatCidr(to),
    ...(gateway === undefined ? {} : { gw: formatIp(gateway) }),
  }));
  attachment.routes = told.map(({ dst, gw }) => ({ dst, ...(gw === undefined ? {} : { gw }) }));
  ledger.attachments.write(attachmentName(attachment), attachment);
  return {
    interfaces: [...side.interfaces, own],
    ips: addresses.map((address) => {
      const via = gatewayFor(address);
      return {
        interface: side.interfaces.length,
        address: formatCidr(address),
        ...(via === undefined ? {} : { gateway: formatIp(via.ip) }),
      };
    }),
    routes: told,
    dns: Object.keys(config.dns).length > 0 ? config.dns : ipam?.dns ?? {},
  };
}

/** IPAM's routes, else the default route of each family; a family that has a default route already keeps it. */
function routesOf(container: Kernel, { addresses, gateways, ipam }: Finished): ContainerRoute[] {
  const named = ipam?.routes ?? [];
  const routes = named.length > 0
    ? named.map((route) => ipamRoute(route, gateways))
    : gateways.filter(({ ip }) => addresses.some((own) => own.ip.version === ip.version))
      .map(({ ip }) => defaultRoute(ip));
  return routes.filter(({ to }) =>
    to.length > 0 ||
    !container.routes(to.ip.version, { table: RT_TABLE_MAIN }).some(({ length }) => length === 0)
  );
}

function ipamRoute({ dst, gw }: ResultRoute, gateways: readonly Cidr[]): ContainerRoute {
  const to = parseCidr(dst);
  if (to === undefined) {
    throw new CniError(Code.ipam, `Cannot use the answer of IPAM: wanted a route's prefix, got "${dst}"`);
  }
  const gateway = gw === undefined ? gateways.find(({ ip }) => ip.version === to.ip.version)?.ip : parseIp(gw);
  return { to, gateway };
}
