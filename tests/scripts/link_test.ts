import assert from "node:assert/strict";
import { link } from "../../scripts/link.ts";
import { must } from "../lib/run.ts";
import { linkedDeno } from "./linked.ts";

/** Prints what the program sees of its arguments and its environment. */
const SEEN = `const cmdline=Deno.readTextFileSync("/proc/self/cmdline").split("\\0").slice(0,-1);` +
  `console.log(JSON.stringify({args:Deno.args,cmdline,env:Deno.env.toObject()}))`;

Deno.test("link() puts arguments and variables in front of the caller's", async (t) => {
  await using linked = await linkedDeno(SEEN);
  const seen = async (args: readonly string[], env: Record<string, string> = {}, argv0 = "vxlan") => {
    const command = ["/bin/bash", "-c", `exec -a "$0" "$@"`, argv0, linked.path, ...args];
    return JSON.parse(await must(command, { env, clearEnv: true }));
  };

  await t.step("arguments arrive untouched, argv[0] as called", async () => {
    for (const args of [[], ["version"], ["--help"], ["--version", "-A"], ["-"], ["--", "--", ""], ["a b", "\u00fc"]]) {
      for (const argv0 of ["vxlan", "/opt/cni/bin/routetable-ipam"]) {
        const found = await seen(args, {}, argv0);
        assert.deepEqual([found.args, found.cmdline], [args, [argv0, ...args]]);
      }
    }
  });

  await t.step("variables are added, those that start with a given prefix are gone", async () => {
    const { env } = await seen([], {
      KEPT: "=1",
      AD: "2",
      ADDED: "3",
      DROP: "4",
      DROPPED: "5",
      DRO: "6",
      EXACT: "7",
      EXACTLY: "8",
    });
    for (const name of ["PWD", "SHLVL", "_", "DENO_DIR", "DENO_NO_UPDATE_CHECK"]) delete env[name];
    assert.deepEqual(env, { ADDED: "yes", KEPT: "=1", AD: "2", DRO: "6", EXACTLY: "8" });
  });

  await t.step("many long arguments and variables fit", async () => {
    const long = "x".repeat(1000);
    const args = Array.from({ length: 500 }, (_, index) => `${index}${long}`);
    const found = await seen(args, Object.fromEntries(args.map((value, index) => [`V${index}`, value])));
    assert.deepEqual(found.args, args);
    assert.equal(found.env.V499, `499${long}`);
  });
});

Deno.test("link() appends the script and tells where it is", async () => {
  const deno = await Deno.readFile(Deno.execPath());
  const script = new TextEncoder().encode("a script");
  const positions: number[] = [];
  const args = (position: number) => [`${positions.push(position)}`];
  const linked = link(deno, { script, args, env: ["A=1"], dropped: [] });
  assert.deepEqual(positions, [deno.length]);
  assert.deepEqual(linked.slice(deno.length, deno.length + script.length), script);
});

Deno.test("link() names what it cannot link into", () => {
  const start = { script: new Uint8Array(), args: () => ["run"], env: ["A=1"], dropped: [] };
  const arm = new Uint8Array(4096);
  arm.set([0x7f, 0x45, 0x4c, 0x46, 2]);
  arm[18] = 183;
  assert.throws(() => link(arm, start), /ELF machine 183, not x86-64; set DENORT_BIN to a denort executable/);
  assert.throws(() => link(new TextEncoder().encode("#!/bin/sh"), start), /no 64-bit ELF file/);
  arm[18] = 62;
  assert.throws(() => link(arm, start), /no PT_LOAD/);
});
