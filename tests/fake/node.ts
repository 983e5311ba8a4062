/** A fake node, and the stage on it. */
import { callerIn, interruptible, type Stage } from "../lib/stage.ts";
import { pathOf, ping, runIp } from "./ip.ts";
import { linesOf, seen } from "./lines.ts";
import { mortalLocks } from "./locks.ts";
import type { Space } from "./space.ts";
import { type FakeWorld, fakeWorld } from "./world.ts";

const UNDERLAY = [
  "link set lo up",
  "link add ul0 type veth",
  "link set ul0 up",
  "addr add 192.0.2.1/24 dev ul0",
  "addr add fd00:ff::1/64 dev ul0",
  "route add default via 192.0.2.254 dev ul0",
  "route add default via fd00:ff::fe dev ul0",
];
const CONTAINERS = ["c1", "c2", "c3"];

/** A world whose node has `ul0` with default routes, and namespaces of containers. */
function fakeNode(): FakeWorld {
  const world = fakeWorld();
  for (const words of UNDERLAY) runIp(world.kernel, world.node, words);
  for (const name of CONTAINERS) world.kernel.space(pathOf(name));
  return world;
}

/** The stage of the stories; what only a fake world can do is done to its `world`. */
export function fakeStage(): Stage & { world: FakeWorld } {
  const { world, interrupt } = interruptible(fakeNode());
  const { kernel, node, files, notNamespaces } = world;
  const { store, crash } = mortalLocks(world.store(""));
  const staged: FakeWorld = { ...world, store: () => store };
  const space = (container?: string): Space => container === undefined ? node : kernel.space(pathOf(container));

  function linesNow(container?: string): string[] {
    if (container !== undefined && !kernel.exists(pathOf(container))) return [];
    const records = [...files.keys()].filter((name) => !name.startsWith("lock/")).map((name) => `file ${name}`);
    return [...linesOf(space(container)), ...(container === undefined ? records : [])].sort();
  }

  const [before, empty] = [linesNow(), linesNow(CONTAINERS[0])];
  return {
    ...callerIn(staged),
    world: staged,
    store,
    programs: world.programs,
    ip: (words, container) => Promise.resolve(runIp(kernel, space(container), words)),
    lines: (container) => Promise.resolve(linesNow(container)),
    before: (container) => Promise.resolve(container === undefined ? before : empty),
    link(name, container) {
      const link = space(container).links.find((one) => one.name === name);
      return Promise.resolve(link === undefined ? undefined : seen(link, space(container)));
    },
    ping: (address, container) => Promise.resolve(ping(kernel, space(container), address)),
    spoil(file, content) {
      for (const name of [...files.keys()].filter((one) => store.same(one, file))) files.set(name, content);
      return Promise.resolve();
    },
    unmount(container) {
      kernel.removeSpace(pathOf(container));
      notNamespaces.add(pathOf(container));
      return Promise.resolve();
    },
    async until(what, ask) {
      // The fake clock goes on when everybody waits: 200 ms of it at each look.
      for (let looks = 0; !await ask(); looks++) {
        if (looks > 200) throw new Error(`Waited in vain: ${what}`);
        await new Promise((resolve) => setTimeout(resolve));
      }
    },
    interrupt,
    crash,
  };
}
