/** Errors as CNI knows them: a number, a sentence, details (CNI spec 1.1.0, section 2 "Error"). */
import { KernelError } from "../errno.ts";

/** Codes 1-99 are the specification's, from 100 on ours (docs/errors.md). */
export const Code = {
  incompatibleVersion: 1,
  unsupportedField: 2,
  unknownContainer: 3,
  invalidEnvironment: 4,
  io: 5,
  decoding: 6,
  invalidConfig: 7,
  invalidNetns: 8,
  tryAgainLater: 11,
  notAvailable: 50,
  kernel: 100,
  addressTaken: 101,
  exhausted: 102,
  interfaceExists: 103,
  hostDiffers: 104,
  checkFailed: 105,
  ipam: 106,
  interrupted: 107,
  internal: 999,
} as const;

/** What is wrong with one value of a configuration. */
export interface Fault {
  /** Keys and positions from the top of the configuration. */
  path: readonly PropertyKey[];
  wanted: string;
  got: unknown;
}

interface More extends ErrorOptions {
  details?: string;
  faults?: readonly Fault[];
}

/** A failure that the caller of the plugin is told about. */
export class CniError extends Error {
  override readonly name = "CniError";
  readonly details: string;
  /** Of a configuration, as data. */
  readonly faults: readonly Fault[];

  constructor(readonly code: number, message: string, { details = "", faults = [], ...options }: More = {}) {
    super(message, options);
    this.details = details;
    this.faults = faults;
  }
}

/** Any thrown value as CniError: the kernel's errors have a code of their own, those about files another. */
export function toCniError(error: unknown): CniError {
  if (error instanceof CniError) return error;
  if (error instanceof SuppressedError) {
    // What went wrong first is what is told; that it could not be undone is a detail.
    return withDetails(toCniError(error.suppressed), `undoing failed: ${inFull(error.error)}`, error);
  }
  if (error instanceof AggregateError) {
    const [first, ...more] = error.errors;
    if (error.errors.length > 0) return withDetails(toCniError(first), more.map(inFull).join("; "), error);
  }
  if (!(error instanceof Error)) return new CniError(Code.internal, String(error));
  const code = error instanceof KernelError ? error.refusal.file === true ? Code.io : Code.kernel : Code.internal;
  return new CniError(code, error.message, { details: causes(error.cause), cause: error });
}

function withDetails({ code, message, details, faults }: CniError, more: string, cause: unknown): CniError {
  return new CniError(code, message, {
    details: [details, more].filter((one) => one !== "").join("; "),
    faults,
    cause,
  });
}

/** A failure beside the one that is told, with its own details: it can be several in one. */
function inFull(error: unknown): string {
  const { message, details } = toCniError(error);
  return [message, details].filter((one) => one !== "").join("; ");
}

/** The chain of causes, outermost first. */
function causes(cause: unknown): string {
  const out: string[] = [];
  for (let at = cause; at instanceof Error; at = at.cause) out.push(at.message);
  return out.join(": ");
}
