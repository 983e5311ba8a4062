/**
 * Takes over what an earlier version of this program recorded, so that containers outlive an upgrade. Only what belongs to this network
 * namespace: networks whose devices are here and were not made by this version, and claims that stand on them or in the routing table.
 */
import type { Invocation } from "../cni/invocation.ts";
import { isVersion } from "../cni/versions.ts";
import { formatCidr } from "../ip.ts";
import { type Node, openNode } from "../state/node.ts";
import { earlierStore, removeEarlierFolders, UPGRADING } from "../system/store.ts";
import { realWorld } from "../system/world.ts";
import { type Attachment, attachmentName, openLedger, recordAddressing } from "../vxlan/attachments.ts";
import { openIfThere } from "../vxlan/call.ts";
import { readConfig } from "../vxlan/config.ts";
import type { Network } from "../vxlan/network.ts";
import { macvlanName, vxlanName } from "../vxlan/topology.ts";
import {
  attempt,
  type Earlier,
  type EarlierAttachment,
  type EarlierNetwork,
  openEarlier,
  removeLocks,
  type Upgrading,
} from "./earlier.ts";
import { takeClaims } from "./upgrade_claims.ts";

/**
 * Takes over what can be; what cannot stays where it is, and is told on standard error. Each step can be repeated: a call that dies
 * in between is carried on by the next one. Throws CniError (11) while a call of the earlier program runs.
 */
export async function run(environment: Readonly<Record<string, string>>, interrupted: AbortSignal): Promise<void> {
  using node = openNode(realWorld(environment, interrupted));
  using _ = await earlierStore().lock(UPGRADING);
  const earlier = await openEarlier(node.world);
  const { store } = earlier;
  const networks = store.list("hosts").filter((name) => isHere(node, name));
  const upgrading: Upgrading = { ...node, earlier, networks };
  takeClaims(upgrading);
  for (const name of networks) attempt(upgrading, `hosts/${name}`, () => takeNetwork(upgrading, name));
  removeTaken(upgrading);
  removeUnbegun(earlier);
  removeLocks(earlier);
  removeEarlierFolders();
  store.remove(UPGRADING);
}

/** Whether a network's devices are here, and were made by the earlier program. */
function isHere(node: Node, name: string): boolean {
  return node.kernel.link(vxlanName({ name })) !== undefined && !openLedger(node).networks.has(vxlanName({ name }));
}

/** The record of the network is the last that is written: with it, nothing of the network is looked at again. */
function takeNetwork(node: Upgrading, name: string): void {
  const { earlier, kernel } = node;
  const { config, path, claimed } = earlier.read<EarlierNetwork>(`hosts/${name}`);
  const network = readConfig(config).networks.find((one) => one.name === name);
  if (network === undefined) throw new Error(`its configuration has no network "${name}"`);
  const vxlan = kernel.link(vxlanName({ name }))?.index ?? 0;
  for (const key of earlier.store.list(`attachments/${name}`)) {
    attempt(node, `attachments/${name}/${key}`, () => takeAttachment(node, network, { key, vxlan }));
  }
  const table = network.bypassTable;
  openLedger(node).networks.write(vxlanName({ name }), {
    ...recordAddressing(network, invocationOf(config, path)),
    network: name,
    vxlan,
    macvlan: kernel.link(macvlanName({ name }))?.index ?? 0,
    bypass: network.bypass ? network.prefixes.map((prefix) => ({ prefix: formatCidr(prefix), table })) : [],
    claimed,
  });
  earlier.store.remove(`hosts/${name}`);
}

/** What the records need of a call. */
function invocationOf(raw: Invocation["config"]["raw"], path: string[]): Pick<Invocation, "config" | "path"> {
  const { cniVersion, name } = raw;
  return { path, config: { raw, name: String(name), cniVersion: isVersion(cniVersion) ? cniVersion : "0.4.0" } };
}

function takeAttachment(node: Upgrading, network: Network, { key, vxlan }: { key: string; vxlan: number }): void {
  const { earlier } = node;
  const [file, mark] = [`attachments/${network.name}/${key}`, `adding/${network.name}/${key}`];
  const { containerId, ifname, netns, identity, config, path, ips } = earlier.read<EarlierAttachment>(file);
  using container = openIfThere(node, netns);
  const isSame = container !== undefined && identity === deviceAndInode(netns);
  const link = isSame ? container.link(ifname) : undefined;
  const attachment: Attachment = {
    ...recordAddressing(network, invocationOf(config, path)),
    ...{ containerId, ifname, netns, network: network.name, vxlan, addresses: ips, routes: [] },
    identity: isSame ? container.netns.identity : identity,
    // Another one's interface can have the name.
    ...(link?.info?.kind === "macvlan" && link.link === vxlan
      ? { link: link.index, mac: link.mac, mtu: link.mtu }
      : {}),
  };
  const { attachments } = openLedger(node);
  attachments.write(attachmentName(attachment), attachment);
  // A mark that nobody holds: the next call finishes what was begun.
  if (earlier.isMarked(mark)) attachments.begin(attachmentName(attachment))?.[Symbol.dispose]();
  earlier.store.remove(mark);
  earlier.store.remove(file);
}

function deviceAndInode(path: string): string {
  const { dev, ino } = Deno.statSync(path);
  return `${dev}:${ino}`;
}

/** Records of networks whose takeover died with its last step to go. */
function removeTaken(node: Upgrading): void {
  const { store } = node.earlier;
  for (const name of store.list("hosts")) {
    const isTaken = openLedger(node).networks.has(vxlanName({ name })) &&
      store.list(`attachments/${name}`).length === 0;
    if (isTaken) store.remove(`hosts/${name}`);
  }
}

/** Marks of what was not even begun: their calls died before they made anything. */
function removeUnbegun({ store }: Earlier): void {
  const begun = store.list("hosts");
  for (const name of store.list("adding")) {
    for (const key of store.list(`adding/${name}`)) {
      if (!begun.includes(name)) store.remove(`attachments/${name}/${key}`);
      if (store.read(`attachments/${name}/${key}`) === undefined) store.remove(`adding/${name}/${key}`);
    }
  }
  const claims = store.list("claims");
  for (const key of store.list("claiming")) if (!claims.includes(key)) store.remove(`claiming/${key}`);
}
