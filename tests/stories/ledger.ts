/** Records that cannot be read: a broken one harms its own container only, and one of a newer program is left alone. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { viewNode } from "../../src/cli/view.ts";
import { addresses } from "../lib/caller.ts";
import { netConf, red } from "../lib/config.ts";
import { changes, everything, type Stage, type Story } from "../lib/stage.ts";

const config = netConf({ vxlans: [red({ cidrs: ["fd00:97::/64"] })] });
const ALL = ["c1", "c2", "c3"].map((containerID) => ({ containerID, ifname: "eth0" }));

/** Where a record of `c1` is that has the address `ip`. A claim and an address are two names of one file. */
const RECORDS: Readonly<Record<string, (ip: string) => string>> = {
  "an attachment": () => "attachments/vx_red/c1@eth0.json",
  "a network": () => "networks/vx_red.json",
  "a claim": (ip) => `claims/c1@eth0/mv_red@${ip}.json`,
  "an address": (ip) => `addresses/${ip}.json`,
};

/** What a fault leaves of a record. */
const BROKEN: Readonly<Record<string, (content: string) => string>> = {
  "is empty": () => "",
  "is cut off": (content) => content.slice(0, content.length / 2),
  "is a list": () => "[]",
  "has facts of other types": (content) => content.replaceAll(/:\d+/g, ':"x"'),
};

interface Damaged {
  file: string;
  /** The configuration of `c2` with its result. */
  checked: unknown;
}

/** `c1` and `c2`, and then a change to one record of `c1`. */
async function damaged(stage: Stage, what: string, change: (content: string) => string): Promise<Damaged> {
  const [ip = ""] = addresses(await stage.run("ADD", "c1", { config }));
  const prevResult = await stage.run("ADD", "c2", { config });
  const file = RECORDS[what]?.(ip) ?? "";
  const content = stage.store.read(file) ?? "";
  ok(change(content) !== content, file);
  // Somebody who writes a file anew gives the address a file of its own.
  if (what === "an address") stage.store.write(file, change(content));
  else await stage.spoil(file, change(content));
  return { file, checked: { ...config, prevResult } };
}

/** Calls that must succeed; `said` is what they leave on standard error. */
function listening(stage: Stage) {
  const said: string[] = [];
  return {
    said,
    async run(verb: string, id: string, given: unknown = config) {
      const { code, stdout, stderr, json } = await stage.call(verb, id, { config: given });
      equal(code, 0, `${verb} ${id}: ${stdout}`);
      said.push(stderr);
      return json;
    },
  };
}

/** Every verb for others, and what an operator asks. */
async function others(stage: Stage, { checked }: Damaged, { run, said }: ReturnType<typeof listening>): Promise<void> {
  const prevResult = await run("ADD", "c3");
  await run("CHECK", "c3", { ...config, prevResult });
  await run("CHECK", "c2", checked);
  await run("STATUS", "");
  await run("GC", "", { ...config, "cni.dev/valid-attachments": ALL });
  await run("DEL", "c3");
  const [view] = await viewNode({ ...stage.world, warn: (text) => void said.push(text) });
  ok(view?.attachments.some(({ containerId }) => containerId === "c2"), "status");
}

const FAULTS: readonly Story[] = Object.keys(RECORDS).flatMap((what) =>
  Object.entries(BROKEN).flatMap(([how, change]) =>
    [true, false].map((busy): Story => ({
      title: `${what} that ${how} ${
        busy ? "harms no other container, is told of and" : "is told of and"
      } goes with its own`,
      async run(stage) {
        const record = await damaged(stage, what, change);
        const heard = listening(stage);
        if (busy) await others(stage, record, heard);
        await heard.run("DEL", "c1");
        equal(await stage.link("eth0", "c1"), undefined);
        await heard.run("CHECK", "c2", record.checked);
        await heard.run("DEL", "c2");
        match(heard.said.join(""), new RegExp(`Cannot read record "${record.file}": it is broken`));
        deepEqual(await changes(stage), [`+ file broken/${record.file.replaceAll("/", ":")}`]);
        // What was put aside is in nobody's way.
        await stage.run("ADD", "c1", { config });
        await stage.run("DEL", "c1", { config });
      },
    }))
  )
);

/** What must not go on with a record of a newer program. */
const NEWER: [what: string, verb: string, id: string][] = [
  ["an attachment", "DEL", "c1"],
  ["an attachment", "GC", ""],
  ["a network", "ADD", "c3"],
  ["a claim", "DEL", "c1"],
];

export const LEDGER: readonly Story[] = [
  ...FAULTS,
  ...NEWER.map(([what, verb, id]): Story => ({
    title: `${what} of a newer program: ${verb} is an error that says so, and deletes nothing of it`,
    async run(stage) {
      const { file } = await damaged(stage, what, (content) => content.replace('"format":1', '"format":99'));
      const recorded = async () => (await stage.lines()).filter((line) => /^file (?!making)|proto eigrp/.test(line));
      // The interface is the attachment's, which can be read.
      const state = what === "a claim" ? recorded : () => everything(stage);
      const before = await state();
      const kept = { ...config, "cni.dev/valid-attachments": ALL.slice(1) };
      const { code, msg } = await stage.refuse(verb, id, { config: kept });
      equal(code, 5, msg);
      match(msg, new RegExp(`record "${file}": .*its format is 99, this program knows up to 1; use the program`));
      deepEqual(await state(), before);
    },
  })),
];
