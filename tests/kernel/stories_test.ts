/** The stories of tests/stories on a real host. */
import { loneHost } from "../lib/host.ts";
import { STORIES } from "../stories/all.ts";
import { realStage } from "./stage.ts";

for (const [name, stories] of Object.entries(STORIES)) {
  for (const { title, run } of stories) {
    Deno.test(`${name}: ${title}`, async () => {
      await using host = await loneHost();
      await run(await realStage(host));
    });
  }
}
