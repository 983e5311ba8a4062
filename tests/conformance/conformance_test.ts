/** The suite against the reference plugins, which tests the suite, and against ours, which tests the plugins. */
import { deepEqual, equal } from "node:assert/strict";
import { binDir } from "../lib/call.ts";
import { table } from "./report.ts";
import { type ExpectedSubject, ours, oursBelow, REFERENCE } from "./subjects.ts";
import { conformance } from "./suite.ts";

for (const expected of REFERENCE) {
  Deno.test(`${expected.spec.name} breaks exactly the rules it is known to break`, () => judged(expected));
}

Deno.test("our plugins break no rule", async (context) => {
  const bin = await binDir();
  for (const expected of [...ours(bin), ...oursBelow(bin)]) {
    await context.step(expected.spec.name, () => judged(expected));
  }
});

/** `CONFORMANCE=full` in the environment asks every subject in all versions (`deno task test:conformance`). */
const FULL = Deno.env.get("CONFORMANCE") === "full";

async function judged({ spec, broken, brief }: ExpectedSubject): Promise<void> {
  const short = brief !== undefined && !FULL;
  const verdicts = await conformance(spec, short ? { versions: brief } : {});
  const failed = verdicts.filter((verdict) => verdict.outcome === "fail").map((verdict) => verdict.rule);
  const unexpected = failed.filter((rule) => !broken.includes(rule));
  const mended = broken.filter((rule) => !failed.includes(rule));
  const shown = table(verdicts.filter((verdict) => unexpected.includes(verdict.rule)));
  deepEqual({ unexpected, mended }, { unexpected: [], mended: [] }, `${spec.name}: mended: ${mended}\n${shown}`);
  if (short) return;
  const open = verdicts.filter((verdict) => verdict.outcome === "not applicable").map((verdict) => verdict.rule);
  equal(open.length, 0, `not asked: ${open}`);
}
