/** Takes over the claims of an earlier version; those that its calls died with are given up. */
import { bits, formatIp, type Ip, parseIp, sameIp } from "../ip.ts";
import { type Claim, gatewayOwner, openClaims, ownerOf, RESERVED } from "../routetable/claims.ts";
import { macvlanName } from "../vxlan/topology.ts";
import { attempt, type EarlierClaims, type EarlierReservation, type Upgrading } from "./earlier.ts";

/** A claim on the device of that name which is there now. */
type Unplaced = Omit<Claim, "index">;

type Take = (node: Upgrading, claim: Unplaced) => void;

export function takeClaims(node: Upgrading): void {
  const { store, isMarked } = node.earlier;
  const claims = store.list("claims");
  const died = claims.filter((key) => isMarked(`claiming/${key}`));
  const settled = claims.filter((key) => !died.includes(key));
  for (const key of settled) attempt(node, `claims/${key}`, () => takeClaimsOf(node, key, take));
  for (const key of store.list("reserved")) attempt(node, `reserved/${key}`, () => takeReservation(node, key));
  // What a call has not settled may name the addresses of others: by now those are known.
  for (const key of died) attempt(node, `claims/${key}`, () => takeClaimsOf(node, key, giveUp));
}

function takeClaimsOf(node: Upgrading, key: string, take: Take): void {
  const { store, read } = node.earlier;
  const record = read<EarlierClaims>(`claims/${key}`);
  const ips = record.ips.flatMap((text) => parseIp(text) ?? []);
  if (!isHere(node, record, ips)) return;
  const isGateway = record.containerId.startsWith("gateway-") && record.ifname === record.device;
  const owner = isGateway ? gatewayOwner(record.device) : ownerOf(record);
  // When it was claimed is not known; what is settled has spread.
  for (const ip of ips) take(node, { ...record, owner, ip, since: 0 });
  store.remove(`claims/${key}`);
  store.remove(`claiming/${key}`);
}

function takeReservation(node: Upgrading, key: string): void {
  const { store, read } = node.earlier;
  const record = read<EarlierReservation>(`reserved/${key}`);
  const ip = parseIp(record.ip);
  if (ip === undefined || !isHere(node, record, [ip])) return;
  // Those of an earlier device of the name went with it.
  if (indexOf(node, record.device) === record.index) {
    (record.ready ? take : giveUp)(node, { ...record, network: "", owner: RESERVED, ip });
  }
  store.remove(`reserved/${key}`);
}

/** Whether claims are of this namespace: on the device of a network that is taken over, or with a route here. */
function isHere(node: Upgrading, record: EarlierClaims | EarlierReservation, ips: readonly Ip[]): boolean {
  const { device, protocol, metric } = record;
  const oif = indexOf(node, device);
  if (oif === undefined) return false;
  if (node.networks.some((name) => macvlanName({ name }) === device)) return true;
  return ips.some((ip) =>
    node.kernel.routes(ip.version, { oif, protocol }).some(({ to, length, priority }) =>
      length === bits(ip.version) && to !== undefined && sameIp(to, ip) && (metric === 0 || priority === metric)
    )
  );
}

function indexOf({ kernel }: Upgrading, device: string): number | undefined {
  return kernel.link(device)?.index;
}

/** Records a claim, unless a call that died while it took records over has done so: the record's file has two names. */
function take(node: Upgrading, { owner, ip, ...claim }: Unplaced): void {
  const { network, device, protocol, metric, since } = claim;
  const { records } = openClaims(node);
  const name = `${owner}/${device}@${formatIp(ip)}`;
  const index = indexOf(node, device) ?? 0;
  if (!records.has(name)) records.write(name, { network, device, index, protocol, metric, since });
  node.store.link(records.file(name), `addresses/${formatIp(ip)}.json`);
}

/** Removes what there is of a claim in the kernel, unless somebody else has the address. */
function giveUp(node: Upgrading, claim: Unplaced): void {
  openClaims(node).release({ ...claim, index: indexOf(node, claim.device) ?? 0 }, true);
}
