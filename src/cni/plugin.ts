/** A plugin is a function; this runs one as the CNI specification wants it: JSON out, an exit code, nothing else. */
import { CniError, Code, toCniError } from "./error.ts";
import { type Invocation, readInvocation, readVerb } from "./invocation.ts";
import { encodeResult, type Result } from "./result.ts";
import { answerVersion, askedVersion } from "./versions.ts";

/** ADD returns a result, all other verbs nothing; failures are thrown. */
export type Plugin = (invocation: Invocation) => Promise<Result | undefined>;

export interface Answer {
  /** JSON, or empty where the verb has no answer. */
  stdout: string;
  /** Exit code: 0 or 1. */
  code: number;
}

/** Answers one call; never throws. `readStdin` is called once. */
export async function answer(
  plugin: Plugin,
  environment: Readonly<Record<string, string>>,
  readStdin: () => Promise<string>,
): Promise<Answer> {
  let stdin = "";
  try {
    const verb = readVerb(environment);
    stdin = await readInput(readStdin);
    if (verb === "VERSION") return { stdout: answerVersion(stdin), code: 0 };
    const invocation = readInvocation(verb, environment, stdin);
    const result = await plugin(invocation);
    if (result === undefined) return { stdout: "", code: 0 };
    return { stdout: JSON.stringify(encodeResult(result, invocation.config.cniVersion)), code: 0 };
  } catch (error) {
    return { stdout: JSON.stringify(encodeError(toCniError(error), stdin)), code: 1 };
  }
}

async function readInput(readStdin: () => Promise<string>): Promise<string> {
  try {
    return await readStdin();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CniError(Code.io, `Cannot read standard input: ${reason}`, "", { cause: error });
  }
}

function encodeError({ code, message, details }: CniError, stdin: string): Record<string, unknown> {
  return { cniVersion: askedVersion(stdin), code, msg: message, ...(details === "" ? {} : { details }) };
}
