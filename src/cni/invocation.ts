/** What a runtime asks for: the environment as a table, standard input as JSON (CNI spec 1.1.0, section 2). */
import { reason, shown } from "../text.ts";
import { CniError, Code } from "./error.ts";
import { invalid } from "./schema.ts";
import { type Verb, VERBS } from "./verbs.ts";
import { atLeast, isVersion, type Version, VERSIONS } from "./versions.ts";

/** The network configuration as it came, and the three keys that the protocol itself reads. */
interface NetworkConfig {
  cniVersion: Version;
  /** Name of the network; empty where the verb does not need it. */
  name: string;
  raw: Readonly<Record<string, unknown>>;
}

export interface Invocation {
  verb: Verb;
  containerId: string;
  /** Path; empty when not given. */
  netns: string;
  ifname: string;
  /** CNI_ARGS as pairs. */
  args: Readonly<Record<string, string>>;
  /** Folders of CNI_PATH. */
  path: readonly string[];
  config: NetworkConfig;
  /** Everything the runtime gave, for delegation. */
  environment: Readonly<Record<string, string>>;
}

const MAX_CONTAINER_ID = 200;

/** What is wrong with the value of a variable, or undefined. */
const FAULTS: Readonly<Record<string, (value: string) => string | undefined>> = {
  CNI_CONTAINERID: containerIdFault,
  CNI_IFNAME: ifnameFault,
};

/** Reads CNI_COMMAND; throws CniError (4). */
export function readVerb(environment: Readonly<Record<string, string>>): Verb {
  const command = environment.CNI_COMMAND ?? "";
  const known = Object.keys(VERBS) as Verb[];
  const verb = known.find((one) => one === command);
  if (verb !== undefined) return verb;
  throw new CniError(
    Code.invalidEnvironment,
    `Cannot run CNI_COMMAND ${JSON.stringify(command)}: wanted one of ${known.join(", ")}, VERSION`,
  );
}

/** The whole invocation, checked; throws CniError (1, 4, 6, 7). VERSION is answered before it comes to this. */
export function readInvocation(
  verb: Verb,
  environment: Readonly<Record<string, string>>,
  stdin: string,
): Invocation {
  checkVariables(verb, environment);
  const config = readNetworkConfig(verb, stdin);
  return {
    verb,
    containerId: environment.CNI_CONTAINERID ?? "",
    netns: environment.CNI_NETNS ?? "",
    ifname: environment.CNI_IFNAME ?? "",
    args: parseArgs(environment.CNI_ARGS ?? ""),
    path: (environment.CNI_PATH ?? "").split(":").filter((folder) => folder !== ""),
    config,
    environment,
  };
}

function checkVariables(verb: Verb, environment: Readonly<Record<string, string>>): void {
  const missing = VERBS[verb].needs.filter((name) => !environment[name]);
  if (missing.length > 0) {
    throw new CniError(
      Code.invalidEnvironment,
      `Cannot run ${verb}: required environment variables missing: ${missing.join(", ")}`,
    );
  }
  for (const name of VERBS[verb].needs) {
    const value = environment[name] ?? "";
    const wrong = FAULTS[name]?.(value);
    if (wrong === undefined) continue;
    throw new CniError(
      Code.invalidEnvironment,
      `Cannot use ${name}: ${wrong}, got ${JSON.stringify(value.slice(0, 80))}`,
    );
  }
}

function containerIdFault(id: string): string | undefined {
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.\-]*$/.test(id)) return "wanted a letter or digit, then letters, digits, '_', '.', '-'";
  return id.length > MAX_CONTAINER_ID ? `wanted at most ${MAX_CONTAINER_ID} characters` : undefined;
}

/** As the kernel's dev_valid_name(): 1 to 15 bytes, no '/', ':', blanks; not "." or "..". */
function ifnameFault(name: string): string | undefined {
  if (new TextEncoder().encode(name).length > 15) return "wanted at most 15 bytes";
  return /[/:\s\p{Cc}]/u.test(name) || name === "." || name === ".."
    ? "wanted an interface name without '/', ':' and blanks"
    : undefined;
}

/** Parses `K=V;K2=V2`; throws CniError (4) for a pair without '='. */
export function parseArgs(text: string): Record<string, string> {
  const out: Record<string, string> = {};
  for (const pair of text.split(";").filter((part) => part !== "")) {
    const at = pair.indexOf("=");
    if (at < 1) {
      throw new CniError(
        Code.invalidEnvironment,
        `Cannot use CNI_ARGS: wanted KEY=VALUE pairs, got ${JSON.stringify(pair)}`,
      );
    }
    out[pair.slice(0, at)] = pair.slice(at + 1);
  }
  return out;
}

/** Decodes JSON that must be an object; throws CniError (6). */
export function decodeObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const why = text.trim() === "" ? "standard input is empty" : reason(error);
    throw new CniError(Code.decoding, `Cannot decode network configuration: ${why}`);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  throw new CniError(Code.decoding, `Cannot decode network configuration: wanted an object, got ${text.slice(0, 80)}`);
}

function readNetworkConfig(verb: Verb, stdin: string): NetworkConfig {
  const raw = decodeObject(stdin);
  const { cniVersion = "0.1.0", name = "" } = raw;
  if (!isVersion(cniVersion)) {
    throw new CniError(
      Code.incompatibleVersion,
      `Cannot use cniVersion ${shown(cniVersion)}: supported versions are ${VERSIONS.join(", ")}`,
      { details: JSON.stringify(VERSIONS) },
    );
  }
  const { since } = VERBS[verb];
  if (!atLeast(cniVersion, since)) {
    throw new CniError(
      Code.incompatibleVersion,
      `Cannot run ${verb} in cniVersion ${cniVersion}: it exists since ${since}`,
      { details: JSON.stringify(VERSIONS) },
    );
  }
  if (typeof name !== "string" || !/^[a-zA-Z0-9][a-zA-Z0-9_.\-]*$/.test(name)) {
    throw invalid("name", "a letter or digit, then letters, digits, '_', '.', '-'", raw.name);
  }
  return { cniVersion, name, raw };
}
