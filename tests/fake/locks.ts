/** A store whose locks can all be given back at once, as the kernel does for a process that dies. */
import type { Lock, Store } from "../../src/world.ts";

export function mortalLocks(store: Store): { store: Store; crash(): void } {
  const held = new Set<Lock>();

  function remembered(lock: Lock): Lock {
    const once: Lock = {
      [Symbol.dispose]() {
        // The descriptor of a closed lock may be another file's by now.
        if (held.delete(once)) lock[Symbol.dispose]();
      },
    };
    held.add(once);
    return once;
  }

  return {
    store: {
      ...store,
      tryLock(name, create) {
        const lock = store.tryLock(name, create);
        return lock === undefined ? undefined : remembered(lock);
      },
      lock: async (name) => remembered(await store.lock(name)),
    },
    crash() {
      for (const lock of [...held]) lock[Symbol.dispose]();
    },
  };
}
