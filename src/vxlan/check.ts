/** CHECK: no difference between what ADD made and what there is. */
import { CniError, Code } from "../cni/error.ts";
import type { Invocation } from "../cni/invocation.ts";
import { decodeResult, type Result } from "../cni/result.ts";
import { invalid } from "../cni/schema.ts";
import { type Cidr, contains, parseCidr, parseIp } from "../ip.ts";
import type { Kernel } from "../netlink/kernel.ts";
import { compare, complaints } from "../state/compare.ts";
import { findAttachments } from "./attachments.ts";
import { type Call, openContainer } from "./call.ts";
import { chooseNetwork } from "./choose.ts";
import { readConfig } from "./config.ts";
import { readGateways, readNodeSide, vtepDevice } from "./facts.ts";
import { callIpam, claimsGateway } from "./ipam.ts";
import type { Network } from "./network.ts";
import { containerObjects, type ContainerRoute, macvlanName, nodeObjects, vxlanName } from "./topology.ts";

export async function check(call: Call): Promise<undefined> {
  const { kernel: node, invocation, ledger } = call;
  const { ifname } = invocation;
  const { prevResult } = invocation.config.raw;
  if (prevResult === undefined) throw invalid("prevResult", "the result of ADD", undefined);
  const previous = decodeResult(prevResult, "prevResult");
  const config = readConfig(invocation.config.raw);
  const [name] = findAttachments(ledger, invocation);
  const recorded = name === undefined ? undefined : ledger.attachments.read(name);
  const network = config.networks.find((one) => one.name === recorded?.network) ??
    chooseNetwork(config, invocation).network;
  using container = openContainer(call);
  const addresses = ownAddresses(previous, network, invocation);
  const objects = [
    ...nodeObjects(network, { vtep: vtepDevice(node, network), gateways: [] }),
    ...containerObjects({
      ifname,
      vxlan: node.link(vxlanName(network))?.index,
      addresses,
      routes: ownRoutes(previous, network),
    }),
  ];
  const wrong = [...complaints(compare({ node, container }, objects)), ...missingGateways(node, network, previous)];
  if (wrong.length > 0) {
    throw new CniError(
      Code.checkFailed,
      `Cannot confirm "${ifname}" of container "${invocation.containerId}": ${wrong.join("; ")}`,
    );
  }
  const { macvlan: linkIndex } = readNodeSide(node, network);
  await callIpam(call, { verb: "CHECK", from: network, linkIndex, ips: addresses.map(({ ip }) => ip) });
}

/** Another IPAM plugin than ours need not name a gateway of each family. */
function missingGateways(node: Kernel, network: Network, previous: Result): string[] {
  const index = node.link(macvlanName(network))?.index;
  const found = index === undefined ? [] : readGateways(node, network, index);
  const named = previous.ips.flatMap(({ gateway }) => parseIp(gateway ?? "") ?? []);
  return network.prefixes
    .filter((prefix) => claimsGateway(network) || named.some((gateway) => contains(prefix, gateway)))
    .filter(({ ip }) => !found.some((one) => one.ip.version === ip.version))
    .map(({ ip }) => `gateway address of IPv${ip.version} on "${macvlanName(network)}" is missing`);
}

/** The addresses of a result that are on our interface. */
function ownAddresses({ interfaces, ips }: Result, { prefixes }: Network, { ifname }: Invocation): Cidr[] {
  return ips.flatMap(({ address, interface: index }) => {
    const cidr = parseCidr(address);
    if (cidr === undefined) return [];
    const named = index === undefined ? undefined : interfaces?.[index];
    const isOurs = named === undefined ? prefixes.some((prefix) => contains(prefix, cidr.ip)) : named.name === ifname;
    return isOurs ? [cidr] : [];
  });
}

/** The routes of a result that lead through a gateway of the network. */
function ownRoutes({ routes }: Result, { prefixes }: Network): ContainerRoute[] {
  return routes.flatMap(({ dst, gw }) => {
    const to = parseCidr(dst);
    const gateway = gw === undefined ? undefined : parseIp(gw);
    const isOurs = gateway !== undefined && prefixes.some((prefix) => contains(prefix, gateway));
    return to !== undefined && isOurs ? [{ to, gateway }] : [];
  });
}
