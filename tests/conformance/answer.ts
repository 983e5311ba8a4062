/** What a plugin answered: exit code and text, and the demands that every answer is held to. */
import { broken, demand } from "./demand.ts";

/** Any JSON value. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** A JSON object. */
export type JsonObject = { [key: string]: Json };

/** One call of the plugin, ended. */
export interface Answer {
  /** The verb and what was special about the call, for people. */
  readonly called: string;
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Standard output as JSON; undefined when it is none, or empty. */
  readonly json: Json | undefined;
}

/** Reads JSON, or undefined where the text is none. */
export function parseJson(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

/** Whether a value is a JSON object (neither null nor a list). */
export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The answer in one line, for the report. */
export function told(answer: Answer): string {
  const text = answer.stdout.trim() === "" ? answer.stderr.trim() : answer.stdout.trim();
  const line = text.replaceAll(/\s+/g, " ");
  return `${answer.called}: exit ${answer.code}, ${line === "" ? "no output" : line.slice(0, 240)}`;
}

/** Demands success, and returns the answer. */
export function succeeded(answer: Answer): Answer {
  if (answer.code !== 0) broken(told(answer));
  return answer;
}

/** Demands success without a word on standard output. */
export function silent(answer: Answer): Answer {
  succeeded(answer);
  demand(answer.stdout.trim() === "", `${answer.called}: succeeded, but printed ${answer.stdout.trim().slice(0, 120)}`);
  return answer;
}

/** Demands failure; with `codes`, also an error object with one of these codes. Returns the error object, if any. */
export function failed(answer: Answer, ...codes: number[]): JsonObject {
  demand(answer.code !== 0, `${answer.called}: succeeded, an error was expected`);
  const error = isObject(answer.json) ? answer.json : {};
  if (codes.length > 0) {
    const { code } = error;
    demand(
      typeof code === "number" && codes.includes(code),
      `${told(answer)}; expected error code ${codes.join(" or ")}`,
    );
  }
  return error;
}

/** Demands that an error names all of these words in `msg` or `details`. */
export function names(answer: Answer, words: readonly string[]): void {
  const error = failed(answer);
  const text = `${error["msg"] ?? ""} ${error["details"] ?? ""}`;
  const missing = words.filter((word) => !text.includes(word));
  demand(missing.length === 0, `${told(answer)}; does not name ${missing.join(", ")}`);
}
