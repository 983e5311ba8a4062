/** What Linux says no with: names and words of the errno values (asm-generic/errno-base.h, errno.h), and the error that bears one. */

/** Names by number; an empty one where Linux has none. */
const NAMES = ("0 EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT ENOTBLK " +
  "EBUSY EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS EMLINK " +
  "EPIPE EDOM ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ELOOP  ENOMSG EIDRM ECHRNG EL2NSYNC EL3HLT EL3RST " +
  "ELNRNG EUNATCH ENOCSI EL2HLT EBADE EBADR EXFULL ENOANO EBADRQC EBADSLT  EBFONT ENOSTR ENODATA ETIME ENOSR ENONET " +
  "ENOPKG EREMOTE ENOLINK EADV ESRMNT ECOMM EPROTO EMULTIHOP EDOTDOT EBADMSG EOVERFLOW ENOTUNIQ EBADFD EREMCHG " +
  "ELIBACC ELIBBAD ELIBSCN ELIBMAX ELIBEXEC EILSEQ ERESTART ESTRPIPE EUSERS ENOTSOCK EDESTADDRREQ EMSGSIZE " +
  "EPROTOTYPE ENOPROTOOPT EPROTONOSUPPORT ESOCKTNOSUPPORT EOPNOTSUPP EPFNOSUPPORT EAFNOSUPPORT EADDRINUSE " +
  "EADDRNOTAVAIL ENETDOWN ENETUNREACH ENETRESET ECONNABORTED ECONNRESET ENOBUFS EISCONN ENOTCONN ESHUTDOWN " +
  "ETOOMANYREFS ETIMEDOUT ECONNREFUSED EHOSTDOWN EHOSTUNREACH EALREADY EINPROGRESS ESTALE EUCLEAN ENOTNAM ENAVAIL " +
  "EISNAM EREMOTEIO EDQUOT ENOMEDIUM EMEDIUMTYPE ECANCELED ENOKEY EKEYEXPIRED EKEYREVOKED EKEYREJECTED EOWNERDEAD " +
  "ENOTRECOVERABLE ERFKILL EHWPOISON").split(" ");

/** Words for those that rtnetlink, sockets and files answer with. */
const WORDS: Readonly<Record<string, string>> = {
  EPERM: "operation not permitted",
  ENOENT: "no such file or directory",
  ESRCH: "no such process",
  EINTR: "interrupted system call",
  EIO: "input/output error",
  ENXIO: "no such device or address",
  EBADF: "bad file descriptor",
  EAGAIN: "resource temporarily unavailable",
  ENOMEM: "cannot allocate memory",
  EACCES: "permission denied",
  EBUSY: "device or resource busy",
  EEXIST: "file exists",
  ENODEV: "no such device",
  ENOTDIR: "not a directory",
  EISDIR: "is a directory",
  EINVAL: "invalid argument",
  ENFILE: "too many open files in system",
  EMFILE: "too many open files",
  ENOSPC: "no space left on device",
  EROFS: "read-only file system",
  EPIPE: "broken pipe",
  ERANGE: "numerical result out of range",
  ENAMETOOLONG: "file name too long",
  ELOOP: "too many levels of symbolic links",
  EOPNOTSUPP: "operation not supported",
  EAFNOSUPPORT: "address family not supported",
  EADDRINUSE: "address already in use",
  EADDRNOTAVAIL: "cannot assign requested address",
  ENETDOWN: "network is down",
  ENETUNREACH: "network is unreachable",
  ECONNABORTED: "connection aborted",
  ENOBUFS: "no buffer space available",
  EHOSTUNREACH: "no route to host",
};

export const ENOENT = 2;
export const ESRCH = 3;
export const EIO = 5;
export const EAGAIN = 11;
export const EEXIST = 17;
export const ENODEV = 19;
export const ENOTDIR = 20;
export const EINVAL = 22;
export const ENOPROTOOPT = 92;
export const EOPNOTSUPP = 95;
export const EADDRNOTAVAIL = 99;
export const ENETDOWN = 100;
export const ENETUNREACH = 101;
export const ENOBUFS = 105;
export const EHOSTUNREACH = 113;

/** `EEXIST (file exists)` for 17, `EXDEV` for 18, `errno 200` for a number that Linux does not have. */
export function errnoText(errno: number): string {
  const name = errno > 0 ? NAMES[errno] : "";
  if (name === undefined || name === "") return `errno ${errno}`;
  const words = WORDS[name];
  return words === undefined ? name : `${name} (${words})`;
}

/** The number of a name, e.g. 17 for `EEXIST`; undefined for a name that Linux does not have. */
export function errnoOf(name: string): number | undefined {
  const errno = NAMES.indexOf(name);
  return errno > 0 && name !== "" ? errno : undefined;
}

/** What is known of a refusal beside its number. */
interface Refusal {
  /** The kernel's extended acknowledgement. */
  words?: string;
  /** The attribute that a request was refused for. */
  attribute?: string;
  /** It was about a file, not about the network. */
  file?: boolean;
}

/** The kernel said no: to a system call or to a netlink request. */
export class KernelError extends Error {
  override readonly name = "KernelError";

  /** `action` completes "Cannot ...". */
  constructor(readonly action: string, readonly errno: number, readonly refusal: Refusal = {}) {
    const { attribute = "", words = "" } = refusal;
    super([`Cannot ${action}`, errnoText(errno), attribute, words].filter((part) => part !== "").join(": "));
  }
}

/** Whether this is a KernelError with one of these errno values. */
export function failedWith(error: unknown, ...errnos: number[]): error is KernelError {
  return error instanceof KernelError && errnos.includes(error.errno);
}
