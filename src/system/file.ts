/** What Deno says of files, as the errors that everybody here expects. */
import { EIO, errnoOf, KernelError } from "../errno.ts";

/** Does something with a file; throws KernelError with the errno that Deno hides in its own errors. */
export function onFile<T>(action: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    const words = error instanceof Error && errnoOf(code) === undefined ? error.message : undefined;
    throw new KernelError(action, errnoOf(code) ?? EIO, { file: true, words });
  }
}
