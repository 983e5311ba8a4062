/** CHECK: no difference between what ADD made and what there is. */
import { CniError, Code } from "../cni/error.ts";
import type { Invocation } from "../cni/invocation.ts";
import { invalid } from "../cni/schema.ts";
import { decodeResult, type Result } from "../cni/result.ts";
import { contains, parseCidr, parseIp } from "../ip.ts";
import { type Rtnetlink, rtnetlink } from "../netlink/rtnetlink.ts";
import type { NetObject } from "../state/object.ts";
import { compare, complaints } from "../state/plan.ts";
import type { World } from "../world.ts";
import { findAttachments } from "./attachments.ts";
import { chooseNetwork, type Network, readConfig } from "./config.ts";
import { openContainer } from "./container.ts";
import { gateways, hostSide, vtepDevice } from "./host.ts";
import { type BuiltIn, callIpam, claimsGateway } from "./ipam.ts";
import { bypass, containerObjects, hostLinks, macvlanName, vxlanName } from "./objects.ts";

export async function check(world: World, builtIn: BuiltIn, invocation: Invocation): Promise<undefined> {
  const { prevResult } = invocation.config.raw;
  if (prevResult === undefined) throw invalid("prevResult", "the result of ADD", undefined);
  const previous = decodeResult(prevResult, "prevResult");
  const config = readConfig(invocation.config.raw);
  const recorded = findAttachments(world.store, invocation)[0];
  const network = config.networks.find(({ name }) => name === recorded?.network) ?? chooseNetwork(config, invocation);
  using host = world.host();
  using kernel = rtnetlink(host.netlink());
  using netns = openContainer(world, invocation);
  using inside = rtnetlink(netns.netlink());
  const wrong = [
    ...complaints(compare(kernel, [...hostLinks(network, vtepDevice(kernel, network)), ...bypass(network)])),
    ...missingGateways(kernel, network, previous),
    ...complaints(compare(inside, wantedInside(kernel, network, invocation, previous))),
  ];
  if (wrong.length > 0) {
    throw new CniError(
      Code.checkFailed,
      `Cannot confirm "${invocation.ifname}" of container "${invocation.containerId}": ${wrong.join("; ")}`,
    );
  }
  const ips = ownIps(previous, network, invocation).flatMap((text) => parseCidr(text)?.ip ?? []);
  const { macvlanIndex } = hostSide(kernel, network);
  await callIpam(world, builtIn, invocation, { verb: "CHECK", network, linkIndex: macvlanIndex, ips });
}

/** Another IPAM plugin than ours need not name a gateway of each family. */
function missingGateways(kernel: Rtnetlink, network: Network, previous: Result): string[] {
  const index = kernel.link(macvlanName(network))?.index;
  const found = index === undefined ? [] : gateways(kernel, network, index);
  const named = previous.ips.flatMap(({ gateway }) => parseIp(gateway ?? "") ?? []);
  return network.prefixes
    .filter((prefix) => claimsGateway(network) || named.some((gateway) => contains(prefix, gateway)))
    .filter(({ ip }) => !found.some((one) => one.ip.version === ip.version))
    .map(({ ip }) => `gateway address of IPv${ip.version} on "${macvlanName(network)}" is missing`);
}

/** The addresses of a result that are on our interface. */
function ownIps({ interfaces, ips }: Result, { prefixes }: Network, { ifname }: Invocation): string[] {
  return ips.filter(({ address, interface: index }) => {
    const cidr = parseCidr(address);
    const named = index === undefined ? undefined : interfaces?.[index];
    if (cidr === undefined) return false;
    return named === undefined ? prefixes.some((prefix) => contains(prefix, cidr.ip)) : named.name === ifname;
  }).map(({ address }) => address);
}

/** What the result promised. Its hardware address is not: a plugin after ours in the chain may have changed it. */
function wantedInside(kernel: Rtnetlink, network: Network, invocation: Invocation, previous: Result): NetObject[] {
  const { ifname } = invocation;
  const addresses = ownIps(previous, network, invocation).flatMap((text) => parseCidr(text) ?? []);
  const routes = previous.routes.flatMap(({ dst, gw }) => {
    const to = parseCidr(dst);
    const gateway = gw === undefined ? undefined : parseIp(gw);
    const ours = gateway !== undefined && network.prefixes.some((prefix) => contains(prefix, gateway));
    return to !== undefined && ours ? [{ to, gateway }] : [];
  });
  const macvlanOn = kernel.link(vxlanName(network))?.index;
  return [{ kind: "link", name: ifname, macvlanOn }, ...containerObjects(ifname, addresses, routes)];
}
