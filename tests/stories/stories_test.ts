/** The stories on a fake node: without root, in no time. The same on a real host: tests/kernel/stories_test.ts. */
import { fakeStage } from "../fake/node.ts";
import { STORIES } from "./all.ts";

for (const [name, stories] of Object.entries(STORIES)) {
  for (const { title, run } of stories) Deno.test(`${name}: ${title}`, () => run(fakeStage()));
}
