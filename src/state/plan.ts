/** What should exist against what exists. */
import type { Rtnetlink } from "../netlink/rtnetlink.ts";
import { describe, type Finding, inspect, type NetObject } from "./object.ts";

export interface Compared {
  object: NetObject;
  finding: Finding;
}

/** Looks at each object in turn. */
export function compare(kernel: Rtnetlink, objects: readonly NetObject[]): Compared[] {
  return objects.map((object) => ({ object, finding: inspect(kernel, object) }));
}

/** What is not as it should be, a line each: `link "vx_red" is missing`, `link "vx_red" has mtu 1400, not 1450`. */
export function complaints(compared: readonly Compared[]): string[] {
  return compared.flatMap(({ object, finding }) => {
    if (finding.state === "present") return [];
    if (finding.state === "missing") return [`${describe(object)} is missing`];
    return [
      `${describe(object)} has ${
        finding.differences.map(({ property, wanted, found }) => `${property} ${found}, not ${wanted}`).join(", ")
      }`,
    ];
  });
}
