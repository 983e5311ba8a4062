/** Standard input and output, synchronously: a read on a thread of its own costs 7 ms of start-up. */

const POLL = {
  parameters: [/* struct pollfd * */ "buffer", /* nfds_t */ "u64", /* int timeout, ms */ "i32"],
  result: "i32",
} as const satisfies Deno.ForeignFunction;

/** All of standard input, to its end. */
export function readStdin(): string {
  return read(() => true, () => false);
}

/** As much of standard input as comes within `limit` ms of silence; a text that `isComplete` needs no end. */
export function readStdinWithin(limit: number, isComplete: (text: string) => boolean): string {
  const libc = Deno.dlopen("libc.so.6", { poll: POLL });
  // struct pollfd {int fd = 0, short events = POLLIN, short revents}
  const list = Uint8Array.of(0, 0, 0, 0, 1, 0, 0, 0);
  return read(() => libc.symbols.poll(list, 1n, limit) > 0, isComplete);
}

function read(isReadable: () => boolean, isComplete: (text: string) => boolean): string {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(65536);
  let text = "";
  while (isReadable()) {
    const length = Deno.stdin.readSync(buffer);
    if (length === null) break;
    text += decoder.decode(buffer.subarray(0, length), { stream: true });
    if (isComplete(text)) break;
  }
  return text + decoder.decode();
}

/** Writes all of a text to standard output. */
export function write(text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
}
