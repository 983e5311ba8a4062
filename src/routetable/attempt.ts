/** Claiming one address: a host route in the kernel's table is the claim, the routing daemon spreads it. */
import { CniError, Code } from "../cni/error.ts";
import { bits, type Cidr, formatCidr, formatIp, type Ip } from "../ip.ts";
import type { Kernel } from "../netlink/kernel.ts";
import { RTN_LOCAL } from "../netlink/route.ts";
import type { Node } from "../state/node.ts";
import type { Claim, Claims } from "./claims.ts";
import type { ClaimConfig } from "./config.ts";
import type { ClaimDevice } from "./domain.ts";
import { isTaken, pick, type Pool } from "./pool.ts";
import { watch } from "./watch.ts";

/** A request for addresses. */
export interface Claiming extends Node {
  readonly config: ClaimConfig;
  readonly device: ClaimDevice;
  readonly claims: Claims;
  /** Name of the network configuration. */
  readonly network: string;
  /** Whose the addresses are to be. */
  readonly owner: string;
}

/** Addresses that may be lost to others before an ADD gives up. */
const ATTEMPTS = 256;

/** Claims the very address that was asked for, or any free one; throws CniError (101, 102). */
export async function claimIn(claiming: Claiming, prefix: Cidr, asked: Ip | undefined): Promise<Claim> {
  if (asked === undefined) return await claimAny(claiming, prefix);
  const tried = await attempt(claiming, asked);
  if (typeof tried !== "string") return tried;
  throw new CniError(
    Code.addressTaken,
    `Cannot claim address ${formatIp(asked)}: ${tried}; ask for another one or for none`,
  );
}

/** Claims any free address of a prefix; throws CniError (102) when there is none, (11) when each one was lost. */
export async function claimAny(claiming: Claiming, prefix: Cidr): Promise<Claim> {
  const { config: { excludeFirst, excludeLast, avoid }, world: { interrupted } } = claiming;
  const pool: Pool = { prefix, excludeFirst, excludeLast };
  const lost = new Set(avoid.filter(({ version }) => version === prefix.ip.version).map(({ value }) => value));
  let tried: Claim | string = "";
  for (let attempts = 0; attempts < ATTEMPTS; attempts++) {
    interrupted.throwIfAborted();
    const ip = pick(claiming, pool, lost);
    if ("exhausted" in ip) throw exhausted(pool, ip.exhausted);
    tried = await attempt(claiming, ip);
    if (typeof tried !== "string") return tried;
    lost.add(ip.value);
  }
  throw new CniError(
    Code.tryAgainLater,
    `Cannot claim an address in ${
      formatCidr(prefix)
    }: ${ATTEMPTS} were lost one after the other, the last because ${tried}; try again later`,
  );
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

/** Installs the route and waits the window out; the claim, or why the address cannot be had. */
async function attempt(claiming: Claiming, ip: Ip): Promise<Claim | string> {
  const { world } = claiming;
  const tried = await claimAddress(claiming, ip);
  world.log?.(`address ${formatIp(ip)}: ${typeof tried === "string" ? `lost: ${tried}` : "claimed"}`);
  return tried;
}

async function claimAddress(claiming: Claiming, ip: Ip): Promise<Claim | string> {
  const { world, kernel, device, claims, network, owner, config } = claiming;
  const { propagationTimeout, routeProtocol: protocol, routeMetric: metric } = config;
  using listening = propagationTimeout === 0 ? undefined : watch(claiming, device, ip);
  // Looked at again now that nothing can come unheard.
  if (isTaken(claiming, ip)) return "a host route leads to it";
  const { name, index } = device;
  const claim = claims.take({ owner, ip, network, device: name, index, protocol, metric, since: world.uptime() });
  if (claim === undefined) return "another container of this node has claimed it";
  try {
    const reason = await listening?.verdict(propagationTimeout) ?? lossOf(kernel, claim);
    if (reason === undefined) return claim;
    claims.release(claim);
    return reason;
  } catch (error) {
    claims.release(claim);
    throw error;
  }
}

/** One last look: undefined when the route that the kernel would use is the one that we installed. */
function lossOf(kernel: Kernel, { ip, index }: Claim): string | undefined {
  const found = kernel.lookup(ip);
  if (found?.length !== bits(ip.version)) return "its route was removed by somebody else";
  return found.oif === index || found.type === RTN_LOCAL ? undefined : "a route of another node leads to it";
}
