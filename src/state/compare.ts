/** What should exist against what exists. */
import { type Difference, type Finding, kernelOf, type Kernels } from "./kind.ts";
import { kindOf, type NetObject } from "./objects.ts";

export interface Compared {
  object: NetObject;
  finding: Finding;
}

/** Looks at each object in turn. */
export function compare(kernels: Kernels, objects: readonly NetObject[]): Compared[] {
  return objects.map((object) => ({
    object,
    finding: kindOf(object).inspect(kernelOf(kernels, object.in), object),
  }));
}

/** What has to be made: objects that are missing, and settings that have another value. */
export function toCreate(compared: readonly Compared[]): NetObject[] {
  return compared
    .filter(({ object, finding }) =>
      finding.state === "missing" || (finding.state === "different" && object.kind === "sysctl")
    )
    .map(({ object }) => object);
}

/** What is not as it should be, a line each: `link "vx_red" is missing`, `link "vx_red" has mtu 1400, not 1450`. */
export function complaints(compared: readonly Compared[]): string[] {
  return compared.flatMap(({ object, finding }) => {
    if (finding.state === "present") return [];
    const what = kindOf(object).describe(object);
    if (finding.state === "missing") return [`${what} is missing`];
    const pairs = differences(finding).map(({ property, wanted, found }) => `${property} ${found}, not ${wanted}`);
    return [`${what} has ${pairs.join(", ")}`];
  });
}

export function differences(finding: Finding): readonly Difference[] {
  return finding.state === "different" ? finding.differences : [];
}
