/** Claiming an address: a host route in the kernel's table is the claim, the routing daemon spreads it. */
import { CniError, Code } from "../cni/error.ts";
import { EEXIST, ENODEV, ESRCH, failedWith } from "../errno.ts";
import { type Cidr, formatCidr, formatIp, hostPrefix, type Ip, parseIp } from "../ip.ts";
import { addRoute, deleteRoute, type Route, RT_SCOPE_UNIVERSE, type Rtnetlink } from "../netlink/rtnetlink.ts";
import type { Netns, World } from "../world.ts";
import type { ClaimConfig } from "./config.ts";
import { isTaken, pick, type Pool } from "./pool.ts";
import { type ClaimRecord, listClaims } from "./records.ts";
import { type Device, type Verdict, watch } from "./window.ts";

export interface Claimant {
  world: World;
  kernel: Rtnetlink;
  host: Netns;
  device: Device;
  config: ClaimConfig;
  /** Called before a route is installed, so that a crash leaves nothing that nobody knows of. */
  remember(ip: Ip): void;
  forget(ip: Ip): void;
}

/** The claim of one address as a route. */
export function claimRoute(ip: Ip, oif: number, protocol: number, metric: number): Route {
  return { to: hostPrefix(ip), oif, protocol, metric, scope: RT_SCOPE_UNIVERSE };
}

/** Claims an address of each prefix, all in the same window. On failure nothing stays claimed. */
export async function claimAll(claimant: Claimant): Promise<Cidr[]> {
  const { config: { prefixes, requested } } = claimant;
  const wanted = prefixes.filter(({ ip }) =>
    requested.length === 0 || requested.some(({ version }) => version === ip.version)
  );
  const settled = await Promise.allSettled(wanted.map(async (prefix) => {
    const asked = requested.find(({ version }) => version === prefix.ip.version);
    const ip = asked === undefined ? await claimAny(claimant, prefix) : await claimThis(claimant, asked);
    return { ip, length: prefix.length };
  }));
  const failed = settled.find((one) => one.status === "rejected");
  const held = settled.flatMap((one) => one.status === "fulfilled" ? [one.value] : []);
  if (failed === undefined) return held;
  for (const { ip } of held) withdraw(claimant, ip);
  throw failed.reason;
}

/** Claims the very address that was asked for; throws CniError (101) when somebody has it. */
async function claimThis(claimant: Claimant, ip: Ip): Promise<Ip> {
  const reason = isTaken(claimant.kernel, ip) ? "a host route leads to it" : await attempt(claimant, ip);
  if (reason === undefined) return ip;
  throw new CniError(
    Code.addressTaken,
    `Cannot claim address ${formatIp(ip)}: ${reason}; ask for another one or for none`,
  );
}

/** Claims any free address; throws CniError (102) when there is none. */
async function claimAny(claimant: Claimant, prefix: Cidr): Promise<Ip> {
  const { world, kernel, config: { excludeFirst, excludeLast } } = claimant;
  const pool: Pool = { prefix, excludeFirst, excludeLast };
  const lost = new Set<bigint>();
  for (;;) {
    const ip = pick(world, kernel, pool, lost);
    if ("exhausted" in ip) throw exhausted(pool, ip.exhausted);
    if (await attempt(claimant, ip) === undefined) return ip;
    lost.add(ip.value);
  }
}

function exhausted({ prefix, excludeFirst, excludeLast }: Pool, size: bigint): CniError {
  const text = formatCidr(prefix);
  const excluded = excludeFirst + excludeLast === 0
    ? ""
    : ` (${excludeFirst} excluded at its start, ${excludeLast} at its end)`;
  return new CniError(
    Code.exhausted,
    `Cannot claim an address in ${text}: all ${size} are taken${excluded}; release some or use a larger prefix`,
  );
}

/** Installs the route and waits the window out; undefined: the address is ours. */
async function attempt(claimant: Claimant, ip: Ip): Promise<Verdict> {
  const { world, host, kernel, device, config } = claimant;
  const { propagationTimeout, routeProtocol, routeMetric } = config;
  using listening = propagationTimeout === 0 ? undefined : watch(world, host, device, ip);
  claimant.remember(ip);
  try {
    kernel.execute(addRoute(claimRoute(ip, device.index, routeProtocol, routeMetric)));
  } catch (error) {
    claimant.forget(ip);
    if (failedWith(error, EEXIST)) return "another container of this node has claimed it";
    throw error;
  }
  try {
    const reason = await listening?.verdict(propagationTimeout) ?? stillOurs(kernel, device, ip);
    if (reason !== undefined) withdraw(claimant, ip);
    return reason;
  } catch (error) {
    withdraw(claimant, ip);
    throw error;
  }
}

/** One last look: the route that the kernel would use is the one that we installed. */
function stillOurs(kernel: Rtnetlink, device: Device, ip: Ip): Verdict {
  const found = kernel.lookup(ip);
  if (found?.length !== hostPrefix(ip).length) return `its route was removed by somebody else`;
  return found.oif === device.index || found.table === 255 ? undefined : "a route of another node leads to it";
}

function withdraw({ kernel, device, config, forget }: Claimant, ip: Ip): void {
  removeClaim(kernel, ip, device.index, config.routeProtocol, config.routeMetric);
  forget(ip);
}

/** Removes a claim's route; one that is gone already is fine. */
function removeClaim(kernel: Rtnetlink, ip: Ip, oif: number, protocol: number, metric: number): void {
  try {
    kernel.execute(deleteRoute(claimRoute(ip, oif, protocol, metric)));
  } catch (error) {
    if (!failedWith(error, ESRCH, ENODEV)) throw error;
  }
}

/** Removes the routes of a record; with its device they went by themselves. */
export function release(kernel: Rtnetlink, record: ClaimRecord): void {
  const index = kernel.link(record.device)?.index;
  if (index === undefined) return;
  for (const text of record.ips) {
    const ip = parseIp(text);
    if (ip !== undefined) removeClaim(kernel, ip, index, record.protocol, record.metric);
  }
}

/** As release(), for a claim that was never settled: what somebody else's record names is not touched. */
export function releaseCrashed(world: World, kernel: Rtnetlink, record: ClaimRecord): void {
  const others = new Set(
    listClaims(world.store)
      .filter(({ containerId, ifname }) => containerId !== record.containerId || ifname !== record.ifname)
      .flatMap(({ ips }) => ips),
  );
  release(kernel, { ...record, ips: record.ips.filter((ip) => !others.has(ip)) });
}
