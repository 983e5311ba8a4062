/** A call that is refused with this code and these words, and changes nothing. */
import { deepEqual, equal, match } from "node:assert/strict";
import type { Call } from "../lib/call.ts";
import { everything, type Stage } from "../lib/stage.ts";

export async function refuses(
  stage: Stage,
  containerId: string,
  options: Call,
  [code, words]: readonly [code: number, words: RegExp],
): Promise<void> {
  const before = await everything(stage);
  const refused = await stage.refuse("ADD", containerId, options);
  equal(refused.code, code, refused.msg);
  match(refused.msg, words);
  deepEqual(await everything(stage), before, refused.msg);
}
