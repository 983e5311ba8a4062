/** One namespace's kernel: what counts as "there is none", and what its trace is called. */
import { deepEqual, equal, throws } from "node:assert/strict";
import { encode, s32 } from "../../src/bytes.ts";
import { EHOSTUNREACH, EINVAL, ENETUNREACH, ENODEV, ENOENT, ESRCH } from "../../src/errno.ts";
import { type Kernel, openKernel } from "../../src/netlink/kernel.ts";
import { decodeMessages, encodeMessage } from "../../src/netlink/message.ts";
import type { Netns, Socket } from "../../src/world.ts";
import { ip } from "../lib/parsed.ts";

/** A kernel that answers everything with one errno. */
function refusing(errno: number): Netns {
  const queue: Uint8Array[] = [];
  const rtnetlink: Socket = {
    send(datagram) {
      for (const { sequence } of decodeMessages(datagram)) {
        queue.push(encodeMessage({ type: 2, flags: 0, sequence, payload: encode(s32, -errno) }));
      }
    },
    receive: () => queue.shift(),
    [Symbol.dispose]() {},
  };
  return { path: "/run/netns/c1", rtnetlink } as Netns;
}

const ASKED: [question: (kernel: Kernel) => unknown, missing: number[], nothing: unknown][] = [
  [(kernel) => kernel.link("none"), [ENODEV], undefined],
  [(kernel) => kernel.link(9), [ENODEV], undefined],
  [(kernel) => kernel.lookup(ip("10.97.1.5")), [ENETUNREACH, EHOSTUNREACH, ESRCH], undefined],
  [(kernel) => kernel.routes(4, { table: 192 }), [ENOENT, ENODEV], []],
  [(kernel) => kernel.links(), [], []],
  [(kernel) => kernel.addresses(9), [ENODEV], []],
  [(kernel) => kernel.rules(6), [], []],
];

Deno.test("what is not there is no error, every other refusal is", () => {
  for (const [question, missing, nothing] of ASKED) {
    for (const errno of [ENODEV, ENETUNREACH, EHOSTUNREACH, ESRCH, ENOENT, EINVAL]) {
      const ask = () => question(openKernel(refusing(errno)));
      if (missing.includes(errno)) deepEqual(ask(), nothing);
      else throws(ask, { name: "KernelError", errno });
    }
  }
});

Deno.test("the trace names the namespace: by its path, or as it was told", () => {
  const lines: string[] = [];
  openKernel(refusing(ENODEV), (line) => lines.push(line)).link("eth0");
  openKernel(refusing(ENODEV), (line) => lines.push(line), "node").link(7);
  deepEqual(lines, [
    "/run/netns/c1: read link eth0: Cannot read link eth0: ENODEV (no such device)",
    "node: read link 7: Cannot read link 7: ENODEV (no such device)",
  ]);
});

Deno.test("a kernel is closed with its namespace", () => {
  let closed = 0;
  openKernel({ ...refusing(0), [Symbol.dispose]: () => void closed++ })[Symbol.dispose]();
  equal(closed, 1);
});
