/** Stories are told once and happen in two worlds: a fake one, which needs no root, and a real host, both seen from this process. */
import { answer } from "../../src/cni/answer.ts";
import { CniError, Code } from "../../src/cni/error.ts";
import { routetable } from "../../src/routetable/plugin.ts";
import { openNode } from "../../src/state/node.ts";
import { IPAM_NAMES } from "../../src/text.ts";
import { vxlan } from "../../src/vxlan/plugin.ts";
import type { Output, Store, World } from "../../src/world.ts";
import { type Answer, type Call, type Called, environmentOf, stdinOf } from "./call.ts";
import { type Caller, caller } from "./caller.ts";

export interface Story {
  title: string;
  run(stage: Stage): Promise<void>;
}

/** A program of CNI_PATH, played by a function. */
export type Program = (environment: Readonly<Record<string, string>>, stdin: string) => Output | Promise<Output>;

/** A node with the device `ul0` (192.0.2.1/24, fd00:ff::1/64, default routes), and containers `c1`, `c2`, `c3`. Calls happen in this process. */
export interface Stage extends Caller {
  readonly world: World;
  /** The node's ledger. */
  readonly store: Store;
  /** By full path; CNI_PATH is `/opt/cni/bin` unless a call says otherwise. */
  readonly programs: Map<string, Program>;
  /** Runs `ip` with these words, on the node or in a container: what an operator does, and what goes wrong. */
  ip(words: string, container?: string): Promise<void>;
  /** What `ip` shows of the node and its ledger, or of a container, a line each; nothing of a container that is not there. */
  lines(container?: string): Promise<string[]>;
  /** What lines() showed when the stage was set. */
  before(container?: string): Promise<string[]>;
  /** What `ip -d link show` says; undefined when there is no such link. */
  link(name: string, container?: string): Promise<LinkSeen | undefined>;
  /** Throws unless the address answers the node, or a container. */
  ping(address: string, container?: string): Promise<void>;
  /** Other content in a file of the ledger, under all its names: no program's write, a fault of what is below it. */
  spoil(file: string, content: string): Promise<void>;
  /** A namespace's file stays behind, without the namespace. */
  unmount(container: string): Promise<void>;
  /** Waits for a state that no event announces. */
  until(what: string, ask: () => Promise<boolean>): Promise<void>;
  /** As SIGTERM does. */
  interrupt(): void;
  /** Gives all locks back, as the kernel does when their holder dies. */
  crash(): void;
}

export interface LinkSeen {
  index: number;
  kind: string;
  mac: string;
  /** Bytes. */
  mtu: number;
  txqlen: number;
  up: boolean;
  /** The link that it stands on, perhaps the node's. */
  parent: string | undefined;
  /** Whether Linux still looks for duplicates of an address before it may be used; link-local ones do not count. */
  tentative: boolean;
  /** Of a vxlan, as `ip -j` names it. */
  data: { id?: number; group?: string; link?: string; port?: number; learning?: boolean; ageing?: number };
}

/** The node's own namespace, as a runtime would name it. */
export const HOST = "/proc/1/ns/net";

/** Calls a plugin in this process; what it leaves on standard error are its warnings, with VXLAN_CNI_LOG its trace as well. */
async function callIn(world: World, verb: string, call: Call): Promise<Called> {
  const environment = environmentOf(verb, { path: "/opt/cni/bin", ...call });
  const said: string[] = [];
  const heard: World = {
    ...world,
    environment,
    warn: (text) => void said.push(`vxlan-cni: ${text}\n`),
    log: environment.VXLAN_CNI_LOG === undefined ? undefined : (line) => void said.push(`${line}\n`),
  };
  const { stdout, code } = await answer(
    async (invocation) => {
      using node = openNode(heard);
      const ipam = routetable(node);
      const main = vxlan(node, Object.fromEntries(IPAM_NAMES.map((name) => [name, ipam])));
      return await (IPAM_NAMES.includes(call.program ?? "") ? ipam : main)(invocation);
    },
    environment,
    () => stdinOf(call) ?? "",
  );
  const json = stdout === "" ? undefined : JSON.parse(stdout) as Answer;
  return { code, stdout, stderr: said.join(""), json };
}

/** The three ways to call a plugin in a world, e.g. in one that fails. */
export function callerIn(world: World): Caller {
  return caller((verb, call) => callIn(world, verb, call));
}

/** A world that can be told to stop. */
export function interruptible<W extends World>(world: W): { world: W; interrupt(): void } {
  const controller = new AbortController();
  const reason = new CniError(Code.interrupted, "Cannot finish: interrupted by a signal; everything was undone");
  return { world: { ...world, interrupted: controller.signal }, interrupt: () => controller.abort(reason) };
}

/** Everything: of the node, of each container, and what each record says. */
export async function everything(stage: Stage): Promise<Record<string, unknown>> {
  const [node = [], ...containers] = await Promise.all([undefined, "c1", "c2", "c3"].map((name) => stage.lines(name)));
  const files = node.flatMap((line) => line.startsWith("file ") ? line.slice("file ".length) : []);
  return { node, containers, records: files.map((name) => stage.store.read(name)) };
}

/** What came to the node or to a container since the stage was set (`+`), and what went (`-`), but for what the kernel keeps by itself for each address. */
export async function changes(stage: Stage, container?: string): Promise<string[]> {
  const [before, now] = await Promise.all([stage.before(container), stage.lines(container)]);
  return [
    ...now.filter((line) => !before.includes(line)).map((line) => `+ ${line}`),
    ...before.filter((line) => !now.includes(line)).map((line) => `- ${line}`),
  ].filter((line) => !line.includes(" proto kernel "));
}
