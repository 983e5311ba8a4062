/** The property of tests/state/undo_test.ts on a real kernel: whichever write of an ADD it refuses, `ip` shows the same afterwards as before. */
import { deepEqual, equal, ok } from "node:assert/strict";
import { openNetns } from "../../src/system/netns.ts";
import { fileStore } from "../../src/system/store.ts";
import { realWorld } from "../../src/system/world.ts";
import type { World } from "../../src/world.ts";
import { failingWorld } from "../fake/failing.ts";
import { Host, underlay } from "../lib/host.ts";
import { call, config } from "../lib/story.ts";

/** The real world, as a process of this host would see it. */
function worldOf(host: Host, folder: string): World {
  const world = realWorld({}, new AbortController().signal);
  return { ...world, host: () => openNetns(`/proc/${host.pid}/ns/net`), store: fileStore(folder) };
}

type Row = Record<string, unknown>;

/** What `ip` shows of a namespace, without what counts, and without what the kernel adds to any IPv6 link in its own time. */
async function shown(host: Host, netns?: string): Promise<unknown> {
  const auto = (text: unknown) => typeof text === "string" && /^(fe80|ff00|multicast|anycast)/.test(text);
  const links = await host.ip<Row>("link show", netns);
  const addresses = await host.ip<{ ifname: string; addr_info: Row[] }>("addr show", netns);
  const routes = await Promise.all(
    ["-4", "-6"].map((version) => host.ip<Row>(`${version} route show table all`, netns)),
  );
  const rules = await Promise.all(["-4", "-6"].map((version) => host.ip<Row>(`${version} rule show`, netns)));
  return {
    links: links.map(({ ifname, mtu, linkinfo, link }) => ({ ifname, mtu, linkinfo, link })),
    addresses: addresses.map((
      { ifname, addr_info },
    ) => [ifname, addr_info.map(({ local }) => local).filter((one) => !auto(one))]),
    routes: routes.flat().filter(({ dst, type }) => !auto(dst) && !auto(type)),
    rules,
  };
}

async function files(folder: string): Promise<string[]> {
  const out: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory && name !== "lock") out.push(...await files(`${folder}/${name}`));
    else if (!isDirectory) out.push(`${folder}/${name}`);
  }
  return out.sort();
}

for (const second of [false, true]) {
  const [which, id] = second ? ["second", "c2"] : ["first", "c1"];
  Deno.test(`an ADD (${which} container) that fails at any write leaves nothing in the kernel`, async () => {
    await using host = await Host.make("undo");
    await using _ = await underlay([host]);
    const folder = await Deno.makeTempDir();
    try {
      for (const name of ["c1", "c2"]) await host.container(name);
      const world = worldOf(host, folder);
      const raw = config({ cidrs: ["fd00:97:1::/64"] });
      const at = (name: string) => ({ id: name, netns: `/proc/${host.pid}/root/run/netns/${name}` });
      const state =
        async () => [await shown(host), await shown(host, "c1"), await shown(host, "c2"), await files(folder)];
      if (second) equal((await call(world, raw, at("c1"))).code, 0);
      const before = await state();
      const dry = { count: 0, fail: 0 };
      const first = await call(failingWorld(world, dry), raw, at(id));
      equal(first.code, 0, first.json.msg);
      equal((await call(world, raw, { ...at(id), verb: "DEL" })).code, 0);
      deepEqual(await state(), before, "DEL");
      ok(dry.count >= (second ? 7 : 17), `${dry.count} writes`);
      for (let k = 1; k <= dry.count; k++) {
        const { code, json } = await call(failingWorld(world, { count: 0, fail: k }), raw, at(id));
        const where = `write ${k} of ${dry.count}: ${json.msg}`;
        deepEqual([code, json.code], [1, 100], where);
        deepEqual(await state(), before, where);
      }
      equal((await call(world, raw, at(id))).code, 0, "the next ADD");
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
