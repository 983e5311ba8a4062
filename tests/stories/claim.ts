/** The window in which a claim spreads: a route of another node that is there, that comes, or that came and went. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import type { Called } from "../lib/call.ts";
import { addresses } from "../lib/caller.ts";
import { changes, everything, type Stage, type Story } from "../lib/stage.ts";

/** Milliseconds; nobody waits for the long one. */
const [SHORT, LONG] = [250, 60_000];

const conf = (propagationTimeout: number, ipam: object = {}) => ({
  ...{ cniVersion: "1.1.0", name: "vxnet", type: "vxlan" },
  ipam: { type: "routetable-ipam", subnet: "10.97.1.0/29", device: "mv_red", propagationTimeout, ...ipam },
});

async function claims(stage: Stage): Promise<string[]> {
  return (await changes(stage)).flatMap((line) => /^\+ route (\S+) dev mv_red proto eigrp/.exec(line)?.[1] ?? []);
}

/** Sets up the device of the claims. */
async function device(stage: Stage): Promise<void> {
  await stage.ip("link add mv_red link ul0 type macvlan mode bridge");
  await stage.ip("link set mv_red up");
}

/** As a routing daemon does that has learned of another node's claim. */
function foreign(stage: Stage, to: string): Promise<void> {
  return stage.ip(`route add ${to} via 192.0.2.2 dev ul0 proto bird metric 32`);
}

/** An ADD, and what happens once its claim is in the table. */
async function contested(
  stage: Stage,
  timeout: number,
  args: string | undefined,
  event: (claimed: string) => Promise<void>,
): Promise<Called> {
  await device(stage);
  const call = stage.call("ADD", "c1", { program: "routetable-ipam", config: conf(timeout), args });
  await stage.until("the claim", async () => (await claims(stage)).length > 0);
  await event((await claims(stage))[0] ?? "");
  return await call;
}

const ASKED = "IP=10.97.1.3";
/** Routes that come in the middle of a window, and whether the address 10.97.1.3 is kept. */
const ROUTES: [what: string, to: string, kept: boolean][] = [
  ["another node's route to it", "10.97.1.3/32", false],
  ["another node's route to another address", "10.97.1.4/32", true],
  ["a wider route", "10.97.1.2/31", true],
];

export const CLAIM: readonly Story[] = [
  ...ROUTES.map(([what, to, kept]): Story => ({
    title: `${what} comes in the window: the address is ${kept ? "kept" : "given up, at once when it was asked for"}`,
    async run(stage) {
      const { code, json } = await contested(stage, kept ? SHORT : LONG, ASKED, () => foreign(stage, to));
      if (kept) return deepEqual([code, addresses(json ?? {}), await claims(stage)], [0, ["10.97.1.3"], ["10.97.1.3"]]);
      equal(json?.code, 101);
      match(json?.msg ?? "", /a route of another node leads to it/);
      deepEqual(await claims(stage), []);
    },
  })),
  {
    title: "a route that came and went in the window is a conflict as well",
    async run(stage) {
      const { json } = await contested(stage, LONG, ASKED, async () => {
        await foreign(stage, "10.97.1.3/32");
        await stage.ip("route flush proto bird");
      });
      equal(json?.code, 101, json?.msg);
      deepEqual(await claims(stage), []);
    },
  },
  {
    title: "a claimant that loses takes another address at once",
    async run(stage) {
      let disputed = "";
      const { code, json } = await contested(stage, SHORT, undefined, (claimed) => {
        disputed = claimed;
        return foreign(stage, `${claimed}/32`);
      });
      equal(code, 0, json?.msg);
      const [ip = ""] = addresses(json ?? {});
      ok(ip !== disputed);
      deepEqual(await claims(stage), [ip]);
    },
  },
  {
    title: "a route that was there before the window is seen by the look-up",
    async run(stage) {
      await device(stage);
      await foreign(stage, "10.97.1.3/32");
      const { json } = await stage.call("ADD", "c1", { program: "routetable-ipam", config: conf(LONG), args: ASKED });
      equal(json?.code, 101, json?.msg);
      match(json?.msg ?? "", /a host route leads to it/);
    },
  },
  {
    title: "when one family cannot be had, the other is given back",
    async run(stage) {
      await device(stage);
      await stage.ip("route add fd00:97:1::5 via fd00:ff::2 dev ul0 proto bird");
      const before = await everything(stage);
      const config = conf(SHORT, { cidrs: ["fd00:97:1::/64"] });
      const args = "IP=10.97.1.3,fd00:97:1::5";
      const { json } = await stage.call("ADD", "c1", { program: "routetable-ipam", config, args });
      equal(json?.code, 101, json?.msg);
      deepEqual(await everything(stage), before);
    },
  },
];
