/** The versions of the CNI specification that this program speaks; alone in a file, because VERSION is asked all the time and needs nothing else. */

/** Oldest first. */
export const VERSIONS = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const;
export type Version = typeof VERSIONS[number];
const LATEST: Version = "1.1.0";

export function isVersion(text: unknown): text is Version {
  return VERSIONS.some((version) => version === text);
}

/** Whether `version` is `least` or newer. */
export function atLeast(version: Version, least: Version): boolean {
  return VERSIONS.indexOf(version) >= VERSIONS.indexOf(least);
}

/** The version that a question on standard input is asked in; the latest for an empty or broken question. */
export function askedVersion(stdin: string): Version {
  try {
    const question: unknown = JSON.parse(stdin);
    const { cniVersion = "0.1.0" } = question as { cniVersion?: unknown };
    return isVersion(cniVersion) ? cniVersion : LATEST;
  } catch {
    return LATEST;
  }
}

/** The answer to VERSION, in the version of the question (CNI spec 1.1.0, section "VERSION"). */
export function answerVersion(stdin: string): string {
  return JSON.stringify({ cniVersion: askedVersion(stdin), supportedVersions: VERSIONS });
}
