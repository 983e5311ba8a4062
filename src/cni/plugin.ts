/** A plugin is a function; ours are made of a function for each verb. */
import type { Invocation } from "./invocation.ts";
import type { Result } from "./result.ts";
import type { Verb } from "./verbs.ts";

/** ADD returns a result, all other verbs nothing; failures are thrown. */
export type Plugin = (invocation: Invocation) => Promise<Result | undefined>;

/** The plugin that these functions make. */
export function byVerb(verbs: { readonly [V in Verb]: Plugin }): Plugin {
  return (invocation) => verbs[invocation.verb](invocation);
}
