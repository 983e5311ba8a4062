/** What the main plugin tells IPAM: each key both ways. */
import { deepEqual, equal, throws } from "node:assert/strict";
import {
  addresses,
  configOfOriginal,
  decodeHandoff,
  encodeHandoff,
  type Handoff,
  HANDOFF_KEYS,
  isHandoff,
} from "../../src/cni/handoff.ts";
import { cidr, ip } from "../lib/parsed.ts";

const NOTHING = {
  prefixes: undefined,
  excludeFirst: undefined,
  excludeLast: undefined,
  linkIndex: undefined,
  avoid: [],
  gateway: false,
};

const KEYS: [handoff: Handoff, args: Record<string, string>][] = [
  [{ prefixes: [cidr("10.97.1.0/24")] }, { CIDR: "10.97.1.0/24" }],
  [{ prefixes: [cidr("10.97.1.0/24"), cidr("fd00::/64")] }, { CIDR: "10.97.1.0/24,fd00::/64" }],
  [{ excludeFirst: 0 }, { EXCLUDE_FIRST: "0" }],
  [{ excludeLast: 20 }, { EXCLUDE_LAST: "20" }],
  [{ linkIndex: 4294967295 }, { LINK_INDEX: "4294967295" }],
  [{ avoid: [ip("10.97.1.5"), ip("fd00::5")] }, { AVOID: "10.97.1.5,fd00::5" }],
  [{ gateway: true }, { GATEWAY: "1" }],
];

Deno.test("each key of the hand-off is read as it was written", () => {
  for (const [handoff, args] of KEYS) {
    deepEqual(encodeHandoff(handoff), args);
    deepEqual(decodeHandoff(args), { ...NOTHING, ...handoff });
  }
  const all = Object.assign({}, ...KEYS.map(([handoff]) => handoff));
  deepEqual(Object.keys(encodeHandoff(all)).sort(), [...HANDOFF_KEYS].sort());
  deepEqual(decodeHandoff(encodeHandoff(all)), all);
});

Deno.test("what is not said is not written", () => {
  deepEqual(encodeHandoff({}), {});
  deepEqual(encodeHandoff({ avoid: [], gateway: false, linkIndex: undefined }), {});
  deepEqual(decodeHandoff({}), NOTHING);
});

Deno.test("addresses are written; they are read where runtimes send theirs as well", () => {
  deepEqual(encodeHandoff({ ips: [ip("10.97.1.5"), ip("fd00::5")] }), { IP: "10.97.1.5,fd00::5" });
  deepEqual(addresses("10.97.1.5,fd00::5"), [ip("10.97.1.5"), ip("fd00::5")]);
  deepEqual(addresses("10.97.1.5,x,,10.97.1.5/24"), [ip("10.97.1.5")]);
  deepEqual(addresses(), []);
  deepEqual(decodeHandoff({ IP: "10.97.1.5" }), NOTHING);
});

Deno.test("host bits of a prefix do not count", () => {
  deepEqual(decodeHandoff({ CIDR: "10.97.1.77/24" }).prefixes, [cidr("10.97.1.0/24")]);
});

Deno.test("a value that makes no sense is an error that names its key", () => {
  for (const text of ["", "10.97.1.0", "10.97.1.0/24,", "x"]) {
    throws(() => decodeHandoff({ CIDR: text }), { code: 7, message: /CNI_ARGS CIDR: wanted a prefix/ }, text);
  }
  for (const key of ["EXCLUDE_FIRST", "EXCLUDE_LAST", "LINK_INDEX"]) {
    for (const text of ["", "-1", "1.5", "0x5", " 1", "12345678901"]) {
      throws(() => decodeHandoff({ [key]: text }), {
        code: 4,
        message: `Cannot use CNI_ARGS: ${key}: wanted a whole number, got ${JSON.stringify(text)}`,
      });
    }
  }
});

Deno.test("only the main plugin knows the device of claims; the original one says everything in CNI_ARGS", () => {
  equal(isHandoff({ LINK_INDEX: "5" }), true);
  equal(isHandoff({ IP: "10.97.1.5", K8S_POD_NAME: "a" }), false);
  deepEqual(JSON.parse(configOfOriginal({ CIDR: "10.97.1.0/24" })), { cniVersion: "0.4.0", name: "vxlan" });
  equal(configOfOriginal({ IP: "10.97.1.5" }), "");
});
