/** GC: releases all attachments of this configuration that are not listed as valid. */
import { CniError, Code } from "../cni/error.ts";
import { keptAttachments } from "../cni/valid.ts";
import { failures } from "../state/failures.ts";
import { knownNetworks } from "./attachments.ts";
import type { Call } from "./call.ts";
import { readConfig } from "./config.ts";
import { releaseHost } from "./host.ts";
import { callIpam } from "./ipam.ts";
import type { Network } from "./network.ts";
import { recover, release } from "./release.ts";
import { vxlanName } from "./topology.ts";

export async function gc(call: Call): Promise<undefined> {
  const { invocation, ledger } = call;
  const { attachments } = ledger;
  const kept = keptAttachments(invocation);
  const { networks } = readConfig(invocation.config.raw);
  const failed = failures();
  for (const network of knownNetworks(ledger)) {
    const folder = vxlanName({ name: network });
    for (const entry of attachments.list(folder)) {
      const name = `${folder}/${entry}`;
      await failed.wait(async () => {
        const attachment = attachments.read(name);
        if (attachment?.config !== invocation.config.name || kept(attachment)) return;
        using _ = await attachments.wait(name);
        await release(call, attachment);
      });
    }
    await failed.wait(() => recover(call, network));
    // A DEL that died after its last record left a node's side that nobody is attached to.
    await failed.wait(() => releaseHost(call, network));
  }
  // What could not be released keeps its address: to IPAM it is only one that is not listed.
  const asked = failed.some ? [] : onePerType(networks);
  for (const network of asked) await failed.wait(() => gcIpam(call, network));
  failed.end();
}

function onePerType(networks: readonly Network[]): Network[] {
  return networks.filter(({ ipam }, index) => networks.findIndex((one) => one.ipam.type === ipam.type) === index);
}

/** An IPAM plugin older than CNI 1.1.0 does not know GC: its refusal is ignored. */
async function gcIpam(call: Call, network: Network): Promise<void> {
  try {
    await callIpam(call, { verb: "GC", from: network });
  } catch (error) {
    const unsupported = error instanceof CniError &&
      [Code.incompatibleVersion, Code.unknownContainer, Code.invalidEnvironment].some((code) => code === error.code);
    if (!unsupported) throw error;
  }
}
