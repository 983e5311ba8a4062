/** Errors as CNI knows them: a number, a sentence, details (CNI spec 1.1.0, section 2 "Error"). */

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

/** A failure that the caller of the plugin is told about. */
export class CniError extends Error {
  override readonly name = "CniError";

  constructor(readonly code: number, message: string, readonly details = "", options?: ErrorOptions) {
    super(message, options);
  }
}

/** Any thrown value as CniError; `kernelErrors` names the class whose errors are the kernel's. */
export function toCniError(error: unknown): CniError {
  if (error instanceof CniError) return error;
  if (error instanceof SuppressedError) {
    // What went wrong first is what is told; that it could not be undone is a detail.
    const { code, message, details } = toCniError(error.suppressed);
    const undoing = `undoing failed: ${error.error instanceof Error ? error.error.message : error.error}`;
    return new CniError(code, message, details === "" ? undoing : `${details}; ${undoing}`, { cause: error });
  }
  if (!(error instanceof Error)) return new CniError(Code.internal, String(error));
  const code = error.name === "KernelError" ? Code.kernel : Code.internal;
  return new CniError(code, error.message, causes(error.cause), { cause: error });
}

/** The chain of causes, outermost first. */
export function causes(cause: unknown): string {
  const out: string[] = [];
  for (let at = cause; at instanceof Error; at = at.cause) out.push(at.message);
  return out.join(": ");
}
