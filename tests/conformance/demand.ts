/** How a rule ends that is not met: with what was seen. */

/** Ends a rule with what was seen instead of what was demanded. */
export function broken(seen: string): never {
  throw new Error(seen);
}

/** Ends a rule unless the condition holds. */
export function demand(condition: boolean, seen: string): asserts condition {
  if (!condition) broken(seen);
}
