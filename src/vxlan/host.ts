/** The node's side of a network: made with its first container, removed with its last one, both under the network's lock. */
import { CniError, Code } from "../cni/error.ts";
import { EEXIST, failedWith } from "../errno.ts";
import { formatCidr, parseCidr } from "../ip.ts";
import type { Kernel } from "../netlink/kernel.ts";
import { create, remove } from "../state/apply.ts";
import { compare, type Compared, differences, toCreate } from "../state/compare.ts";
import { failures } from "../state/failures.ts";
import { kindOf, type NetObject } from "../state/objects.ts";
import {
  type Attachment,
  gatewayLock,
  networkLock,
  type NodeSideRecord,
  recordAddressing,
  recordedAddressing,
} from "./attachments.ts";
import type { Call } from "./call.ts";
import { type NodeSide, readFacts, readNodeSide } from "./facts.ts";
import { callIpam, claimsGateway, forGateway } from "./ipam.ts";
import type { Network } from "./network.ts";
import { bypass, isBypass, macvlanName, nodeObjects, vxlanName } from "./topology.ts";

/** Makes what is missing of the node's side. Throws CniError (104) when something else stands there. */
export async function ensureHost(call: Call, network: Network): Promise<NodeSide> {
  const { kernel, ledger: { networks } } = call;
  using _ = await call.store.lock(networkLock(network.name));
  const compared = compare({ node: kernel }, nodeObjects(network, readFacts(kernel, network)));
  // Check before writing the record: with a record, a foreign device would look like ours and be deleted later.
  for (const one of compared) if (isInTheWay(one)) throw inTheWay(one);
  const name = vxlanName(network);
  const found = networks.read(name);
  const recorded = found ?? newRecord(call, network, networks.has(name));
  const missing = toCreate(compared);
  if (found === undefined) {
    networks.forget(name);
    networks.write(name, recorded);
  }
  await using undo = new AsyncDisposableStack();
  createNodeSide(kernel, network, { missing, undo });
  const side = readNodeSide(kernel, network);
  const { vxlan, macvlan } = side;
  if (missing.length > 0 || recorded.vxlan !== vxlan || recorded.macvlan !== macvlan) {
    networks.write(name, { ...recorded, vxlan, macvlan });
  }
  undo.move();
  return side;
}

/** A broken record, which this one takes the place of, may have told of a gateway. */
function newRecord({ invocation }: Call, network: Network, isBroken: boolean): NodeSideRecord {
  const { name, bypassTable: table, prefixes } = network;
  return {
    ...recordAddressing(network, invocation),
    network: name,
    vxlan: 0,
    macvlan: 0,
    bypass: network.bypass ? prefixes.map((prefix) => ({ prefix: formatCidr(prefix), table })) : [],
    claimed: isBroken && claimsGateway(network),
  };
}

/** In place of a broken record: what an attachment tells of its network, and what the kernel has of the bypass. */
function rebuilt(kernel: Kernel, attachment: Attachment): NodeSideRecord {
  const addressing = recordedAddressing(attachment);
  const bypass = addressing.prefixes.flatMap((prefix) =>
    kernel.rules(prefix.ip.version).filter((rule) => isBypass(rule, prefix))
      .map(({ table = 0 }) => ({ prefix: formatCidr(prefix), table }))
  );
  return { ...attachment, vxlan: 0, macvlan: 0, bypass, claimed: claimsGateway(addressing) };
}

function isInTheWay({ object, finding }: Compared): boolean {
  return object.kind === "link" && finding.state === "different";
}

function inTheWay({ object, finding }: Compared): CniError {
  return new CniError(
    Code.hostDiffers,
    `Cannot use ${kindOf(object).describe(object)}: it exists but differs: ${
      differences(finding).map(({ property, wanted, found }) => `${property} is ${found}, wanted ${wanted}`).join(", ")
    }; change the configuration, or remove it when nothing uses it`,
  );
}

function createNodeSide(
  kernel: Kernel,
  network: Network,
  { missing, undo }: { missing: NetObject[]; undo: AsyncDisposableStack },
): void {
  try {
    create({ node: kernel }, missing, undo);
  } catch (error) {
    const holder = failedWith(error, EEXIST) ? vniHolder(kernel, network) : undefined;
    if (holder === undefined || missing[0]?.kind !== "link") throw error;
    throw new CniError(
      Code.hostDiffers,
      `Cannot create link "${
        vxlanName(network)
      }": VNI ${network.id} is in use by link "${holder}" on this node; choose another id or port, or remove that link`,
      { cause: error },
    );
  }
}

function vniHolder(kernel: Kernel, { id }: Network): string | undefined {
  return kernel.links().find(({ info }) => info?.vxlan?.id === id)?.name;
}

/** Removes the node's side unless somebody is attached; `last` is who was. Goes on after an error and throws all of them at the end. */
export async function releaseHost(call: Call, network: string, last?: Attachment): Promise<void> {
  const { kernel, store, ledger: { attachments, networks } } = call;
  const name = vxlanName({ name: network });
  using _ = await store.lock(networkLock(network));
  if (attachments.list(name).length > 0) return;
  const failed = failures();
  if (networks.has(name)) {
    const record = networks.read(name) ?? (last === undefined ? undefined : rebuilt(kernel, last));
    // An address without its claim would be used by the next ADD, should this call die in between: the address goes first.
    failed.attempt(() => remove({ node: kernel }, recordedObjects(network, record)));
    if (record?.claimed === true) await failed.wait(() => releaseGateway(call, record));
  }
  if (!failed.some) {
    networks.forget(name);
    // Nobody waits for a gateway without an attachment, and whoever waits for the network looks again whether its lock still has its name.
    for (const lock of [gatewayLock(network), networkLock(network)]) store.remove(lock);
  }
  failed.end();
}

/** Gives the gateway's address back to IPAM. */
export async function releaseGateway(call: Call, record: NodeSideRecord): Promise<void> {
  const { invocation } = call;
  const { cniVersion, config: name, ipam, path, macvlan } = record;
  const recorded: Call = {
    ...call,
    invocation: {
      ...invocation,
      path: invocation.path.length > 0 ? invocation.path : path,
      config: { ...invocation.config, name, raw: { cniVersion, name, type: "vxlan", ipam } },
    },
  };
  await callIpam(forGateway(recorded, { name: record.network }), {
    verb: "DEL",
    from: recordedAddressing(record),
    linkIndex: macvlan === 0 ? undefined : macvlan,
    gateway: true,
  });
}

/** What was made. Without a record only the devices are known, by their names. */
function recordedObjects(network: string, record: NodeSideRecord | undefined): NetObject[] {
  const link = (name: string, index: number | undefined): NetObject => ({
    kind: "link",
    in: "node",
    name,
    ...(index === undefined || index === 0 ? {} : { index }),
  });
  return [
    link(vxlanName({ name: network }), record?.vxlan),
    link(macvlanName({ name: network }), record?.macvlan),
    ...(record?.bypass ?? []).flatMap(({ prefix: text, table }) => {
      const prefix = parseCidr(text);
      return prefix === undefined ? [] : bypass({ name: network }, { prefix, table });
    }),
  ];
}
