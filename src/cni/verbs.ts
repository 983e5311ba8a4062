/** The verbs of the specification (CNI spec 1.1.0, section 2 "CNI operations"). */
import type { Version } from "./versions.ts";

interface VerbRules {
  /** The first version that has it. */
  since: Version;
  /** Variables that must be there. */
  needs: readonly string[];
}

const ATTACHMENT = ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"];

/** All but VERSION, which the start of the program answers by itself. */
export const VERBS = {
  ADD: { since: "0.1.0", needs: ATTACHMENT },
  DEL: { since: "0.1.0", needs: ["CNI_CONTAINERID", "CNI_IFNAME"] },
  CHECK: { since: "0.4.0", needs: ATTACHMENT },
  STATUS: { since: "1.1.0", needs: [] },
  GC: { since: "1.1.0", needs: ["CNI_PATH"] },
} as const satisfies Record<string, VerbRules>;

export type Verb = keyof typeof VERBS;
