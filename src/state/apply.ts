/** The way from what exists to what should: forwards with every inverse remembered, and backwards. */
import { failedWith } from "../errno.ts";
import type { Outcome } from "../netlink/message.ts";
import { failures } from "./failures.ts";
import { type Change, kernelOf, type Kernels } from "./kind.ts";
import { kindOf, type NetObject } from "./objects.ts";

/** Creates objects in their order; what does not depend on each other goes in one datagram. Each inverse is left with `undo`. Throws the first error. */
export function create(kernels: Kernels, objects: readonly NetObject[], undo: AsyncDisposableStack): void {
  for (const group of groups(objects)) {
    const failed: unknown[] = [];
    for (const [index, outcome] of carryOut(group.map((object) => kindOf(object).create(kernels, object))).entries()) {
      const object = group[index];
      if ("error" in outcome) failed.push(outcome.error);
      // What may have been made is taken back as if it had been.
      const made = !("error" in outcome) || outcome.unknown === true;
      if (made && object !== undefined) undo.defer(() => remove(kernels, [object]));
    }
    if (failed.length > 0) throw failed[0];
  }
}

/** Removes objects in reverse order; what is gone already is fine. Goes on after an error and throws all of them at the end. */
export function remove(kernels: Kernels, objects: readonly NetObject[]): void {
  const failed = failures();
  for (const object of objects.toReversed()) {
    failed.attempt(() => {
      const change = kindOf(object).remove(kernelOf(kernels, object.in), object);
      if (change === undefined) return;
      const [outcome] = carryOut([change]);
      const gone = "gone" in change ? change.gone ?? [] : [];
      if (outcome !== undefined && "error" in outcome && !failedWith(outcome.error, ...gone)) throw outcome.error;
    });
  }
  failed.end();
}

/** Requests to one kernel in one datagram; what is done at once one by one. */
function carryOut(changes: readonly Change[]): Outcome[] {
  const [first] = changes;
  if (first !== undefined && "request" in first) {
    return first.kernel.batch(changes.flatMap((change) => "request" in change ? [change.request] : []));
  }
  return changes.map((change): Outcome => {
    try {
      if ("act" in change) change.act();
      return { replies: [] };
    } catch (error) {
      return { error };
    }
  });
}

/** Objects of one place that do not depend on each other, together: a link stands alone, addresses come before routes and rules. */
function groups(objects: readonly NetObject[]): NetObject[][] {
  const out: NetObject[][] = [];
  for (const object of objects) {
    const last = out.at(-1);
    const before = last?.[0];
    const together = before !== undefined && object.kind !== "link" && before.in === object.in &&
      kindOf(before).stage === kindOf(object).stage;
    if (together) last?.push(object);
    else out.push([object]);
  }
  return out;
}
