/** The stage on a real host: calls happen in this process, `ip` is the witness of what they did. */
import { openNetns } from "../../src/system/netns.ts";
import { fileStore } from "../../src/system/store.ts";
import { realWorld } from "../../src/system/world.ts";
import type { World } from "../../src/world.ts";
import { mortalLocks } from "../fake/locks.ts";
import { eventually } from "../lib/eventually.ts";
import type { Host } from "../lib/host.ts";
import { must } from "../lib/run.ts";
import { callerIn, HOST, interruptible, type LinkSeen, type Program, type Stage } from "../lib/stage.ts";
import { stateOf } from "../lib/state.ts";

const CONTAINERS = ["c1", "c2", "c3"];
const LEDGER = "/run/vxlan-cni/stage";

/** The real world, as a process of this host would see it; but programs are functions. */
function worldOf(host: Host, programs: ReadonlyMap<string, Program>): World {
  const world = realWorld({}, new AbortController().signal);
  const seen = (path: string) => path === HOST ? `/proc/${host.pid}/ns/net` : `/proc/${host.pid}/root${path}`;
  return {
    ...world,
    host: () => openNetns(seen(HOST)),
    netns: (path) => ({ ...openNetns(seen(path)), path }),
    find(name, folders) {
      const path = folders.map((folder) => `${folder}/${name}`).find((one) => programs.has(one));
      return path === undefined ? undefined : { path, self: false };
    },
    async execute(path, environment, stdin) {
      const program = programs.get(path);
      if (program === undefined) throw new Error(`Cannot run "${path}": no such program`);
      return await program(environment, stdin);
    },
  };
}

interface Row extends LinkSeen {
  ifindex: number;
  addr_info: { scope: string; tentative?: boolean }[];
  ifname: string;
  address: string;
  flags: string[];
  link?: string;
  link_index?: number;
  linkinfo?: { info_kind: string; info_data?: LinkSeen["data"] };
}

async function linkSeen(host: Host, name: string, container?: string): Promise<LinkSeen | undefined> {
  const found = (await host.ip<Row>("addr show", container)).find(({ ifname }) => ifname === name);
  if (found === undefined) return undefined;
  const { ifindex, linkinfo, address: mac, mtu, txqlen, flags, link, link_index: elsewhere } = found;
  const parent = elsewhere === undefined
    ? link
    : (await host.ip<Row>("link show")).find((one) => one.ifindex === elsewhere)?.ifname;
  const { info_kind: kind = "", info_data: data = {} } = linkinfo ?? {};
  const tentative = found.addr_info.some((one) => one.scope === "global" && one.tentative === true);
  return { index: ifindex, kind, mac, mtu, txqlen, up: flags.includes("UP"), parent, tentative, data };
}

/** Needs a host with `ul0`, as loneHost() makes it. */
export async function realStage(host: Host): Promise<Stage> {
  await host.must(["sh", "-c", `for name in ${CONTAINERS.join(" ")}; do ip netns add $name; done`]);
  const programs = new Map<string, Program>();
  const { world, interrupt } = interruptible(worldOf(host, programs));
  const { store, crash } = mortalLocks(fileStore(`/proc/${host.pid}/root${LEDGER}`));
  const staged = { ...world, store: () => store };
  const lines = async (container?: string) =>
    (await stateOf(host, container)).map((line) => line.replace(`file ${LEDGER}/`, "file ")).sort();
  const [before, empty] = await Promise.all([lines(), lines(CONTAINERS[0])]);
  return {
    ...callerIn(staged),
    world: staged,
    store,
    programs,
    async ip(words, container) {
      await host.must(["ip", ...container === undefined ? [] : ["-n", container], ...words.split(" ")]);
    },
    lines,
    before: (container) => Promise.resolve(container === undefined ? before : empty),
    link: (name, container) => linkSeen(host, name, container),
    async ping(address, container) {
      const words = ["ping", "-qc1", "-W3", address];
      await must(container === undefined ? host.enter(words) : host.inside(container, words));
    },
    spoil: (file, content) => Deno.writeTextFile(`/proc/${host.pid}/root${LEDGER}/${file}`, content),
    async unmount(container) {
      await host.must(["umount", `/run/netns/${container}`]);
    },
    until: async (what, ask) => void await eventually(what, ask),
    interrupt,
    crash,
  };
}
