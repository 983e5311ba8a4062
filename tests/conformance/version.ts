/** The versions of the CNI specification. */

/** The released versions, oldest first. */
export const VERSIONS = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const;

export type Version = typeof VERSIONS[number];

/** The versions from this one on. */
export function since(version: Version): readonly Version[] {
  return VERSIONS.slice(VERSIONS.indexOf(version));
}

/** The versions older than this one. */
export function before(version: Version): readonly Version[] {
  return VERSIONS.slice(0, VERSIONS.indexOf(version));
}

/** Whether this version is that one or newer. */
export function reaches(version: Version, that: Version): boolean {
  return VERSIONS.indexOf(version) >= VERSIONS.indexOf(that);
}
