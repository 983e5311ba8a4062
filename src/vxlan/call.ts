/** One call of the main plugin, and the container that it is about. */
import { findPlugin } from "../cni/delegate.ts";
import { CniError, Code } from "../cni/error.ts";
import type { Invocation } from "../cni/invocation.ts";
import type { Plugin } from "../cni/plugin.ts";
import { EINVAL, ENOENT, ENOTDIR, failedWith, KernelError } from "../errno.ts";
import { type Kernel, openKernel } from "../netlink/kernel.ts";
import type { Node } from "../state/node.ts";
import { type Attachment, type Ledger, openLedger } from "./attachments.ts";
import type { Network } from "./network.ts";

/** IPAM plugins that run in this process. */
export type BuiltIn = Readonly<Record<string, Plugin>>;

/** A call: this node, what is asked for, and the way to other plugins. */
export interface Call extends Node {
  readonly invocation: Invocation;
  readonly ledger: Ledger;
  /** The plugin of a type; throws CniError when there is none. */
  delegate(type: string): Plugin;
}

/** An attachment that is being made. */
export interface Attaching extends Call {
  readonly network: Network;
  readonly container: Kernel;
  readonly attachment: Attachment;
  /** Takes back what was made so far. */
  readonly undo: AsyncDisposableStack;
}

export function openCall(node: Node, builtIn: BuiltIn, invocation: Invocation): Call {
  const { world } = node;
  return {
    ...node,
    invocation,
    ledger: openLedger(node),
    delegate: (type) => findPlugin(world, type, invocation.path, builtIn),
  };
}

/** The namespace of CNI_NETNS; throws CniError (8) when it is none. */
export function openContainer({ world, invocation: { netns: path } }: Call): Kernel {
  try {
    return openKernel(world.netns(path), world.log);
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    throw new CniError(Code.invalidNetns, `Cannot use CNI_NETNS "${path}": ${error.message}`, { cause: error });
  }
}

/** The namespace at a path; undefined when there is none or it is something else. */
export function openIfThere({ world }: Node, path: string): Kernel | undefined {
  if (path === "") return undefined;
  try {
    return openKernel(world.netns(path), world.log);
  } catch (error) {
    if (failedWith(error, ENOENT, EINVAL, ENOTDIR)) return undefined;
    throw error;
  }
}

/** Throws CniError (8) when the namespace is the host's own, unless CNI_NETNS_OVERRIDE allows it (CNI spec 1.1.0, section 2). */
export function checkNotHost({ kernel, invocation: { environment } }: Call, { netns }: Kernel): void {
  const allowed = ["1", "true"].includes((environment.CNI_NETNS_OVERRIDE ?? "").toLowerCase());
  if (netns.identity !== kernel.netns.identity || allowed) return;
  throw new CniError(
    Code.invalidNetns,
    `Cannot use CNI_NETNS "${netns.path}": it is the host's own network namespace; set CNI_NETNS_OVERRIDE=1 if that is wanted`,
  );
}

/** CniError (103). */
export function interfaceExists({ invocation: { ifname, netns } }: Call): CniError {
  return new CniError(
    Code.interfaceExists,
    `Cannot create interface "${ifname}" in "${netns}": it exists already; call DEL first, or choose another CNI_IFNAME`,
  );
}
