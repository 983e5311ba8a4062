/** Any thrown value as an error of the specification's. */
import { deepEqual, equal, throws } from "node:assert/strict";
import * as z from "zod/mini";
import { CniError, toCniError } from "../../src/cni/error.ts";
import { invalid, parse, string, whole } from "../../src/cni/schema.ts";
import { EEXIST, ENODEV, KernelError } from "../../src/errno.ts";

const EACCES = 13;
const link = new KernelError('delete link "vx_red"', ENODEV);
const route = new KernelError("delete route 10.97.1.0/24", EEXIST);
const file = new KernelError('write "/run/x"', EACCES, { file: true });
const config = new CniError(7, "Cannot use config", {
  details: "line 5",
  faults: [{ path: ["a"], wanted: "b", got: 1 }],
});

const CASES: [what: string, error: unknown, code: number, message: string, details: string][] = [
  ["the kernel's errors have a code of their own", link, 100, link.message, ""],
  ["those about files another", file, 5, 'Cannot write "/run/x": EACCES (permission denied)', ""],
  ["anything else is internal", new TypeError("no"), 999, "no", ""],
  ["what is no error is text", "text", 999, "text", ""],
  ["undefined is text as well", undefined, 999, "undefined", ""],
  [
    "causes are details",
    new Error("outer", { cause: new Error("middle", { cause: link }) }),
    999,
    "outer",
    `middle: ${link.message}`,
  ],
  [
    "all failures are told, the first one first",
    new AggregateError([link, file, route], "x"),
    100,
    link.message,
    `${file.message}; ${route.message}`,
  ],
  ["the code is that of the first failure", new AggregateError([file, link], "x"), 5, file.message, link.message],
  [
    "details of the first failure stay",
    new AggregateError([config, link], "x"),
    7,
    config.message,
    `line 5; ${link.message}`,
  ],
  [
    "failures within failures are told, too",
    new AggregateError([new AggregateError([link, file]), "text"]),
    100,
    link.message,
    `${file.message}; text`,
  ],
  [
    "wherever they are",
    new AggregateError([route, new AggregateError([link, file])]),
    100,
    route.message,
    `${link.message}; ${file.message}`,
  ],
  ["an empty list of failures is internal", new AggregateError([], "nothing"), 999, "nothing", ""],
  [
    "what could not be undone is a detail",
    new SuppressedError(route, link),
    100,
    link.message,
    `undoing failed: ${route.message}`,
  ],
  [
    "all that could not be undone",
    new SuppressedError(new AggregateError([link, file]), route),
    100,
    route.message,
    `undoing failed: ${link.message}; ${file.message}`,
  ],
  [
    "each that could not be undone",
    new SuppressedError(file, new SuppressedError(route, config)),
    7,
    config.message,
    `line 5; undoing failed: ${route.message}; undoing failed: ${file.message}`,
  ],
];

Deno.test("toCniError() gives everything that is thrown a code, a sentence and details", () => {
  for (const [what, error, code, message, details] of CASES) {
    const made = toCniError(error);
    deepEqual([made.name, made.code, made.message, made.details], ["CniError", code, message, details], what);
  }
  equal(toCniError(config), config);
  deepEqual(toCniError(new SuppressedError(route, config)).faults, config.faults);
});

Deno.test("faults of a configuration are data: path, wanted and got of each, the message names the first", () => {
  const schema = z.looseObject({
    vxlans: z.array(z.strictObject({ id: whole(0, 9), name: string("a name") }, "a vxlan"), "a list"),
  }, "an object");
  const value = { vxlans: [{ id: 10, name: 5, mtu: 1 }, 7] };
  throws(() => parse(schema, value, ["top"]), (error: CniError) => {
    equal(error.code, 7);
    equal(error.message, "Cannot use config: top.vxlans[0].id: wanted a whole number from 0 to 9, got 10");
    deepEqual(error.faults, [
      { path: ["top", "vxlans", 0, "id"], wanted: "a whole number from 0 to 9", got: 10 },
      { path: ["top", "vxlans", 0, "name"], wanted: "a name", got: 5 },
      { path: ["top", "vxlans", 0, "mtu"], wanted: "a key that exists", got: "mtu" },
      { path: ["top", "vxlans", 1], wanted: "a vxlan", got: 7 },
    ]);
    return true;
  });
});

Deno.test("invalid() is one fault, and says its path as an operator would write it", () => {
  const cases: [Parameters<typeof invalid>[0], string][] = [
    ["name", "name"],
    [["vxlans", 0, "options", "group"], "vxlans[0].options.group"],
    [["args", "annotations", "a.b/C"], 'args.annotations["a.b/C"]'],
    [["cni.dev/valid-attachments", 1, "ifname"], "cni.dev/valid-attachments[1].ifname"],
    [["CNI_ARGS IP"], "CNI_ARGS IP"],
    [[], "network configuration"],
  ];
  for (const [path, text] of cases) {
    const { message, faults, code } = invalid(path, "something", undefined);
    deepEqual([code, message], [7, `Cannot use config: ${text}: wanted something, got nothing`]);
    deepEqual(faults, [{ path: typeof path === "string" ? [path] : path, wanted: "something", got: undefined }]);
  }
  const long = invalid("a", "less", "x".repeat(500)).message;
  equal(long.endsWith("xxx..."), true, "a long value is shown short");
  equal(long.length < 200, true);
});
