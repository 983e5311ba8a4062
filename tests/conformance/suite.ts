/** Runs the rules against a plugin: each in every version it applies to, each version in a host of its own. */
import type { Level, Rule } from "./rule.ts";
import { type Version, VERSIONS } from "./version.ts";
import { rulesFor } from "./rules.ts";
import { Subject, type SubjectSpec } from "./subject.ts";

/** How one rule went in one version. */
export interface Finding {
  readonly version: Version;
  readonly ok: boolean;
  readonly seen: string;
}

/** How one rule went. */
export interface Verdict {
  readonly rule: string;
  readonly section: string;
  readonly level: Level;
  readonly outcome: "pass" | "fail" | "not applicable";
  readonly findings: readonly Finding[];
  /** Why a rule was not asked. */
  readonly why?: string;
}

/** What may be left out of a run; everything is run when not given. */
interface SuiteOptions {
  readonly versions?: readonly Version[];
  /** Only rules whose name contains this text. */
  readonly only?: string;
}

/** The version rule that says which versions are missing: the one place where an unsupported version counts. */
const ALL_VERSIONS = "all released versions are supported";

/** Runs all rules for the plugin's kind; versions run side by side, rules of a version one after the other. */
export async function conformance(spec: SubjectSpec, options: SuiteOptions = {}): Promise<Verdict[]> {
  const versions = options.versions ?? VERSIONS;
  const rules = rulesFor(spec.kind).filter((rule) => rule.name.includes(options.only ?? ""));
  const findings = new Map<Rule, Finding[]>(rules.map((rule) => [rule, []]));
  const notApplicable = new Map<Rule, string>();
  const queue = [...versions];
  const worker = async () => {
    for (let version = queue.shift(); version !== undefined; version = queue.shift()) {
      await using subject = await Subject.make(spec, version);
      await askAll(subject, rules, findings, notApplicable);
    }
  };
  await Promise.all([worker(), worker()]);
  return rules.map((rule) => verdict(rule, findings.get(rule) ?? [], versions, notApplicable.get(rule)));
}

/** Asks what applies to the subject's version. */
async function askAll(
  subject: Subject,
  rules: readonly Rule[],
  findings: ReadonlyMap<Rule, Finding[]>,
  notApplicable: Map<Rule, string>,
): Promise<void> {
  const { version } = subject;
  const supported = await subject.supportedVersions();
  for (const rule of rules) {
    if (!rule.versions.includes(version)) continue;
    if (!subject.offers(rule.needs)) {
      notApplicable.set(rule, `the config offers no ${rule.needs}`);
    } else if (supported.includes(version) || rule.name === ALL_VERSIONS) {
      findings.get(rule)?.push(await ask(rule, subject));
    } else if (!rule.versions.some((other) => supported.includes(other))) {
      findings.get(rule)?.push({ version, ok: false, seen: `version ${version} is not supported` });
    }
  }
}

async function ask(rule: Rule, subject: Subject): Promise<Finding> {
  const { version } = subject;
  try {
    return { version, ok: true, seen: await rule.check(subject) ?? "" };
  } catch (error) {
    return { version, ok: false, seen: error instanceof Error ? error.message : String(error) };
  } finally {
    await subject.cleanUp();
  }
}

function verdict(rule: Rule, found: readonly Finding[], versions: readonly Version[], why?: string): Verdict {
  const findings = found.toSorted((a, b) => VERSIONS.indexOf(a.version) - VERSIONS.indexOf(b.version));
  const { name, section, level } = rule;
  if (findings.length === 0) {
    const none = versions.some((version) => rule.versions.includes(version)) ? why : "not in these versions";
    return { rule: name, section, level, outcome: "not applicable", findings, why: none ?? "no version in common" };
  }
  const outcome = findings.every((finding) => finding.ok) ? "pass" : "fail";
  return { rule: name, section, level, outcome, findings };
}
