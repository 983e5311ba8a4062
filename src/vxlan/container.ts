/** The container's side of an attachment: its namespace, and the interface that is or is not there. */
import { CniError, Code } from "../cni/error.ts";
import type { Invocation } from "../cni/invocation.ts";
import { KernelError } from "../errno.ts";
import type { Netns, World } from "../world.ts";

/** The namespace of CNI_NETNS; throws CniError (8) when it is none. */
export function openContainer(world: World, { netns: path }: Invocation): Netns {
  try {
    return world.netns(path);
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    throw new CniError(Code.invalidNetns, `Cannot use CNI_NETNS "${path}": ${error.message}`, "", { cause: error });
  }
}

/** Throws CniError (8) when the namespace is the host's own, unless CNI_NETNS_OVERRIDE allows it (CNI spec 1.1.0, section 2). */
export function checkNotHost(host: Netns, netns: Netns, { environment }: Invocation): void {
  const allowed = ["1", "true"].includes((environment.CNI_NETNS_OVERRIDE ?? "").toLowerCase());
  if (netns.identity !== host.identity || allowed) return;
  throw new CniError(
    Code.invalidNetns,
    `Cannot use CNI_NETNS "${netns.path}": it is the host's own network namespace; set CNI_NETNS_OVERRIDE=1 if that is wanted`,
  );
}

/** CniError (103). */
export function interfaceExists(ifname: string, netns: string): CniError {
  return new CniError(
    Code.interfaceExists,
    `Cannot create interface "${ifname}" in "${netns}": it exists already; call DEL first, or choose another CNI_IFNAME`,
  );
}
