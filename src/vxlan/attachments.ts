/** What is recorded of attachments and of the node's side of a network, so that DEL, GC and recovery know what to release. */
import { CniError, Code } from "../cni/error.ts";
import type { Invocation } from "../cni/invocation.ts";
import { formatCidr, parseCidr } from "../ip.ts";
import type { Node } from "../state/node.ts";
import { type Records, records } from "../state/records.ts";
import type { Lock } from "../world.ts";
import type { Addressing } from "./network.ts";
import { vxlanName } from "./topology.ts";

interface Key {
  containerId: string;
  ifname: string;
}

/** How addresses were given out, as text. */
interface RecordedAddressing {
  ipam: Record<string, unknown> & { type: string };
  prefixes: string[];
  excludeFirst: number;
  excludeLast: number;
  /** `cniVersion` and `name` of the configuration, for IPAM. */
  cniVersion: string;
  config: string;
  /** CNI_PATH, to find the IPAM plugin again. */
  path: string[];
}

/** One attachment. */
export interface Attachment extends Key, RecordedAddressing {
  /** Path and identity of the namespace; identity is empty when nothing was recorded. */
  netns: string;
  identity: string;
  /** Name of the network in `vxlans`. */
  network: string;
  /** Index of `vx_` on the node. */
  vxlan: number;
  /** Of the interface as it was made: index in its namespace, hardware address, MTU in bytes. Missing until it is made. */
  link?: number;
  mac?: string;
  mtu?: number;
  /** With prefix length; empty until IPAM has answered. */
  addresses: string[];
  routes: { dst: string; gw?: string }[];
}

/** The node's side of a network: what was made, and whether IPAM holds an address for the gateway. */
export interface NodeSideRecord extends RecordedAddressing {
  network: string;
  /** Indices of `vx_` and `mv_`; 0 until they are made. */
  vxlan: number;
  macvlan: number;
  /** The bypass: prefixes with the table of their route and rule. */
  bypass: { prefix: string; table: number }[];
  /** IPAM was asked for a gateway address, and may hold one. */
  claimed: boolean;
}

const addressing = {
  ipam: "object",
  prefixes: "list",
  excludeFirst: "number",
  excludeLast: "number",
  cniVersion: "string",
  config: "string",
  path: "list",
} as const;

/** `vx_NETWORK/ID@IFNAME`: a container id has no '@', and no name is a path by itself. */
export function attachmentName({ network, containerId, ifname }: Key & { network: string }): string {
  return `${vxlanName({ name: network })}/${containerId}@${ifname}`;
}

/** The records of the main plugin. */
export interface Ledger {
  attachments: Records<Attachment>;
  /** By the name of `vx_`. */
  networks: Records<NodeSideRecord>;
}

export function openLedger({ store, world: { warn } }: Node): Ledger {
  return {
    attachments: records<Attachment>({ store, warn }, "attachments", {
      ...addressing,
      containerId: "string",
      ifname: "string",
      netns: "string",
      identity: "string",
      network: "string",
      vxlan: "number",
      link: "number?",
      mac: "string?",
      mtu: "number?",
      addresses: "list",
      routes: "list",
    }),
    networks: records<NodeSideRecord>({ store, warn }, "networks", {
      ...addressing,
      network: "string",
      vxlan: "number",
      macvlan: "number",
      bypass: "list",
      claimed: "boolean",
    }),
  };
}

/** What IPAM has to know again at DEL. */
export function recordAddressing(
  { ipam, prefixes, excludeFirst, excludeLast }: Addressing,
  { config: { cniVersion, name }, path }: Pick<Invocation, "config" | "path">,
): RecordedAddressing {
  const texts = prefixes.map(formatCidr);
  return { ipam, prefixes: texts, excludeFirst, excludeLast, cniVersion, config: name, path: [...path] };
}

export function recordedAddressing({ ipam, prefixes, excludeFirst, excludeLast }: RecordedAddressing): Addressing {
  return { ipam, prefixes: prefixes.flatMap((text) => parseCidr(text) ?? []), excludeFirst, excludeLast };
}

/** The network's name in the name of its `vx_`. */
export function networkOf(folder: string): string {
  return folder.slice(vxlanName({ name: "" }).length);
}

/** Names of all networks that this node has attachments or devices of, or that a call has begun with. */
export function knownNetworks({ attachments, networks }: Ledger): string[] {
  return [...new Set([...attachments.folders(), ...networks.list()])].map(networkOf);
}

/** All records of an attachment, broken ones too: one, unless the configuration chose another network in the meantime. */
export function findAttachments({ attachments }: Ledger, key: Key): string[] {
  return attachments.folders().map((folder) => attachmentName({ ...key, network: networkOf(folder) }))
    .filter((name) => attachments.has(name));
}

/** Throws CniError (11) while another process makes or unmakes the attachment. */
export function beginAttachment({ attachments }: Ledger, key: Key & { network: string }): Lock {
  const lock = attachments.begin(attachmentName(key));
  if (lock !== undefined) return lock;
  throw new CniError(
    Code.tryAgainLater,
    `Cannot attach "${key.ifname}" of container "${key.containerId}": another call for it is running; try again later`,
  );
}

/** Held by whoever creates or removes the node's side of a network. */
export function networkLock(network: string): string {
  return `lock/${vxlanName({ name: network })}`;
}

/** Held by whoever claims the gateway's address. */
export function gatewayLock(network: string): string {
  return `lock/gateway:${vxlanName({ name: network })}`;
}
