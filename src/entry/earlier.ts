/** What an earlier version of this program left below `/run/vxlan-cni`: no format number, one ledger for the whole machine. */
import { CniError, Code } from "../cni/error.ts";
import type { Invocation } from "../cni/invocation.ts";
import type { Node } from "../state/node.ts";
import { earlierStore } from "../system/store.ts";
import { reason } from "../text.ts";
import type { Store, World } from "../world.ts";

/** Milliseconds between two looks at the same mark, and those after which nobody is waited for any more. */
const INTERVAL = 20;
const PATIENCE = 30_000;

/** `hosts/NETWORK`: the node's side of a network. */
export interface EarlierNetwork {
  config: Invocation["config"]["raw"];
  path: string[];
  claimed: boolean;
}

/** `attachments/NETWORK/ID@IF`; a mark `adding/NETWORK/ID@IF` while it is made or unmade. */
export interface EarlierAttachment {
  containerId: string;
  ifname: string;
  netns: string;
  /** Device and inode of the namespace. */
  identity: string;
  config: Invocation["config"]["raw"];
  path: string[];
  /** With prefix length. */
  ips: string[];
}

interface Route {
  device: string;
  protocol: number;
  metric: number;
}

/** `claims/ID@IF`; a mark `claiming/ID@IF` while it is made, and then some addresses may be another one's. */
export interface EarlierClaims extends Route {
  containerId: string;
  ifname: string;
  network: string;
  ips: string[];
}

/** `reserved/DEVICE@IP`. */
export interface EarlierReservation extends Route {
  ip: string;
  index: number;
  since: number;
  ready: boolean;
}

/** The earlier ledger. Marks that are left in it were left by calls that died. */
export interface Earlier {
  readonly store: Store;
  /** Throws when it is broken. */
  read<T>(name: string): T;
  /** Whether a mark is there. */
  isMarked(mark: string): boolean;
}

/** A node, the ledger that is taken over, and what of it belongs to the node: names of networks. */
export interface Upgrading extends Node {
  readonly earlier: Earlier;
  readonly networks: readonly string[];
}

/** Takes over a record; one that cannot be stays where it is, and is told of on standard error. */
export function attempt({ world }: Node, what: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    world.warn(`Cannot take over record "${what}" of an earlier version: ${reason(error)}`);
  }
}

/** Opens the ledger once no call of the earlier program runs any more. Throws CniError (11) when one runs for too long. */
export async function openEarlier(world: World): Promise<Earlier> {
  const store = earlierStore();
  const deadline = world.now() + PATIENCE;
  for (const mark of marks(store)) {
    while (isHeld(store, mark)) {
      world.interrupted.throwIfAborted();
      if (world.now() >= deadline) {
        throw new CniError(
          Code.tryAgainLater,
          `Cannot take over the records of an earlier version: its call "${mark}" is still running; try again later`,
        );
      }
      await world.readable([], INTERVAL);
    }
  }
  return {
    store,
    read: <T>(name: string) => JSON.parse(store.read(name) ?? "") as T,
    isMarked: (mark) => store.read(mark) !== undefined,
  };
}

function marks(store: Store): string[] {
  const below = (folder: string) => store.list(folder).map((name) => `${folder}/${name}`);
  return [...below("adding").flatMap(below), ...below("claiming")];
}

/** Whether a process that lives holds the mark. */
function isHeld(store: Store, mark: string): boolean {
  using lock = store.tryLock(mark, false);
  return lock === undefined && store.read(mark) !== undefined;
}

/** Takes away the files of locks that nobody holds. */
export function removeLocks({ store }: Earlier): void {
  for (const folder of ["lock/network", "lock/gateway", "lock/reserve"]) {
    for (const name of store.list(folder)) {
      using lock = store.tryLock(`${folder}/${name}`, false);
      if (lock !== undefined) store.remove(`${folder}/${name}`);
    }
  }
}
