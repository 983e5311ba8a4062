/** What a rule of the suite is, and the words that rules are written with. */
import type { Kind, Need, Subject } from "./subject.ts";
import { type Version, VERSIONS } from "./version.ts";

/** How strong a demand is, as in RFC 2119. */
export type Level = "MUST" | "SHOULD";

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
