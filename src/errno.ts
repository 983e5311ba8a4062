/** Names and words of the errno values that rtnetlink, sockets and files answer with (asm-generic/errno.h). */

const NAMES: Readonly<Record<number, readonly [name: string, words: string]>> = {
  1: ["EPERM", "operation not permitted"],
  2: ["ENOENT", "no such file or directory"],
  3: ["ESRCH", "no such process"],
  4: ["EINTR", "interrupted system call"],
  5: ["EIO", "input/output error"],
  6: ["ENXIO", "no such device or address"],
  9: ["EBADF", "bad file descriptor"],
  11: ["EAGAIN", "resource temporarily unavailable"],
  12: ["ENOMEM", "cannot allocate memory"],
  13: ["EACCES", "permission denied"],
  16: ["EBUSY", "device or resource busy"],
  17: ["EEXIST", "file exists"],
  19: ["ENODEV", "no such device"],
  20: ["ENOTDIR", "not a directory"],
  22: ["EINVAL", "invalid argument"],
  24: ["EMFILE", "too many open files"],
  28: ["ENOSPC", "no space left on device"],
  34: ["ERANGE", "numerical result out of range"],
  95: ["EOPNOTSUPP", "operation not supported"],
  97: ["EAFNOSUPPORT", "address family not supported"],
  98: ["EADDRINUSE", "address already in use"],
  99: ["EADDRNOTAVAIL", "cannot assign requested address"],
  100: ["ENETDOWN", "network is down"],
  101: ["ENETUNREACH", "network is unreachable"],
  103: ["ECONNABORTED", "connection aborted"],
  105: ["ENOBUFS", "no buffer space available"],
  113: ["EHOSTUNREACH", "no route to host"],
};

export const ENOENT = 2;
export const ESRCH = 3;
export const EAGAIN = 11;
export const EEXIST = 17;
export const ENODEV = 19;
export const EINVAL = 22;
export const EADDRNOTAVAIL = 99;
export const ENOBUFS = 105;

/** `EEXIST` for 17, `errno 200` for a number without a name here. */
export function errnoName(errno: number): string {
  return NAMES[errno]?.[0] ?? `errno ${errno}`;
}

/** `EEXIST (file exists)` for 17. */
export function errnoText(errno: number): string {
  const known = NAMES[errno];
  return known === undefined ? `errno ${errno}` : `${known[0]} (${known[1]})`;
}

/** The kernel said no: to a system call or to a netlink request. `words` is its extended acknowledgement, where it gave one. */
export class KernelError extends Error {
  override readonly name = "KernelError";

  constructor(readonly action: string, readonly errno: number, readonly words = "") {
    super(`Cannot ${action}: ${errnoText(errno)}${words === "" ? "" : `: ${words}`}`);
  }
}

/** Whether this is a KernelError with one of these errno values. */
export function failedWith(error: unknown, ...errnos: number[]): error is KernelError {
  return error instanceof KernelError && errnos.includes(error.errno);
}
