/** The functions of libc that this program calls, with the C type of each parameter; loaded at first use. */
import { KernelError } from "../errno.ts";

const SYMBOLS = {
  socket: { parameters: [/* int domain */ "i32", /* int type */ "i32", /* int protocol */ "i32"], result: "i32" },
  setsockopt: {
    parameters: [
      /* int fd */ "i32",
      /* int level */ "i32",
      /* int name */ "i32",
      /* void * */ "buffer",
      /* socklen_t */ "u32",
    ],
    result: "i32",
  },
  getsockopt: {
    parameters: [
      /* int fd */ "i32",
      /* int level */ "i32",
      /* int name */ "i32",
      /* void * */ "buffer",
      /* socklen_t * */ "buffer",
    ],
    result: "i32",
  },
  send: {
    parameters: [/* int fd */ "i32", /* void * */ "buffer", /* size_t */ "usize", /* int flags */ "i32"],
    result: "isize",
  },
  recv: {
    parameters: [/* int fd */ "i32", /* void * */ "buffer", /* size_t */ "usize", /* int flags */ "i32"],
    result: "isize",
  },
  close: { parameters: [/* int fd */ "i32"], result: "i32" },
  open: { parameters: [/* char *path */ "buffer", /* int flags */ "i32", /* mode_t */ "u32"], result: "i32" },
  setns: { parameters: [/* int fd */ "i32", /* int nstype */ "i32"], result: "i32" },
  flock: { parameters: [/* int fd */ "i32", /* int operation */ "i32"], result: "i32" },
  __errno_location: { parameters: [], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

/** Functions that only some calls need: each that is loaded costs 0.2 ms. */
const ADDRESSES = {
  bind: { parameters: [/* int fd */ "i32", /* sockaddr * */ "buffer", /* socklen_t */ "u32"], result: "i32" },
  connect: { parameters: [/* int fd */ "i32", /* sockaddr * */ "buffer", /* socklen_t */ "u32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** The same functions on a thread of their own: for waiting only, never for setns and what follows it. */
const WAITING = {
  poll: {
    parameters: [/* struct pollfd * */ "buffer", /* nfds_t */ "u64", /* int timeout, ms */ "i32"],
    result: "i32",
    nonblocking: true,
  },
  flock: { parameters: [/* int fd */ "i32", /* int operation */ "i32"], result: "i32", nonblocking: true },
  close: { parameters: [/* int fd */ "i32"], result: "i32", nonblocking: true },
} as const satisfies Deno.ForeignLibraryInterface;

const LIBC = "libc.so.6";
let loaded: Deno.DynamicLibrary<typeof SYMBOLS> | undefined;
let addresses: Deno.DynamicLibrary<typeof ADDRESSES> | undefined;
let waiting: Deno.DynamicLibrary<typeof WAITING> | undefined;

export function libc(): Deno.DynamicLibrary<typeof SYMBOLS>["symbols"] {
  return (loaded ??= Deno.dlopen(LIBC, SYMBOLS)).symbols;
}

export function libcAddresses(): Deno.DynamicLibrary<typeof ADDRESSES>["symbols"] {
  return (addresses ??= Deno.dlopen(LIBC, ADDRESSES)).symbols;
}

export function libcWaiting(): Deno.DynamicLibrary<typeof WAITING>["symbols"] {
  return (waiting ??= Deno.dlopen(LIBC, WAITING)).symbols;
}

/** errno of this thread's last failed call. */
export function errno(): number {
  const pointer = libc().__errno_location();
  return pointer === null ? 0 : new Deno.UnsafePointerView(pointer).getInt32();
}

/** The result of a call, or its errno as KernelError: `action` completes the sentence "Cannot ...". */
export function check(action: string, result: number | bigint): number {
  if (result < 0) throw new KernelError(action, errno());
  return Number(result);
}

/** Opens a file; the descriptor is closed at exec. */
export function open(path: string, flags: number, mode = 0): number {
  const O_CLOEXEC = 0o2000000;
  const fd = libc().open(new TextEncoder().encode(`${path}\0`), flags | O_CLOEXEC, mode);
  if (fd < 0) throw new KernelError(`open "${path}"`, errno(), { file: true });
  return fd;
}

export function close(fd: number): void {
  libc().close(fd);
}
