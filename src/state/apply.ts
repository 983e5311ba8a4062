/** The way from what exists to what should: forwards with every inverse remembered, and backwards. */
import { failedWith, type KernelError } from "../errno.ts";
import type { Rtnetlink } from "../netlink/rtnetlink.ts";
import { creation, type NetObject, removal } from "./object.ts";

/** Creates objects in their order; links one by one, what lies between them in one datagram. Each inverse is left with `undo`. Throws the first KernelError. */
export function create(kernel: Rtnetlink, objects: readonly NetObject[], undo: AsyncDisposableStack): void {
  for (const group of groups(objects)) {
    const outcomes = kernel.batch(group.map((object) => creation(kernel, object)));
    const failed: KernelError[] = [];
    for (const [index, outcome] of outcomes.entries()) {
      const object = group[index];
      if ("error" in outcome) failed.push(outcome.error);
      // A link made in another namespace is that namespace's to remove.
      else if (object !== undefined && !(object.kind === "link" && object.netnsFd !== undefined)) {
        undo.defer(() => remove(kernel, [object]));
      }
    }
    if (failed[0] !== undefined) throw failed[0];
  }
}

/** Removes objects in reverse order; what is gone already is fine. Goes on after an error and throws the first at the end. */
export function remove(kernel: Rtnetlink, objects: readonly NetObject[]): void {
  const failed: unknown[] = [];
  for (const object of objects.toReversed()) {
    try {
      const step = removal(kernel, object);
      if (step === undefined) continue;
      const [outcome] = kernel.batch([step.request]);
      if (outcome !== undefined && "error" in outcome && !failedWith(outcome.error, ...step.gone)) throw outcome.error;
    } catch (error) {
      failed.push(error);
    }
  }
  if (failed.length > 0) throw failed[0];
}

/** Objects that do not depend on each other, together: a link stands alone, addresses come before routes and rules. */
function groups(objects: readonly NetObject[]): NetObject[][] {
  const out: NetObject[][] = [];
  const stage = ({ kind }: NetObject) => kind === "link" ? 0 : kind === "address" ? 1 : 2;
  for (const object of objects) {
    const last = out.at(-1);
    if (last?.[0] !== undefined && stage(last[0]) === stage(object) && object.kind !== "link") last.push(object);
    else out.push([object]);
  }
  return out;
}
