/**
 * Takes over what an earlier version of this program recorded (no format number, one ledger for the whole machine), so that containers
 * outlive an upgrade. Only what belongs to this network namespace: what stands on devices that are here.
 */
import type { Invocation } from "../cni/invocation.ts";
import { isVersion } from "../cni/versions.ts";
import { formatCidr, formatIp, parseIp } from "../ip.ts";
import { gatewayOwner, openClaims, ownerOf, RESERVED, RESERVING } from "../routetable/claims.ts";
import { type Node, openNode } from "../state/node.ts";
import { earlierStore } from "../system/store.ts";
import { realWorld } from "../system/world.ts";
import { reason } from "../text.ts";
import { type Attachment, attachmentName, openLedger, recordAddressing } from "../vxlan/attachments.ts";
import { openIfThere } from "../vxlan/call.ts";
import { readConfig } from "../vxlan/config.ts";
import type { Network } from "../vxlan/network.ts";
import { macvlanName, vxlanName } from "../vxlan/topology.ts";
import type { Store } from "../world.ts";

/** A node, and the ledger that is taken over. */
interface Upgrading extends Node {
  readonly earlier: Store;
}

interface EarlierClaim {
  network: string;
  device: string;
  protocol: number;
  metric: number;
}

/** Takes over what can be; what cannot stays where it is, and is told on standard error. */
export async function run(environment: Readonly<Record<string, string>>): Promise<void> {
  using node = openNode(realWorld(environment, new AbortController().signal));
  const earlier = earlierStore();
  using _ = await earlier.lock("upgrading");
  const upgrading: Upgrading = { ...node, earlier };
  for (const name of earlier.list("hosts")) attempt(node, `hosts/${name}`, () => takeNetwork(upgrading, name));
  for (const name of earlier.list("claims")) attempt(node, `claims/${name}`, () => takeClaims(upgrading, name));
  for (const name of earlier.list("reserved")) attempt(node, `reserved/${name}`, () => takeReserved(upgrading, name));
  earlier.remove("upgrading");
}

function attempt({ world }: Node, what: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    world.warn(`Cannot take over record "${what}" of an earlier version: ${reason(error)}`);
  }
}

function readJson<T>(store: Store, name: string): T {
  return JSON.parse(store.read(name) ?? "") as T;
}

function takeNetwork(node: Upgrading, name: string): void {
  const { earlier, kernel } = node;
  const vxlan = kernel.link(vxlanName({ name }))?.index;
  if (vxlan === undefined) return;
  const { config, path, claimed } = readJson<{ config: Invocation["config"]["raw"]; path: string[]; claimed: boolean }>(
    earlier,
    `hosts/${name}`,
  );
  const network = readConfig(config).networks.find((one) => one.name === name);
  if (network === undefined) throw new Error(`its configuration has no network "${name}"`);
  const table = network.bypassTable;
  openLedger(node).networks.write(vxlanName({ name }), {
    ...recordAddressing(network, invocationOf(config, path)),
    network: name,
    vxlan,
    macvlan: kernel.link(macvlanName({ name }))?.index ?? 0,
    bypass: network.bypass ? network.prefixes.map((prefix) => ({ prefix: formatCidr(prefix), table })) : [],
    claimed,
  });
  for (const key of earlier.list(`attachments/${name}`)) {
    attempt(node, `attachments/${name}/${key}`, () => takeAttachment(node, network, { key, vxlan }));
  }
  earlier.remove(`hosts/${name}`);
}

/** What the records need of a call. */
function invocationOf(raw: Invocation["config"]["raw"], path: string[]): Pick<Invocation, "config" | "path"> {
  const { cniVersion, name } = raw;
  return { path, config: { raw, name: String(name), cniVersion: isVersion(cniVersion) ? cniVersion : "0.4.0" } };
}

function takeAttachment(node: Upgrading, network: Network, { key, vxlan }: { key: string; vxlan: number }): void {
  const { earlier } = node;
  const file = `attachments/${network.name}/${key}`;
  const { containerId, ifname, netns, identity, config, path, ips } = readJson<
    Omit<Attachment, "config"> & { config: Invocation["config"]["raw"]; ips: string[] }
  >(earlier, file);
  using container = openIfThere(node, netns);
  // The earlier identity was device and inode.
  const isSame = container !== undefined && identity === deviceAndInode(netns);
  const link = isSame ? container.link(ifname) : undefined;
  const attachment: Attachment = {
    ...recordAddressing(network, invocationOf(config, path)),
    ...{ containerId, ifname, netns, network: network.name, vxlan, addresses: ips, routes: [] },
    identity: isSame ? container.netns.identity : identity,
    ...(link?.info?.kind === "macvlan" ? { link: link.index, mac: link.mac, mtu: link.mtu } : {}),
  };
  const { attachments } = openLedger(node);
  attachments.write(attachmentName(attachment), attachment);
  // A mark that nobody holds: the next call finishes what was begun.
  if (earlier.remove(`adding/${network.name}/${key}`)) {
    attachments.begin(attachmentName(attachment))?.[Symbol.dispose]();
  }
  earlier.remove(file);
}

function deviceAndInode(path: string): string {
  const { dev, ino } = Deno.statSync(path);
  return `${dev}:${ino}`;
}

function takeClaims(node: Upgrading, key: string): void {
  const { earlier } = node;
  const record = readJson<EarlierClaim & { containerId: string; ifname: string; ips: string[] }>(
    earlier,
    `claims/${key}`,
  );
  const isGateway = record.containerId.startsWith("gateway-") && record.ifname === record.device;
  const owner = isGateway ? gatewayOwner(record.device) : ownerOf(record);
  if (!record.ips.every((ip) => takeClaim(node, { ...record, owner, ip, since: 0 }))) return;
  if (earlier.remove(`claiming/${key}`)) openClaims(node).records.begin(owner)?.[Symbol.dispose]();
  earlier.remove(`claims/${key}`);
}

function takeReserved(node: Upgrading, key: string): void {
  const record = readJson<EarlierClaim & { ip: string; since: number; ready: boolean }>(
    node.earlier,
    `reserved/${key}`,
  );
  const owner = record.ready ? RESERVED : RESERVING;
  if (takeClaim(node, { ...record, network: "", owner })) {
    node.earlier.remove(`reserved/${key}`);
  }
}

/** False when its device is not here. */
function takeClaim(node: Upgrading, claim: EarlierClaim & { owner: string; ip: string; since: number }): boolean {
  const { owner, network, device, protocol, metric, since } = claim;
  const [index, ip] = [node.kernel.link(device)?.index, parseIp(claim.ip)];
  if (index === undefined || ip === undefined) return false;
  const { records } = openClaims(node);
  const name = `${owner}/${device}@${formatIp(ip)}`;
  records.write(name, { network, device, index, protocol, metric, since });
  node.store.link(records.file(name), `addresses/${formatIp(ip)}.json`);
  return true;
}
