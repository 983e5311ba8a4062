/** What a runtime asks for: the environment as a table, standard input as JSON (CNI spec 1.1.0, section 2). */
import { CniError, Code } from "./error.ts";
import { atLeast, isVersion, type Version, VERSIONS } from "./versions.ts";

export type Verb = "ADD" | "DEL" | "CHECK" | "STATUS" | "GC" | "VERSION";

/** The network configuration as it came, and the three keys that the protocol itself reads. */
export interface NetworkConfig {
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

const VERBS: readonly Verb[] = ["ADD", "DEL", "CHECK", "STATUS", "GC", "VERSION"];
const MAX_CONTAINER_ID = 200;

interface Variable {
  name: string;
  required: readonly Verb[];
  /** What is wrong with the value, or undefined. */
  fault?: (value: string) => string | undefined;
}

const VARIABLES: readonly Variable[] = [
  { name: "CNI_CONTAINERID", required: ["ADD", "DEL", "CHECK"], fault: containerIdFault },
  { name: "CNI_NETNS", required: ["ADD", "CHECK"] },
  { name: "CNI_IFNAME", required: ["ADD", "DEL", "CHECK"], fault: ifnameFault },
  { name: "CNI_PATH", required: ["GC"] },
];

/** Reads CNI_COMMAND; throws CniError (4). */
export function readVerb(environment: Readonly<Record<string, string>>): Verb {
  const command = environment.CNI_COMMAND ?? "";
  const verb = VERBS.find((known) => known === command);
  if (verb !== undefined) return verb;
  throw new CniError(
    Code.invalidEnvironment,
    `Cannot run CNI_COMMAND ${JSON.stringify(command)}: wanted one of ${VERBS.join(", ")}`,
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
  const missing = VARIABLES.filter(({ name, required }) => required.includes(verb) && !environment[name]);
  if (missing.length > 0) {
    const names = missing.map(({ name }) => name).join(", ");
    throw new CniError(Code.invalidEnvironment, `Cannot run ${verb}: required environment variables missing: ${names}`);
  }
  for (const { name, required, fault } of VARIABLES) {
    const value = environment[name] ?? "";
    const wrong = required.includes(verb) ? fault?.(value) : undefined;
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
    const reason = text.trim() === ""
      ? "standard input is empty"
      : error instanceof Error
      ? error.message
      : String(error);
    throw new CniError(Code.decoding, `Cannot decode network configuration: ${reason}`);
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
      JSON.stringify(VERSIONS),
    );
  }
  const since: Partial<Record<Verb, Version>> = { CHECK: "0.4.0", GC: "1.1.0", STATUS: "1.1.0" };
  const least = since[verb];
  if (least !== undefined && !atLeast(cniVersion, least)) {
    throw new CniError(
      Code.incompatibleVersion,
      `Cannot run ${verb} in cniVersion ${cniVersion}: it exists since ${least}`,
      JSON.stringify(VERSIONS),
    );
  }
  if (typeof name !== "string" || !/^[a-zA-Z0-9][a-zA-Z0-9_.\-]*$/.test(name)) {
    throw new CniError(
      Code.invalidConfig,
      `Cannot use config: name: wanted a letter or digit, then letters, digits, '_', '.', '-', got ${shown(raw.name)}`,
    );
  }
  return { cniVersion, name, raw };
}

/** A value as a message shows it: short. */
export function shown(value: unknown): string {
  const text = value === undefined ? "nothing" : JSON.stringify(value);
  return text.length > 120 ? `${text.slice(0, 120)}...` : text;
}
