/** The IPAM plugin `routetable-ipam`: the routing table is the database. */
import { CniError, Code } from "../cni/error.ts";
import type { Invocation } from "../cni/invocation.ts";
import type { Plugin } from "../cni/plugin.ts";
import { checkArgs } from "../cni/request.ts";
import { decodeResult, type Result } from "../cni/result.ts";
import { keptAttachments } from "../cni/attachments.ts";
import { formatCidr, formatIp, type Ip, parseCidr, parseIp } from "../ip.ts";
import { type Rtnetlink, rtnetlink } from "../netlink/rtnetlink.ts";
import type { World } from "../world.ts";
import { checkClaim, interfaceMac } from "./check.ts";
import { claimAll } from "./claim.ts";
import { type ClaimConfig, readClaimConfig, readClaimSettings } from "./config.ts";
import { usage } from "./pool.ts";
import {
  beginClaim,
  type ClaimRecord,
  crashedClaims,
  forgetClaim,
  listClaims,
  readClaim,
  settleClaim,
  writeClaim,
} from "./records.ts";
import { release, releaseCrashed, releaseOrKeep } from "./release.ts";
import type { Device } from "./ask.ts";

export function routetable(world: World): Plugin {
  return async (invocation) => {
    using host = world.host();
    using kernel = rtnetlink(host.netlink());
    switch (invocation.verb) {
      case "ADD":
        checkArgs(invocation);
        return await add(world, kernel, invocation);
      case "DEL":
        return del(world, kernel, invocation);
      case "CHECK":
        return await check(world, kernel, invocation);
      case "STATUS":
        return status(kernel, readClaimConfig(invocation));
      case "GC":
        return gc(world, kernel, invocation);
      case "VERSION":
        return undefined;
    }
  };
}

async function add(world: World, kernel: Rtnetlink, invocation: Invocation): Promise<Result> {
  const config = readClaimConfig(invocation);
  const device = findDevice(kernel, config);
  for (const { record, lock } of crashedClaims(world.store)) {
    using _ = lock;
    releaseCrashed(world, kernel, record);
    forgetClaim(world.store, record);
  }
  const { containerId, ifname } = invocation;
  const lock = beginClaim(world.store, invocation);
  if (lock === undefined) throw alreadyClaimed(invocation, "is being claimed by another call");
  const earlier = readClaim(world.store, invocation);
  if (earlier !== undefined) {
    settleClaim(world.store, invocation, lock);
    throw alreadyClaimed(invocation, `is ${earlier.ips.join(", ")} already`);
  }
  const record: ClaimRecord = {
    containerId,
    ifname,
    network: invocation.config.name,
    device: device.name,
    protocol: config.routeProtocol,
    metric: config.routeMetric,
    ips: [],
  };
  const write = (ips: string[]) => writeClaim(world.store, Object.assign(record, { ips }));
  using host = world.host();
  try {
    const addresses = await claimAll({
      world,
      kernel,
      host,
      device,
      config,
      remember: (ip) => write([...record.ips, formatIp(ip)]),
      forget: (ip) => write(record.ips.filter((one) => one !== formatIp(ip))),
    });
    settleClaim(world.store, invocation, lock);
    if (isFromOriginal(invocation)) forgetClaim(world.store, invocation);
    const { gateway } = config;
    return {
      ips: addresses.map((address) => ({
        address: formatCidr(address),
        ...(gateway?.version === address.ip.version ? { gateway: formatIp(gateway) } : {}),
      })),
      routes: config.routes,
      dns: {},
    };
  } catch (error) {
    using _ = lock;
    // What stayed half done is cleared as after a crash; if that fails as well, the next ADD finds the record.
    if (record.ips.length > 0) releaseCrashed(world, kernel, record);
    forgetClaim(world.store, invocation);
    throw error;
  }
}

/** The original main plugin sends CNI_ARGS only. Its claims for the gateway and for the container bear one name, and its DEL tells the address: no record is kept. */
function isFromOriginal({ args, config: { raw } }: Invocation): boolean {
  return raw.ipam === undefined && args.LINK_INDEX !== undefined;
}

function alreadyClaimed({ containerId, ifname }: Invocation, found: string): CniError {
  return new CniError(
    Code.addressTaken,
    `Cannot claim an address for "${ifname}" of container "${containerId}": its address ${found}; call DEL first`,
  );
}

/** Releases what the record names; without one, what CNI_ARGS or prevResult name. */
function del(world: World, kernel: Rtnetlink, invocation: Invocation): undefined {
  const record = readClaim(world.store, invocation);
  const guessed = record === undefined ? guessedRecord(kernel, invocation) : undefined;
  if (record !== undefined) releaseOrKeep(world, kernel, record, reserving(invocation));
  else if (guessed !== undefined) releaseCrashed(world, kernel, guessed);
  forgetClaim(world.store, invocation);
}

/** What the configuration says of reservations, as far as it can be read. */
function reserving({ config: { raw } }: Invocation): { reserve: number; routeMetric: number } {
  try {
    return readClaimSettings(raw.ipam ?? {});
  } catch (error) {
    if (error instanceof CniError) return { reserve: 0, routeMetric: 0 };
    throw error;
  }
}

function guessedRecord(kernel: Rtnetlink, invocation: Invocation): ClaimRecord | undefined {
  try {
    const config = readClaimConfig(invocation);
    const device = findDevice(kernel, config);
    // In a hand-off IP is what the container has; from a runtime it is only what the container asked for.
    const handedOff = invocation.args.LINK_INDEX === undefined ? [] : addresses(invocation.args.IP);
    const ips = handedOff.length > 0 ? handedOff : previousIps(invocation);
    return {
      containerId: invocation.containerId,
      ifname: invocation.ifname,
      network: invocation.config.name,
      device: device.name,
      protocol: config.routeProtocol,
      metric: config.routeMetric,
      ips: ips.map(formatIp),
    };
  } catch (error) {
    // A configuration that no longer makes sense must not keep a container from being removed.
    if (error instanceof CniError) return undefined;
    throw error;
  }
}

function addresses(text = ""): Ip[] {
  return text.split(",").flatMap((part) => parseIp(part) ?? []);
}

function previousIps({ config: { raw } }: Invocation): Ip[] {
  if (raw.prevResult === undefined) return [];
  return decodeResult(raw.prevResult, "prevResult").ips.flatMap(({ address }) => parseCidr(address)?.ip ?? []);
}

async function check(world: World, kernel: Rtnetlink, invocation: Invocation): Promise<undefined> {
  const config = readClaimConfig(invocation);
  const device = findDevice(kernel, config);
  const record = readClaim(world.store, invocation);
  const ips = record?.ips.flatMap((text) => parseIp(text) ?? []) ?? previousIps(invocation);
  if (ips.length === 0) {
    throw new CniError(
      Code.checkFailed,
      `Cannot find the claim of "${invocation.ifname}" of container "${invocation.containerId}": no record and no address in prevResult`,
    );
  }
  using host = world.host();
  const mac = interfaceMac(world, invocation) ?? device.mac;
  await Promise.all(ips.map((ip) => checkClaim({ world, kernel, host, device, ip, mac })));
}

function status(kernel: Rtnetlink, config: ClaimConfig): undefined {
  const { prefixes, excludeFirst, excludeLast } = config;
  if (config.device !== undefined) {
    try {
      findDevice(kernel, config);
    } catch (error) {
      throw new CniError(Code.notAvailable, error instanceof Error ? error.message : String(error));
    }
  }
  for (const prefix of prefixes) {
    const { taken, size } = usage(kernel, { prefix, excludeFirst, excludeLast });
    if (taken < size) continue;
    throw new CniError(Code.notAvailable, `Cannot give out addresses of ${formatCidr(prefix)}: all ${size} are taken`);
  }
}

/** Releases the claims of this network whose attachments are no longer valid; throws CniError (7) without a list of valid ones. */
function gc(world: World, kernel: Rtnetlink, invocation: Invocation): undefined {
  const kept = keptAttachments(invocation);
  for (const record of listClaims(world.store)) {
    if (record.network !== invocation.config.name || kept(record)) continue;
    release(kernel, record);
    forgetClaim(world.store, record);
  }
}

/** The device on the host that claims are installed on; throws CniError (7) when it is not there. */
function findDevice(kernel: Rtnetlink, { device, propagationTimeout, probe }: ClaimConfig): Device {
  const link = device === undefined ? undefined : kernel.link(device);
  const IFF_NOARP = 0x80;
  const IFF_LOOPBACK = 8;
  if (link?.index !== undefined && link.name !== undefined) {
    const silent = ((link.flags ?? 0) & (IFF_NOARP | IFF_LOOPBACK)) !== 0 || link.mac?.length !== 17;
    return {
      index: link.index,
      name: link.name,
      mac: link.mac ?? "",
      probes: probe && propagationTimeout > 0 && !silent,
    };
  }
  const found = device === undefined
    ? "nothing"
    : typeof device === "number"
    ? `LINK_INDEX ${device}`
    : JSON.stringify(device);
  throw new CniError(
    Code.invalidConfig,
    `Cannot use config: ipam.device: wanted a network device of the host for the claims' routes, got ${found}, which does not exist`,
  );
}
