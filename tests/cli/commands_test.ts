/** Words on the command line: what is run, what is said, and the exit code. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { operate } from "./operator.ts";

const COMMANDS = ["version", "install --bin-dir DIR", "status [--json]", "routing bird|frr"];

Deno.test("help is shown when it is asked for, and when nothing is", async () => {
  for (const words of [[], ["help"], ["--help"], ["-h"], ["help", "status"]]) {
    const { code, printed, warned } = await operate(words);
    deepEqual([code, warned], [0, ""], words.join(" "));
    for (const command of COMMANDS) ok(printed.includes(`  vxlan-cni ${command} `), command);
  }
});

Deno.test("words that make no command end with 2, and show the usage", async () => {
  const cases: [words: string[], complaint: RegExp][] = [
    [["attach"], /^Cannot run "attach": no such command\n/],
    [["toString"], /^Cannot run "toString": no such command\n/],
    [["--json"], /^Cannot run "--json": no such command\n/],
    [[""], /^Cannot run "": no such command\n/],
    [["status", "--yaml"], /^Unknown option '--yaml'/],
    [["status", "--json=yes"], /^Option '--json' does not take an argument/],
    [["install"], /^Cannot install: wanted --bin-dir DIR, got nothing\n/],
    [["install", "--bin-dir"], /^Option '--bin-dir <value>' argument missing/],
    [["routing", "bird", "--peers", "x"], /^Unknown option '--peers'/],
  ];
  for (const [words, complaint] of cases) {
    const { code, printed, warned } = await operate(words);
    deepEqual([code, printed], [2, ""], words.join(" "));
    match(warned, complaint);
    ok(warned.includes("  vxlan-cni status [--json]"), "the usage is missing");
  }
});

Deno.test("version says what this is", async () => {
  const { code, printed, warned } = await operate(["version"]);
  deepEqual([code, warned], [0, ""]);
  match(printed, /^vxlan-cni \d+\.\d+\.\d+$/);
});

Deno.test("install prints what it put where; that it cannot ends with 1 and a reason", async () => {
  const folders: string[] = [];
  const { code, printed } = await operate(["install", "--bin-dir", "/opt/cni/bin"], {
    install(folder) {
      folders.push(folder);
      return Promise.resolve(["vxlan", "routetable-ipam"].map((name) => `${folder}/${name}`));
    },
  });
  deepEqual([code, printed, folders], [0, "/opt/cni/bin/vxlan\n/opt/cni/bin/routetable-ipam", ["/opt/cni/bin"]]);
  const failed = await operate(["install", "--bin-dir=/none"]);
  deepEqual(failed, { code: 1, printed: "", warned: "Cannot install: no disk" });
});

Deno.test("an error of the program's own that is a TypeError is no misuse", async () => {
  const { code, warned } = await operate(["install", "--bin-dir", "/x"], {
    install: () => Promise.reject(new TypeError("Cannot install as x")),
  });
  deepEqual([code, warned], [1, "Cannot install as x"]);
  equal((await operate(["install", "--bin-dir", "/x"], { install: () => Promise.reject("text") })).warned, "text");
});
