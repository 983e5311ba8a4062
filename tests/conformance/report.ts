/** The verdicts as text for people. */
import { type Version, VERSIONS } from "./version.ts";
import type { Finding, Verdict } from "./suite.ts";

/** A table of the verdicts; below it what was seen where a rule failed, and a line of sums. */
export function table(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map((verdict) => [
    { pass: "pass", fail: "FAIL", "not applicable": "n/a" }[verdict.outcome],
    verdict.level,
    verdict.section,
    verdict.rule,
    versionsOf(verdict),
    verdict.outcome === "fail" ? "see below" : seen(verdict),
  ]);
  const all = [["", "level", "section", "rule", "versions", "seen"], ...rows];
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const lines = all.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ").trimEnd());
  const failures = verdicts.filter((verdict) => verdict.outcome === "fail").map((verdict) =>
    `FAIL ${verdict.level} ${verdict.rule} (${verdict.section}; ${versionsOf(verdict)})\n     ${seen(verdict)}`
  );
  return [...lines, "", ...failures, "", sums(verdicts)].join("\n");
}

/** Whether a MUST failed. */
export function broke(verdicts: readonly Verdict[]): boolean {
  return verdicts.some((verdict) => verdict.outcome === "fail" && verdict.level === "MUST");
}

function sums(verdicts: readonly Verdict[]): string {
  const count = (outcome: Verdict["outcome"], level?: string) =>
    verdicts.filter((verdict) => verdict.outcome === outcome && (level ?? verdict.level) === verdict.level).length;
  return `${verdicts.length} rules: ${count("pass")} passed, ${count("fail", "MUST")} MUST and ` +
    `${count("fail", "SHOULD")} SHOULD failed, ${count("not applicable")} not applicable`;
}

/** The versions asked, as ranges; of a failed rule those in which it failed. */
function versionsOf(verdict: Verdict): string {
  const told = verdict.outcome === "fail" ? verdict.findings.filter((finding) => !finding.ok) : verdict.findings;
  return ranges(told.map((finding) => finding.version));
}

function ranges(versions: readonly Version[]): string {
  const runs: Version[][] = [];
  for (const version of versions) {
    const last = runs.at(-1);
    const next = last !== undefined && VERSIONS.indexOf(last.at(-1) ?? version) + 1 === VERSIONS.indexOf(version);
    if (next) last.push(version);
    else runs.push([version]);
  }
  return runs.map((run) => run.length === 1 ? run[0] : `${run[0]}-${run.at(-1)}`).join(", ");
}

function seen(verdict: Verdict): string {
  if (verdict.why !== undefined) return verdict.why;
  const worst: Finding | undefined = verdict.findings.find((finding) => !finding.ok) ?? verdict.findings.at(-1);
  return (worst?.seen ?? "").replaceAll(/\s+/g, " ");
}
