/** The IPAM plugin `routetable-ipam`: the routing table is the database. */
import { CniError, Code } from "../cni/error.ts";
import { addresses, decodeHandoff, isHandoff } from "../cni/handoff.ts";
import type { Invocation } from "../cni/invocation.ts";
import { checkArgs } from "../cni/request.ts";
import { decodeResult, type Result } from "../cni/result.ts";
import { keptAttachments } from "../cni/valid.ts";
import { byVerb, type Plugin } from "../cni/plugin.ts";
import { type Cidr, formatCidr, formatIp, type Ip, parseCidr, sameIp } from "../ip.ts";
import { IFF_LOOPBACK, IFF_NOARP } from "../netlink/link.ts";
import type { Kernel } from "../netlink/kernel.ts";
import { failures } from "../state/failures.ts";
import type { Node } from "../state/node.ts";
import { reason, shown } from "../text.ts";
import type { Lock } from "../world.ts";
import type { Claiming } from "./attempt.ts";
import { claimAll } from "./claim.ts";
import { type Claim, type Claims, gatewayOwner, openClaims, ownerOf } from "./claims.ts";
import { type ClaimConfig, type ClaimSettings, readClaimConfig, readClaimSettings } from "./config.ts";
import { checkClaim, interfaceMac } from "./conflict.ts";
import type { ClaimDevice } from "./domain.ts";
import { usage } from "./pool.ts";
import { giveBack } from "./reserve.ts";

export function routetable(node: Node): Plugin {
  const on = <T>(verb: (node: Node, invocation: Invocation) => Promise<T>) => (invocation: Invocation) =>
    verb(node, invocation);
  return byVerb({ ADD: on(add), DEL: on(del), CHECK: on(check), STATUS: on(status), GC: on(gc) });
}

async function add(node: Node, invocation: Invocation): Promise<Result> {
  checkArgs(invocation);
  const config = readClaimConfig(invocation);
  const device = findDevice(node.kernel, config);
  const claims = openClaims(node);
  releaseAbandoned(node, claims);
  const owner = whose(invocation);
  const lock = claims.records.begin(owner);
  if (lock === undefined) throw alreadyClaimed(invocation, "is being claimed by another call");
  const held = claims.of(owner);
  if (held.length > 0) {
    claims.records.end(owner, lock);
    throw alreadyClaimed(invocation, `is ${held.map(({ ip }) => formatIp(ip)).join(", ")} already`);
  }
  try {
    const claiming: Claiming = { ...node, config, device, claims, network: invocation.config.name, owner };
    const claimed = await claimAll(claiming);
    if (isFromOriginal(invocation)) { for (const claim of claims.of(owner)) claims.handOver(claim, ORIGINAL); }
    claims.records.end(owner, lock);
    return resultOf(config, claimed);
  } catch (error) {
    // What stayed half done is cleared as after a crash; if that fails as well, the next call finds the mark.
    releaseAll(node, claims, { name: owner, lock });
    throw error;
  }
}

/** Owner of the claims of the original main plugin: for gateway and container it sends one name, and DEL tells the address. */
const ORIGINAL = "original";

function whose(invocation: Invocation): string {
  const { args, ifname } = invocation;
  return decodeHandoff(args).gateway === true ? gatewayOwner(ifname) : ownerOf(invocation);
}

/** The original main plugin sends CNI_ARGS only. */
function isFromOriginal({ args, config: { raw } }: Invocation): boolean {
  return raw.ipam === undefined && isHandoff(args);
}

function alreadyClaimed({ containerId, ifname }: Invocation, found: string): CniError {
  return new CniError(
    Code.addressTaken,
    `Cannot claim an address for "${ifname}" of container "${containerId}": its address ${found}; call DEL first`,
  );
}

function resultOf({ gateway, routes }: ClaimConfig, claimed: readonly Cidr[]): Result {
  return {
    ips: claimed.map((address) => ({
      address: formatCidr(address),
      ...(gateway?.version === address.ip.version ? { gateway: formatIp(gateway) } : {}),
    })),
    routes,
    dns: {},
  };
}

/** What calls left that died half-way. */
function releaseAbandoned(node: Node, claims: Claims): void {
  for (const mark of claims.records.abandoned()) releaseAll(node, claims, mark);
}

/** Releases all claims of an owner and takes the mark away; what cannot be released is left for the next call. */
function releaseAll({ world }: Node, claims: Claims, { name: owner, lock }: { name: string; lock: Lock }): void {
  try {
    // It may have been a reservation a moment ago.
    for (const claim of claims.of(owner)) claims.release(claim, true);
    claims.records.end(owner, lock);
  } catch (error) {
    lock[Symbol.dispose]();
    world.log?.(`recovery of the claims of "${owner}": ${reason(error)}`);
  }
}

/** Releases what the ledger names; without it, what the hand-off or prevResult name. */
function del(node: Node, invocation: Invocation): Promise<undefined> {
  const claims = openClaims(node);
  const settings = settingsOf(invocation);
  const owner = whose(invocation);
  const { routeProtocol: protocol, routeMetric: metric } = settings;
  const held = claims.of(owner, { protocol, metric });
  if (held.length > 0) giveBack({ ...node, claims }, held, settings);
  else for (const claim of guessed(node, claims, invocation)) claims.release(claim);
  claims.records.unmark(owner);
  return Promise.resolve(undefined);
}

/** What the configuration says of claims, as far as it can be read: a broken one must not keep a container from being removed. */
function settingsOf({ config: { raw } }: Invocation): ClaimSettings {
  try {
    return readClaimSettings(raw.ipam ?? {});
  } catch (error) {
    if (error instanceof CniError) return { reserve: 0, routeProtocol: 0, routeMetric: 0 };
    throw error;
  }
}

function guessed({ kernel }: Node, claims: Claims, invocation: Invocation): Claim[] {
  try {
    const config = readClaimConfig(invocation);
    const { name: device, index } = findDevice(kernel, config);
    // In a hand-off IP is what the container has; from a runtime it is only what the container asked for.
    const handedOff = isHandoff(invocation.args) ? addresses(invocation.args.IP) : [];
    const ips = handedOff.length > 0 ? handedOff : previousIps(invocation);
    const known = claims.of(ORIGINAL).filter((claim) => ips.some((ip) => sameIp(ip, claim.ip)));
    const { routeProtocol: protocol, routeMetric: metric } = config;
    const rest = { owner: whose(invocation), device, index, protocol, metric, network: "", since: 0 };
    return known.length > 0 ? known : ips.map((ip) => ({ ...rest, ip }));
  } catch (error) {
    if (error instanceof CniError) return [];
    throw error;
  }
}

function previousIps({ config: { raw } }: Invocation): Ip[] {
  if (raw.prevResult === undefined) return [];
  return decodeResult(raw.prevResult, "prevResult").ips.flatMap(({ address }) => parseCidr(address)?.ip ?? []);
}

async function check(node: Node, invocation: Invocation): Promise<undefined> {
  const device = findDevice(node.kernel, readClaimConfig(invocation));
  const held = openClaims(node).of(whose(invocation)).map(({ ip }) => ip);
  const ips = held.length > 0 ? held : previousIps(invocation);
  if (ips.length === 0) {
    throw new CniError(
      Code.checkFailed,
      `Cannot find the claim of "${invocation.ifname}" of container "${invocation.containerId}": no record and no address in prevResult`,
    );
  }
  const mac = interfaceMac(node, invocation) ?? device.mac;
  await Promise.all(ips.map((ip) => checkClaim(node, { ip, device, mac })));
}

/** Throws CniError (50) when a prefix is full or the device is not there. */
function status(node: Node, invocation: Invocation): Promise<undefined> {
  const config = readClaimConfig(invocation);
  const { prefixes, excludeFirst, excludeLast } = config;
  if (config.device !== undefined) {
    try {
      findDevice(node.kernel, config);
    } catch (error) {
      throw new CniError(Code.notAvailable, reason(error));
    }
  }
  for (const prefix of prefixes) {
    const { taken, size } = usage(node, { prefix, excludeFirst, excludeLast });
    if (taken < size) continue;
    throw new CniError(Code.notAvailable, `Cannot give out addresses of ${formatCidr(prefix)}: all ${size} are taken`);
  }
  return Promise.resolve(undefined);
}

/** Releases the claims of this network whose attachments are no longer valid; throws CniError (7) without a list of valid ones. */
function gc(node: Node, invocation: Invocation): Promise<undefined> {
  const kept = keptAttachments(invocation);
  const claims = openClaims(node);
  const settings = settingsOf(invocation);
  releaseAbandoned(node, claims);
  const failed = failures();
  for (const owner of claims.records.folders()) {
    const at = owner.indexOf("@");
    if (at < 0 || kept({ containerId: owner.slice(0, at), ifname: owner.slice(at + 1) })) continue;
    failed.attempt(() => {
      const given = claims.of(owner).filter(({ network }) => network === invocation.config.name);
      giveBack({ ...node, claims }, given, settings);
    });
  }
  failed.end();
  return Promise.resolve(undefined);
}

/** The device on the host that claims are installed on; throws CniError (7) when it is not there. */
function findDevice(kernel: Kernel, { device, propagationTimeout, probe }: ClaimConfig): ClaimDevice {
  const link = device === undefined ? undefined : kernel.link(device);
  if (link?.index !== undefined && link.name !== undefined) {
    const isSilent = ((link.flags ?? 0) & (IFF_NOARP | IFF_LOOPBACK)) !== 0 || link.mac?.length !== 17;
    const probes = probe && propagationTimeout > 0 && !isSilent;
    return { index: link.index, name: link.name, mac: link.mac ?? "", probes };
  }
  const found = typeof device === "number" ? `LINK_INDEX ${device}` : shown(device);
  throw new CniError(
    Code.invalidConfig,
    `Cannot use config: ipam.device: wanted a network device of the host for the claims' routes, got ${found}${
      device === undefined ? "" : ", which does not exist"
    }`,
  );
}
