/** Who holds which claim: a record below /run, written before the kernel is asked for anything. */
import type { Lock, Store } from "../world.ts";

export interface ClaimRecord {
  containerId: string;
  ifname: string;
  /** `name` of the network configuration, for GC. */
  network: string;
  device: string;
  protocol: number;
  metric: number;
  /** Addresses without length; while the claim is being made, also those that may not be ours yet. */
  ips: string[];
}

export interface Key {
  containerId: string;
  ifname: string;
}

const CLAIMS = "claims";
const CLAIMING = "claiming";

export function claimName({ containerId, ifname }: Key): string {
  return `${containerId}@${ifname}`;
}

export function readClaim(store: Store, key: Key): ClaimRecord | undefined {
  const content = store.read(`${CLAIMS}/${claimName(key)}`);
  return content === undefined ? undefined : JSON.parse(content) as ClaimRecord;
}

export function writeClaim(store: Store, record: ClaimRecord): void {
  store.write(`${CLAIMS}/${claimName(record)}`, JSON.stringify(record));
}

export function listClaims(store: Store): ClaimRecord[] {
  return store.list(CLAIMS).flatMap((name) => {
    const content = store.read(`${CLAIMS}/${name}`);
    return content === undefined ? [] : [JSON.parse(content) as ClaimRecord];
  });
}

/** Marks a claim as being made; undefined while another process is at it. */
export function beginClaim(store: Store, key: Key): Lock | undefined {
  return store.tryLock(`${CLAIMING}/${claimName(key)}`, true);
}

/** Ends the making of a claim; the record stays. */
export function settleClaim(store: Store, key: Key, lock: Lock): void {
  store.remove(`${CLAIMING}/${claimName(key)}`);
  lock[Symbol.dispose]();
}

export function forgetClaim(store: Store, key: Key): void {
  store.remove(`${CLAIMS}/${claimName(key)}`);
  store.remove(`${CLAIMING}/${claimName(key)}`);
}

/** Claims whose maker died before they were settled. */
export function crashedClaims(store: Store): { record: ClaimRecord; lock: Lock }[] {
  return store.list(CLAIMING).flatMap((name) => {
    const lock = store.tryLock(`${CLAIMING}/${name}`, false);
    if (lock === undefined) return [];
    const content = store.read(`${CLAIMS}/${name}`);
    if (content !== undefined) return [{ record: JSON.parse(content) as ClaimRecord, lock }];
    store.remove(`${CLAIMING}/${name}`);
    lock[Symbol.dispose]();
    return [];
  });
}
