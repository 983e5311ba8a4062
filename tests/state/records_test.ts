/** The ledger's records: read as they were written, warned of when broken, refused when newer; marks of what is being made. */
import { deepEqual, equal, throws } from "node:assert/strict";
import { toCniError } from "../../src/cni/error.ts";
import { type Records, records } from "../../src/state/records.ts";
import { type FakeWorld, fakeWorld } from "../fake/world.ts";

interface Thing {
  name: string;
  size: number;
  isLarge: boolean;
  parts: string[];
  more: Record<string, unknown>;
  note?: string;
}

const SHAPE = {
  name: "string",
  size: "number",
  isLarge: "boolean",
  parts: "list",
  more: "object",
  note: "string?",
} as const;
const THING: Thing = { name: "a", size: 1, isLarge: false, parts: ["x"], more: { type: "y" } };

function open(): { world: FakeWorld; things: Records<Thing> } {
  const world = fakeWorld();
  return { world, things: records<Thing>({ store: world.store(""), warn: world.warn }, "things", SHAPE) };
}

Deno.test("a record is read as it was written, and is a file that says its format", () => {
  const { world, things } = open();
  deepEqual([things.has("one"), things.read("one"), things.list()], [false, undefined, []]);
  things.write("one", THING);
  things.write("folder/two", { ...THING, note: "n" });
  deepEqual(things.read("one"), { format: 1, ...THING });
  deepEqual(things.read("folder/two"), { format: 1, ...THING, note: "n" });
  deepEqual([...world.files], [
    ["things/one.json", JSON.stringify({ format: 1, ...THING })],
    ["things/folder/two.json", JSON.stringify({ format: 1, ...THING, note: "n" })],
  ]);
  equal(things.file("folder/two"), "things/folder/two.json");
  deepEqual([things.list(), things.folders(), things.list("folder"), things.list("none")], [["one"], ["folder"], [
    "two",
  ], []]);
  things.forget("one");
  things.forget("one");
  deepEqual([things.has("one"), things.list(), world.warnings], [false, [], []]);
});

Deno.test("a record without a format number is older, and is read", () => {
  const { world, things } = open();
  world.files.set("things/one.json", JSON.stringify(THING));
  deepEqual(things.read("one"), THING);
  deepEqual(world.warnings, []);
});

Deno.test("a record of a newer program is refused in words, with code 5; forgotten it is gone like any other", () => {
  const { world, things } = open();
  world.files.set("things/one.json", JSON.stringify({ format: 2, anything: true }));
  equal(things.has("one"), true);
  throws(() => things.read("one"), (error) => {
    const { code, message } = toCniError(error);
    deepEqual([code, message], [
      5,
      'Cannot read record "things/one.json": EOPNOTSUPP (operation not supported): ' +
      "its format is 2, this program knows up to 1; use the program that wrote it",
    ]);
    return true;
  });
  things.forget("one");
  deepEqual([...world.files.keys()], []);
});

const BROKEN: [what: string, content: string][] = [
  ["empty", ""],
  ["cut off", JSON.stringify(THING).slice(0, -1)],
  ["a list", JSON.stringify([THING])],
  ["null", "null"],
  ["a number", "5"],
  ["without a fact", JSON.stringify({ ...THING, size: undefined })],
  ["text where a number is wanted", JSON.stringify({ ...THING, size: "1" })],
  ["a number where text is wanted", JSON.stringify({ ...THING, name: 1 })],
  ["text where true or false is wanted", JSON.stringify({ ...THING, isLarge: "false" })],
  ["an object where a list is wanted", JSON.stringify({ ...THING, parts: {} })],
  ["a list where an object is wanted", JSON.stringify({ ...THING, more: [] })],
  ["null where an object is wanted", JSON.stringify({ ...THING, more: null })],
  ["a number where text may be missing", JSON.stringify({ ...THING, note: 5 })],
];

Deno.test("a broken record is warned of and still counts until it is forgotten; then it lies aside", () => {
  for (const [what, content] of BROKEN) {
    const { world, things } = open();
    world.files.set("things/folder/one.json", content);
    equal(things.read("folder/one"), undefined, what);
    deepEqual(world.warnings, [
      'Cannot read record "things/folder/one.json": it is broken; the next DEL of its container puts it aside',
    ], what);
    deepEqual([things.has("folder/one"), things.list("folder")], [true, ["one"]], what);
    things.forget("folder/one");
    deepEqual([things.has("folder/one"), things.list("folder"), things.folders()], [false, [], []], what);
    deepEqual([...world.files], [["broken/things:folder:one.json", content]], what);
  }
});

Deno.test("a record gets another name in one step, once", () => {
  const { things } = open();
  things.write("a/one", THING);
  deepEqual([things.move("a/one", "b/one"), things.move("a/one", "b/one")], [true, false]);
  deepEqual([things.has("a/one"), things.read("b/one")?.name], [false, "a"]);
});

Deno.test("a mark stands for what is being made, and keeps others out until it ends", async () => {
  const { world, things } = open();
  const lock = things.begin("folder/one");
  if (lock === undefined) throw new Error("Cannot begin");
  deepEqual([...world.files.keys()], ["making/things/folder/one"]);
  deepEqual([things.begin("folder/one"), things.abandoned("folder"), things.list("folder")], [undefined, [], []]);
  let got = false;
  const waiting = things.wait("folder/one").then((taken) => {
    got = true;
    return taken;
  });
  await new Promise((resolve) => setTimeout(resolve));
  equal(got, false);
  things.write("folder/one", THING);
  things.end("folder/one", lock);
  const next = await waiting;
  equal(things.begin("folder/one"), undefined, "whoever waited has it now");
  things.end("folder/one", next);
  deepEqual([...world.files.keys()], ["things/folder/one.json"], "what was recorded stays");
});

Deno.test("a mark that nobody holds was left by a process that died, and is found with its lock", () => {
  const { world, things } = open();
  things.begin("folder/died")?.[Symbol.dispose]();
  const lives = things.begin("folder/lives");
  if (lives === undefined) throw new Error("Cannot begin");
  const found = things.abandoned("folder");
  deepEqual(found.map(({ name }) => name), ["folder/died"]);
  deepEqual(things.abandoned("folder"), [], "somebody holds it now");
  deepEqual(things.abandoned("none"), []);
  for (const { name, lock } of found) things.end(name, lock);
  things.end("folder/lives", lives);
  things.begin("top")?.[Symbol.dispose]();
  const top = things.abandoned();
  deepEqual(top.map(({ name }) => name), ["top"]);
  things.unmark("top");
  things.unmark("top");
  deepEqual([...world.files.keys()], []);
});

Deno.test("records of two folders do not know of each other", () => {
  const world = fakeWorld();
  const [one, other] = ["one", "other"].map((folder) =>
    records<Thing>({ store: world.store(""), warn: world.warn }, folder, SHAPE)
  );
  one?.write("a", THING);
  using _ = one?.begin("a");
  deepEqual([other?.has("a"), other?.list(), other?.abandoned()], [false, [], []]);
  using lock = other?.begin("a");
  equal(lock === undefined, false);
});
