/** What a rule of the suite is, and the versions of the CNI specification it can apply to. */
import type { Subject } from "./subject.ts";

/** The released versions of the CNI specification, oldest first. */
export const VERSIONS = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const;

/** A released version of the CNI specification. */
export type Version = typeof VERSIONS[number];

/** How strong a demand is, as in RFC 2119. */
export type Level = "MUST" | "SHOULD";

/** The two kinds of plugin the suite knows: one that makes an interface, one that hands out addresses. */
export type Kind = "interface" | "ipam";

/** What a config must offer before a rule can be asked of it: a declared capability, or an `ipam.type` to delegate to. */
export type Need = "ips" | "mac" | "delegate";

/** One demand of the specification, and the way to see from outside whether a plugin meets it. */
export interface Rule {
  readonly name: string;
  /** Where it stands: section of SPEC.md 1.1.0, or "Conventions". */
  readonly section: string;
  readonly level: Level;
  readonly for: Kind | "both";
  readonly versions: readonly Version[];
  readonly needs?: Need;
  /** Resolves with what was seen, throws an error that says what was seen instead. */
  check(subject: Subject): Promise<string | void>;
}

/** What rules have in common, or what is special about one. */
export type Scope = Partial<Pick<Rule, "for" | "versions" | "needs">>;

/** A rule that has not been put into a section yet. */
export type Clause = Pick<Rule, "name" | "level" | "check"> & Scope;

/** `must("...", check)`, or `must("...", scope, check)` for what differs from the section's scope. */
type Told = [check: Rule["check"]] | [scope: Scope, check: Rule["check"]];

/** The rules of one section; in all versions unless `scope`, or a rule itself, says otherwise. */
export function section(section: string, scope: Scope & Pick<Rule, "for">, clauses: readonly Clause[]): Rule[] {
  return clauses.map((clause) => ({ section, versions: VERSIONS, ...scope, ...clause }));
}

/** A demand that a plugin has to meet. */
export function must(name: string, ...told: Told): Clause {
  return demanded("MUST", name, told);
}

/** A demand that a plugin is to meet unless it has a good reason. */
export function should(name: string, ...told: Told): Clause {
  return demanded("SHOULD", name, told);
}

function demanded(level: Level, name: string, told: Told): Clause {
  const [scope, check] = told.length === 1 ? [{}, told[0]] : told;
  return { ...scope, name, level, check };
}

/** The versions from this one on. */
export function since(version: Version): readonly Version[] {
  return VERSIONS.slice(VERSIONS.indexOf(version));
}

/** The versions older than this one. */
export function before(version: Version): readonly Version[] {
  return VERSIONS.slice(0, VERSIONS.indexOf(version));
}

/** Whether this version is that one or newer. */
export function reaches(version: Version, that: Version): boolean {
  return VERSIONS.indexOf(version) >= VERSIONS.indexOf(that);
}

/** Ends a rule with what was seen instead of what was demanded. */
export function broken(seen: string): never {
  throw new Error(seen);
}

/** Ends a rule unless the condition holds. */
export function demand(condition: boolean, seen: string): asserts condition {
  if (!condition) broken(seen);
}
