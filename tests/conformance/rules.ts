/** All rules of the suite, in the order in which they are asked: those that look first, those that must be alone last. */
import type { Rule } from "./rule.ts";
import type { Kind } from "./subject.ts";
import { addRules } from "./rules_add.ts";
import { checkRules } from "./rules_check.ts";
import { concurrencyRules } from "./rules_concurrency.ts";
import { conventionRules } from "./rules_conventions.ts";
import { delRules } from "./rules_del.ts";
import { delegationRules } from "./rules_delegation.ts";
import { errorRules } from "./rules_errors.ts";
import { failedAddRules } from "./rules_failed_add.ts";
import { gcRules } from "./rules_gc.ts";
import { parameterRules } from "./rules_parameters.ts";
import { resultRules } from "./rules_result.ts";
import { statusRules } from "./rules_status.ts";
import { versionRules } from "./rules_version.ts";

const RULES: readonly Rule[] = [
  ...versionRules,
  ...parameterRules,
  ...errorRules,
  ...resultRules,
  ...addRules,
  ...failedAddRules,
  ...checkRules,
  ...delRules,
  ...delegationRules,
  ...conventionRules,
  ...concurrencyRules,
  ...statusRules,
  ...gcRules,
];

/** The rules for plugins of this kind. */
export function rulesFor(kind: Kind): Rule[] {
  return RULES.filter((rule) => rule.for === "both" || rule.for === kind);
}
