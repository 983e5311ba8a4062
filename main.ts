/** The start: answers VERSION, which runtimes ask all the time, and loads the part of the program that is asked for. */
import { answerVersion } from "./src/cni/versions.ts";
import { readStdinWithin, write } from "./src/system/standard.ts";

/** Set by the executable itself for Deno (scripts/build.ts): not the caller's, not for children. */
const OWN_VARIABLES = ["DENO_NO_UPDATE_CHECK", "DENO_DIR", "DENO_NO_PACKAGE_JSON"];

/** Milliseconds that VERSION waits for a question: a runtime may leave standard input open and say nothing. */
const VERSION_WAIT = 100;

async function main(): Promise<number> {
  const environment = Deno.env.toObject();
  for (const name of OWN_VARIABLES) {
    delete environment[name];
    Deno.env.delete(name);
  }
  if (environment.CNI_COMMAND === "VERSION") {
    write(`${answerVersion(readStdinWithin(VERSION_WAIT, isComplete))}\n`);
    return 0;
  }
  const { run } = environment.CNI_COMMAND === undefined
    ? await import("./src/entry/operator.ts")
    : await import("./src/entry/plugin.ts");
  return await run(environment);
}

/** A question that is complete needs no end of file. */
function isComplete(json: string): boolean {
  try {
    JSON.parse(json);
    return true;
  } catch {
    return false;
  }
}

main().then((code) => Deno.exit(code));
