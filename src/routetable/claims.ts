/**
 * The ledger of addresses: who on this node holds which one.
 *
 * A claim has one file with two names. `claims/OWNER/DEVICE@ADDRESS` says whose it is: to hand it over is one rename. `addresses/ADDRESS`
 * says that it is taken: the second name is the claim, of two processes exactly one makes it. The kernel's host route stands for the
 * claim in the cluster.
 */
import { EEXIST, failedWith } from "../errno.ts";
import { formatIp, hostPrefix, type Ip, parseIp } from "../ip.ts";
import { RT_SCOPE_HOST, RT_SCOPE_UNIVERSE, RT_TABLE_LOCAL, RTN_LOCAL } from "../netlink/route.ts";
import { create, remove } from "../state/apply.ts";
import type { Node } from "../state/node.ts";
import type { NetObject } from "../state/objects.ts";
import { type Records, records } from "../state/records.ts";

interface ClaimRecord {
  /** `name` of the network configuration, for GC. */
  network: string;
  /** The device of the host route: its name, and the index of the very device. */
  device: string;
  index: number;
  protocol: number;
  /** 0: the kernel's default. */
  metric: number;
  /** Milliseconds since boot at which it was claimed. */
  since: number;
}

/** Index of no device: nothing in the kernel can be meant. */
const NO_DEVICE = 0;

export interface Claim extends ClaimRecord {
  owner: string;
  ip: Ip;
}

/** Owner of the claims that are held in advance. Names of attachments have an '@': no name that a runtime chooses means these. */
export const RESERVED = "reserved";
/** Owner of those whose window is not over yet. */
export const RESERVING = "reserving";

export interface Claims {
  /** By owner: marks stand for claims that are being made. */
  records: Records<ClaimRecord>;
  /** The claims of one owner; of a broken record what its name says, and of the rest what `otherwise` says. */
  of(owner: string, otherwise?: Partial<ClaimRecord>): Claim[];
  /** Whether somebody on this node holds the address, whatever the routing table says. */
  isHeld(ip: Ip): boolean;
  /** Whether the address is this claim's: a call that died in between may have recorded what another owner has. */
  owns(claim: Claim): boolean;
  /** Claims an address on this node: in the ledger first, then in the kernel. Undefined when somebody here has it. */
  take(claim: Claim): Claim | undefined;
  /** Gives a claim to another owner; undefined when it has gone. */
  handOver(claim: Claim, owner: string): Claim | undefined;
  /** Gives a claim up; `isDefended`: this node may answer for its address. Throws KernelError, and then keeps it. */
  release(claim: Claim, isDefended?: boolean): void;
}

/** Owner of what an attachment holds. */
export function ownerOf({ containerId, ifname }: { containerId: string; ifname: string }): string {
  return `${containerId}@${ifname}`;
}

/** Owner of the node's own address on a device. */
export function gatewayOwner(device: string): string {
  return `gateway:${device}`;
}

export function isGateway(owner: string): boolean {
  return owner.startsWith("gateway:");
}

/** The host route that claims an address; scope universe, as routing daemons expect of what they spread. */
function claimRoute({ ip, device: name, index, protocol, metric }: Claim): NetObject {
  const scope = RT_SCOPE_UNIVERSE;
  return { kind: "route", in: "node", device: { name, index }, to: hostPrefix(ip), protocol, metric, scope };
}

/** Makes this node answer for an address on the broadcast domain: a local route (IPv4), an address without a prefix route (IPv6). */
export function defence({ ip, device: name, index }: Claim): NetObject {
  const device = { name, index };
  if (ip.version === 6) return { kind: "address", in: "node", device, address: hostPrefix(ip), bare: true };
  const local = { table: RT_TABLE_LOCAL, scope: RT_SCOPE_HOST, type: RTN_LOCAL };
  return { kind: "route", in: "node", device, to: hostPrefix(ip), ...local };
}

export function openClaims({ kernel, store, world: { warn } }: Node): Claims {
  const shape = {
    network: "string",
    device: "string",
    index: "number",
    protocol: "number",
    metric: "number",
    since: "number",
  } as const;
  const byOwner = records<ClaimRecord>({ store, warn }, "claims", shape);
  const byAddress = records<ClaimRecord>({ store, warn }, "addresses", shape);
  const nameOf = ({ owner, device, ip }: Pick<Claim, "owner" | "device" | "ip">) =>
    `${owner}/${device}@${formatIp(ip)}`;

  /** A claim on a device that is gone means nothing: its route went with the device. */
  function isVoid(ip: Ip): boolean {
    const record = byAddress.read(formatIp(ip));
    return record !== undefined && kernel.link(record.index) === undefined;
  }

  /** Makes the second name, which is the claim. */
  function takeName(name: string, ip: Ip): boolean {
    const [from, to] = [byOwner.file(name), byAddress.file(formatIp(ip))];
    if (store.link(from, to)) return true;
    if (!isVoid(ip)) return false;
    store.remove(to);
    return store.link(from, to);
  }

  /** Whether the address is this record's: another owner can have it by now. */
  function ownsName(name: string, ip: Ip): boolean {
    return store.same(byOwner.file(name), byAddress.file(formatIp(ip)));
  }

  return {
    records: byOwner,
    of(owner, otherwise) {
      return byOwner.list(owner).flatMap((entry) => {
        const at = entry.lastIndexOf("@");
        const [device, ip] = [entry.slice(0, at), parseIp(entry.slice(at + 1))];
        if (ip === undefined) return [];
        return [{ ...byOwner.read(`${owner}/${entry}`) ?? rebuilt(device, otherwise), owner, ip }];
      });
    },
    isHeld: (ip) => byAddress.has(formatIp(ip)) && !isVoid(ip),
    owns: (claim) => ownsName(nameOf(claim), claim.ip),
    take(claim) {
      const { owner: _1, ip, ...record } = claim;
      const name = nameOf(claim);
      byOwner.write(name, record);
      if (!takeName(name, ip)) {
        byOwner.forget(name);
        return undefined;
      }
      try {
        create({ node: kernel }, [claimRoute(claim)], new AsyncDisposableStack());
        return claim;
      } catch (error) {
        const isTaken = failedWith(error, EEXIST);
        if (isTaken) forget(name, ip);
        else release(claim);
        if (isTaken) return undefined;
        throw error;
      }
    },
    handOver(claim, owner) {
      const given = { ...claim, owner };
      return byOwner.move(nameOf(claim), nameOf(given)) ? given : undefined;
    },
    release,
  };

  /** What can be known of a claim whose record is broken. */
  function rebuilt(device: string, otherwise: Partial<ClaimRecord> = {}): ClaimRecord {
    const index = kernel.link(device)?.index ?? NO_DEVICE;
    return { network: "", device, index, protocol: 0, metric: 0, since: 0, ...otherwise };
  }

  function release(claim: Claim, isDefended = claim.owner === RESERVED): void {
    const name = nameOf(claim);
    // What nobody on this node is known to hold can be removed as well: its record was lost, or is broken.
    const mayRemove = ownsName(name, claim.ip) || byAddress.read(formatIp(claim.ip)) === undefined;
    if (mayRemove && claim.index !== NO_DEVICE) {
      remove({ node: kernel }, [claimRoute(claim), ...(isDefended ? [defence(claim)] : [])]);
    }
    forget(name, claim.ip);
  }

  function forget(name: string, ip: Ip): void {
    if (ownsName(name, ip)) store.remove(byAddress.file(formatIp(ip)));
    else if (byAddress.read(formatIp(ip)) === undefined) byAddress.forget(formatIp(ip));
    byOwner.forget(name);
  }
}
