/** What a kind of object must be able to say and do. */
import type { Kernel } from "../netlink/kernel.ts";
import type { Request } from "../netlink/message.ts";

/** Where an object is. */
export type Place = "node" | "container";

/** The kernels of both places; without a container where an object of one cannot be meant. */
export interface Kernels {
  readonly node: Kernel;
  readonly container?: Kernel | undefined;
}

/** A device by name, or by the index of the very one: a name can come to mean another device. */
export interface Device {
  name: string;
  index?: number;
}

/** One property that is not as wanted. */
export interface Difference {
  property: string;
  wanted: string;
  found: string;
}

export type Finding = { state: "missing" } | { state: "present" } | { state: "different"; differences: Difference[] };

export const MISSING: Finding = { state: "missing" };
export const PRESENT: Finding = { state: "present" };

/** A request, which can share a datagram with others; or something done at once. `gone`: errno values that mean it is so already. */
export type Change = { kernel: Kernel; request: Request; gone?: readonly number[] } | { act(): void };

/** One kind of object. */
export interface Kind<T> {
  /** Lower ones first; those of one stage travel together, but links alone. */
  stage: number;
  /** In words: `link "vx_red"`. */
  describe(object: T): string;
  /** What the kernel has of it. */
  inspect(kernel: Kernel, object: T): Finding;
  /** Its device must exist. */
  create(kernels: Kernels, object: T): Change;
  /** Undefined: it is gone, and with it whatever was on it. */
  remove(kernel: Kernel, object: T): Change | undefined;
}

/** The kernel of a place; throws when there is no container at hand. */
export function kernelOf(kernels: Kernels, place: Place): Kernel {
  const kernel = place === "node" ? kernels.node : kernels.container;
  if (kernel === undefined) throw new Error("Cannot use an object of a container: its namespace is not open");
  return kernel;
}

/** The index of a device; undefined when it is gone. */
export function indexOf(kernel: Kernel, { name, index }: Device): number | undefined {
  return index ?? kernel.link(name)?.index;
}

/** The index of a device that must be there. */
export function needIndex(kernel: Kernel, device: Device): number {
  const index = indexOf(kernel, device);
  if (index === undefined) throw new Error(`Cannot find link "${device.name}": it has gone in the meantime`);
  return index;
}

/** Present, or different in those properties whose values are wanted and not found. */
export function judged(
  pairs: readonly (readonly [property: string, wanted: string | undefined, found: string])[],
): Finding {
  const differences = pairs.flatMap(([property, wanted, found]) =>
    wanted === undefined || wanted === found ? [] : [{ property, wanted, found }]
  );
  return differences.length === 0 ? PRESENT : { state: "different", differences };
}
