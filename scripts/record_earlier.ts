/**
 * Records the ledger of an earlier version, `fixtures/earlier/*.json`: the truth that the tests' own is held against. Its argument is
 * an executable of that version. Needs root.
 */
import { SCENES } from "../tests/lib/earlier_scenes.ts";
import { filesIn, rootOf } from "../tests/lib/earlier.ts";
import { Node } from "../tests/program/node.ts";

const FOLDER = new URL("../fixtures/earlier/", import.meta.url).pathname;

if (import.meta.main) {
  const [program] = Deno.args;
  if (program === undefined) throw new TypeError("usage: record_earlier.ts EXECUTABLE");
  for (const [name, scene] of Object.entries(SCENES)) {
    await using node = await Node.make();
    await scene(node, { program, path: "/opt/cni/bin" });
    const files = Object.entries(await filesIn(rootOf(node.host))).sort(([a], [b]) => a < b ? -1 : 1);
    await Deno.writeTextFile(`${FOLDER}${name}.json`, `${JSON.stringify(Object.fromEntries(files), undefined, 2)}\n`);
  }
  console.log(`Recorded ${Object.keys(SCENES).length} fixtures in ${FOLDER}`);
}
