/** The real world, put together. */
import type { World } from "../world.ts";
import { execute, find } from "./command.ts";
import { hostNetns, openNetns } from "./netns.ts";
import { readable } from "./socket.ts";
import { ledgerOf } from "./store.ts";

/** `environment` is what the runtime gave, without what this executable puts there itself. */
export function realWorld(environment: Readonly<Record<string, string>>, interrupted: AbortSignal): World {
  return {
    environment,
    now: () => performance.now(),
    uptime: () => Number(Deno.readTextFileSync("/proc/uptime").split(" ")[0]) * 1000,
    random: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)),
    log: environment.VXLAN_CNI_LOG
      ? (line) => console.error(`${performance.now().toFixed(1).padStart(8)} ms  ${line}`)
      : undefined,
    warn: (text) => console.error(`vxlan-cni: ${text}`),
    interrupted,
    host: hostNetns,
    netns: openNetns,
    readable,
    store: ledgerOf,
    find,
    execute: (path, variables, stdin) => execute(path, variables, stdin, interrupted),
  };
}
