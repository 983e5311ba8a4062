/** Nodes as an upgrade finds them: what was done there before, by the version before or by this one. */
import { type Answer, type Call, start } from "./call.ts";
import type { Caller } from "./caller.ts";
import { IPAM, netConf, red } from "./config.ts";
import type { Host } from "./host.ts";

/** Who is called: what is not said is this version. */
type Program = Pick<Call, "program" | "path">;

interface Where extends Caller {
  readonly host: Host;
  container(name: string): Promise<string>;
}

/** Both families, one address of each family in advance, and a window that is soon over, or never. */
export const CONFIG = netConf({
  ipam: { ...IPAM, propagationTimeout: 50, reserve: 2 },
  vxlans: [red({ cidrs: ["fd00:97::/64"] })],
});
const SLOW = { ...CONFIG, ipam: { ...CONFIG.ipam, propagationTimeout: 60_000 } };

/** `c1` and `c2` are attached, with these results; `c2` has taken one of two addresses that were claimed in advance. */
export async function settled(node: Where, program: Program = {}): Promise<Record<string, Answer>> {
  const results: Record<string, Answer> = {};
  for (const id of ["c1", "c2"]) {
    results[id] = await node.run("ADD", await node.container(id), { config: CONFIG, ...program });
  }
  return results;
}

/** As settled(), and `c3` has taken the other one; the ADD of `c4` was killed while its addresses spread, and two more of each family. */
export async function died(node: Where, program: Program = {}): Promise<Record<string, Answer>> {
  const results = await settled(node, program);
  results.c3 = await node.run("ADD", await node.container("c3"), { config: CONFIG, ...program });
  await node.container("c4");
  const running = await start(node.host, "ADD", {
    ...{ config: SLOW, containerId: "c4", netns: "c4", ifname: "eth0" },
    ...program,
  });
  // Of the gateway, four containers, and two reservations.
  const claims = (family: number) => `test $(ip -${family} route show proto 192 | wc -l) = 7`;
  const spreading = `${claims(4)} && ${claims(6)} && ip -n c4 link show eth0`;
  await node.host.must(["sh", "-c", `until { ${spreading}; } >/dev/null 2>&1; do :; done`]);
  running.kill("SIGKILL");
  await running.ended;
  return results;
}

/** By the names of their fixtures in `fixtures/earlier`. */
export const SCENES = { settled, died };
