/** A plugin is a function; this runs one as the CNI specification wants it: JSON out, an exit code, nothing else. */
import { reason } from "../text.ts";
import { CniError, Code, toCniError } from "./error.ts";
import { readInvocation, readVerb } from "./invocation.ts";
import { encodeResult } from "./result.ts";
import type { Plugin } from "./plugin.ts";
import { askedVersion } from "./versions.ts";

interface Answer {
  /** JSON, or empty where the verb has no answer. */
  stdout: string;
  /** Exit code: 0 or 1. */
  code: number;
}

/** Answers one call; never throws. `readStdin` is called once. */
export async function answer(
  plugin: Plugin,
  environment: Readonly<Record<string, string>>,
  readStdin: () => string,
): Promise<Answer> {
  let stdin = "";
  try {
    const verb = readVerb(environment);
    stdin = readInput(readStdin);
    const invocation = readInvocation(verb, environment, stdin);
    const result = await plugin(invocation);
    if (result === undefined) return { stdout: "", code: 0 };
    return { stdout: JSON.stringify(encodeResult(result, invocation.config.cniVersion)), code: 0 };
  } catch (error) {
    return { stdout: JSON.stringify(encodeError(toCniError(error), stdin)), code: 1 };
  }
}

function readInput(readStdin: () => string): string {
  try {
    return readStdin();
  } catch (error) {
    throw new CniError(Code.io, `Cannot read standard input: ${reason(error)}`, { cause: error });
  }
}

function encodeError({ code, message, details }: CniError, stdin: string): Record<string, unknown> {
  return { cniVersion: askedVersion(stdin), code, msg: message, ...(details === "" ? {} : { details }) };
}
