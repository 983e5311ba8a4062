/** This node: the world, the kernel of the node's own namespace, and the ledger that belongs to that namespace. */
import { type Kernel, openKernel } from "../netlink/kernel.ts";
import type { Store, World } from "../world.ts";

export interface Node {
  readonly world: World;
  readonly kernel: Kernel;
  readonly store: Store;
}

/** Opens the node's namespace, once for a whole call. Two hosts that are namespaces of one machine do not know of each other. */
export function openNode(world: World): Node & Disposable {
  const kernel = openKernel(world.host(), world.log, "node");
  return {
    world,
    kernel,
    store: world.store(kernel.netns.identity),
    [Symbol.dispose]: () => kernel[Symbol.dispose](),
  };
}
