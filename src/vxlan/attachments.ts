/** Who is attached to what: a record for each attachment, below /run, so that DEL, GC and recovery know what to release. */
import { CniError, Code } from "../cni/error.ts";
import type { Lock, Store } from "../world.ts";

export interface Attachment {
  containerId: string;
  ifname: string;
  /** Path and identity of the namespace. */
  netns: string;
  identity: string;
  /** Name of the network in `vxlans`. */
  network: string;
  /** The whole configuration as it came, without what belongs to one call. */
  config: Record<string, unknown>;
  /** CNI_PATH, to find the IPAM plugin again. */
  path: string[];
  /** Addresses with prefix length; empty until IPAM has answered. */
  ips: string[];
}

/** The node's side of a network: how it was configured, and whether IPAM holds an address for the gateway. */
export interface HostRecord {
  config: Record<string, unknown>;
  path: string[];
  /** IPAM was asked for a gateway address, and may hold one. */
  claimed: boolean;
}

export interface Key {
  containerId: string;
  ifname: string;
}

const ATTACHMENTS = "attachments";
const ADDING = "adding";
const HOSTS = "hosts";

/** `ID@IFNAME`: a container id has no '@'. */
function fileName({ containerId, ifname }: Key): string {
  return `${containerId}@${ifname}`;
}

/** Serialises what creates or removes the node's side of a network. */
export function lockNetwork(store: Store, network: string): Promise<Lock> {
  return store.lock(`lock/network/${network}`);
}

/** Held by whoever claims the gateway's address. */
export const gatewayLock = (network: string) => `lock/gateway/${network}`;

/** All records of an attachment: one, unless the configuration chose another network in the meantime. */
export function findAttachments(store: Store, key: Key): Attachment[] {
  return store.list(ATTACHMENTS).flatMap((network) => read(store, network, fileName(key)));
}

/** The records of one network. */
export function listAttachments(store: Store, network: string): Attachment[] {
  return store.list(`${ATTACHMENTS}/${network}`).flatMap((name) => read(store, network, name));
}

/** How many attachments a network has, those being made counted. */
export function countAttachments(store: Store, network: string): number {
  return store.list(`${ATTACHMENTS}/${network}`).length;
}

/** Names of all networks that this node has attachments or devices of. */
export function knownNetworks(store: Store): string[] {
  const attached = store.list(ATTACHMENTS).filter((network) => countAttachments(store, network) > 0);
  return [...new Set([...attached, ...store.list(HOSTS)])];
}

function read(store: Store, network: string, name: string): Attachment[] {
  const content = store.read(`${ATTACHMENTS}/${network}/${name}`);
  return content === undefined ? [] : [JSON.parse(content) as Attachment];
}

/** Starts an attachment: its record is there before anything else is. Throws CniError (11) while another process makes or unmakes it. */
export function beginAttachment(store: Store, attachment: Attachment): Lock {
  const lock = lockAttachment(store, attachment);
  writeAttachment(store, attachment);
  return lock;
}

export function writeAttachment(store: Store, attachment: Attachment): void {
  store.write(`${ATTACHMENTS}/${attachment.network}/${fileName(attachment)}`, JSON.stringify(attachment));
}

function lockAttachment(store: Store, attachment: Attachment): Lock {
  const lock = store.tryLock(`${ADDING}/${attachment.network}/${fileName(attachment)}`, true);
  if (lock !== undefined) return lock;
  const { containerId, ifname } = attachment;
  throw new CniError(
    Code.tryAgainLater,
    `Cannot attach "${ifname}" of container "${containerId}": another call for it is running; try again later`,
  );
}

/** Ends the making of an attachment; the record stays. */
export function settle(store: Store, attachment: Attachment, lock: Lock): void {
  store.remove(`${ADDING}/${attachment.network}/${fileName(attachment)}`);
  lock[Symbol.dispose]();
}

export function forget(store: Store, attachment: Attachment): void {
  store.remove(`${ATTACHMENTS}/${attachment.network}/${fileName(attachment)}`);
  store.remove(`${ADDING}/${attachment.network}/${fileName(attachment)}`);
}

/** Waits for whoever makes or unmakes an attachment at this moment, and keeps others from it; ended by forget() or settle(). */
export function claimAttachment(store: Store, attachment: Attachment): Promise<Lock> {
  return store.lock(`${ADDING}/${attachment.network}/${fileName(attachment)}`);
}

/** Attachments of a network whose maker (or remover) died: the kernel has given back its lock, but the mark is still there. */
export function crashed(store: Store, network: string): { attachment: Attachment; lock: Lock }[] {
  return store.list(`${ADDING}/${network}`).flatMap((name) => {
    const lock = store.tryLock(`${ADDING}/${network}/${name}`, false);
    if (lock === undefined) return [];
    const [attachment] = read(store, network, name);
    if (attachment !== undefined) return [{ attachment, lock }];
    store.remove(`${ADDING}/${network}/${name}`);
    lock[Symbol.dispose]();
    return [];
  });
}

export function readHost(store: Store, network: string): HostRecord | undefined {
  const content = store.read(`${HOSTS}/${network}`);
  return content === undefined ? undefined : JSON.parse(content) as HostRecord;
}

export function writeHost(store: Store, network: string, record: HostRecord): void {
  store.write(`${HOSTS}/${network}`, JSON.stringify(record));
}

export function forgetHost(store: Store, network: string): void {
  store.remove(`${HOSTS}/${network}`);
}
