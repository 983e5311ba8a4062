/** The heart of ADD: claims and devices, at the same time what can be done at the same time. */
import { CniError, Code } from "../cni/error.ts";
import type { Invocation } from "../cni/invocation.ts";
import type { Result, ResultRoute } from "../cni/result.ts";
import { EEXIST, failedWith } from "../errno.ts";
import { type Cidr, formatCidr, formatIp, type Ip, parseCidr, parseIp } from "../ip.ts";
import type { Rtnetlink } from "../netlink/rtnetlink.ts";
import { announce } from "../state/announce.ts";
import { create, remove } from "../state/apply.ts";
import type { Netns, World } from "../world.ts";
import { type Attachment, writeAttachment } from "./attachments.ts";
import type { Config, Network } from "./config.ts";
import { interfaceExists } from "./container.ts";
import { awaitGateway, type Gateway, putGateway, startGateway } from "./gateway.ts";
import type { HostSide } from "./host.ts";
import { type BuiltIn, callIpam, claimsGateway, resultAddresses } from "./ipam.ts";
import { containerLink, containerObjects, type ContainerRoute, defaultRoute } from "./objects.ts";

/** One ADD on its way. */
export interface Adding {
  world: World;
  builtIn: BuiltIn;
  invocation: Invocation;
  config: Config;
  network: Network;
  kernel: Rtnetlink;
  netns: Netns;
  inside: Rtnetlink;
  attachment: Attachment;
  side: HostSide;
  requested: Ip[];
  mac: string | undefined;
  undo: AsyncDisposableStack;
}

/** Claims and creates, at the same time what can be done at the same time. */
export async function connect(adding: Adding): Promise<Result> {
  const { world, builtIn, invocation, network, side, requested, attachment, undo } = adding;
  const gateway: Gateway = { world, builtIn, network, invocation, side, kernel: adding.kernel };
  const container = (async () => {
    // Also when ADD fails: a plugin may have got half-way (CNI spec 1.1.0, section 4).
    undo.defer(async () => {
      const ips = attachment.ips.flatMap((text) => parseCidr(text)?.ip ?? []);
      await callIpam(world, builtIn, invocation, { verb: "DEL", network, linkIndex: side.macvlanIndex, ips });
    });
    const result = await callIpam(world, builtIn, invocation, {
      verb: "ADD",
      network,
      linkIndex: side.macvlanIndex,
      ips: requested,
    });
    const addresses = resultAddresses(result, network);
    attachment.ips = addresses.map(({ address }) => formatCidr(address));
    writeAttachment(world.store, attachment);
    // At once: from now on the kernel itself answers whoever asks for the address.
    create(adding.inside, containerObjects(invocation.ifname, addresses.map(({ address }) => address), []), undo);
    return { result, addresses };
  })();
  // After the container's request, so that the gateway does not draw the very address that was asked for.
  const started = claimsGateway(network) ? (async () => await startGateway(gateway))() : undefined;
  // A failure is seen by allSettled below; until then nobody listens.
  container.catch(() => {});
  const made = (() => {
    try {
      return createContainerLink(adding);
    } catch (error) {
      return { error };
    }
  })();
  const settled = await Promise.allSettled([container, started]);
  if ("error" in made) throw made.error;
  for (const one of settled) if (one.status === "rejected") throw one.reason;
  const { result, addresses } = await container;
  const named = addresses.flatMap(({ gateway: text }) => text === undefined ? [] : [gatewayOf(text, addresses)]);
  if (named.length > 0) await putGateway(gateway, named);
  const claimed = claimsGateway(network) ? await started ?? await awaitGateway(gateway) : [];
  const gatewayAddresses = named.length > 0 ? named : claimed;
  return configure(adding, made, addresses.map(({ address }) => address), gatewayAddresses, result);
}

/** A gateway that IPAM names, with the length of its prefix. */
function gatewayOf(text: string, addresses: readonly { address: Cidr }[]): Cidr {
  const ip = parseIp(text);
  const length = addresses.find(({ address }) => address.ip.version === ip?.version)?.address.length;
  if (ip !== undefined && length !== undefined) return { ip, length };
  throw new CniError(Code.ipam, `Cannot use the answer of IPAM: wanted a gateway address, got ${JSON.stringify(text)}`);
}

interface ContainerSide {
  index: number;
  mac: string;
  mtu: number;
}

function createContainerLink({ invocation, kernel, netns, inside, side, mac, undo }: Adding): ContainerSide {
  const { ifname } = invocation;
  try {
    create(kernel, [containerLink(side.vxlanIndex, { ifname, netnsFd: netns.fd, mac, mtu: side.mtu })], undo);
  } catch (error) {
    if (failedWith(error, EEXIST)) throw interfaceExists(ifname, invocation.netns);
    throw error;
  }
  undo.defer(() => remove(inside, [{ kind: "link", name: ifname }]));
  const link = inside.link(ifname);
  if (link?.index === undefined) throw new Error(`Cannot find interface "${ifname}": it has gone in the meantime`);
  return { index: link.index, mac: link.mac ?? "", mtu: link.mtu ?? side.mtu };
}

function configure(
  adding: Adding,
  link: ContainerSide,
  addresses: Cidr[],
  gateways: Cidr[],
  ipam: Result | undefined,
): Result {
  const { invocation, inside, netns, side, config, undo } = adding;
  const routes = containerRoutes(inside, addresses, gateways, ipam?.routes ?? []);
  create(inside, containerObjects(invocation.ifname, [], routes), undo);
  announce(netns, inside, link, addresses.map(({ ip }) => ip));
  const hostInterfaces = side.interfaces;
  const own = { name: invocation.ifname, mac: link.mac, mtu: link.mtu, sandbox: invocation.netns };
  const gatewayFor = (ip: Ip) => gateways.find((one) => one.ip.version === ip.version);
  return {
    interfaces: [...hostInterfaces, own],
    ips: addresses.map((address) => {
      const via = gatewayFor(address.ip);
      return {
        interface: hostInterfaces.length,
        address: formatCidr(address),
        ...(via === undefined ? {} : { gateway: formatIp(via.ip) }),
      };
    }),
    routes: routes.map(({ to, gateway }): ResultRoute => ({
      dst: formatCidr(to),
      ...(gateway === undefined ? {} : { gw: formatIp(gateway) }),
    })),
    dns: Object.keys(config.dns).length > 0 ? config.dns : ipam?.dns ?? {},
  };
}

/** IPAM's routes, else the default route of each family; a family that has a default route already keeps it. */
function containerRoutes(
  inside: Rtnetlink,
  addresses: Cidr[],
  gateways: Cidr[],
  wanted: ResultRoute[],
): ContainerRoute[] {
  const routes = wanted.length > 0
    ? wanted.map((route) => ipamRoute(route, gateways))
    : gateways.filter(({ ip }) => addresses.some((own) => own.ip.version === ip.version)).map(({ ip }) =>
      defaultRoute(ip)
    );
  return routes.filter(({ to }) =>
    to.length > 0 || !inside.routes(to.ip.version, { table: 254 }).some(({ length }) => length === 0)
  );
}

function ipamRoute({ dst, gw }: ResultRoute, gateways: Cidr[]): ContainerRoute {
  const to = parseCidr(dst);
  if (to === undefined) {
    throw new CniError(Code.ipam, `Cannot use the answer of IPAM: wanted a route's prefix, got "${dst}"`);
  }
  const gateway = gw === undefined ? gateways.find(({ ip }) => ip.version === to.ip.version)?.ip : parseIp(gw);
  return { to, gateway };
}
