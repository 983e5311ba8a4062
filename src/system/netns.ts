/** Network namespaces: entered only to open a socket or to write a sysctl, synchronously, on the main thread. */
import { KernelError } from "../errno.ts";
import type { Netns } from "../world.ts";
import { check, close, libc, open } from "./libc.ts";
import { icmp6Socket, netlinkSocket, packetSocket } from "./socket.ts";

const CLONE_NEWNET = 0x40000000;
/** /proc/self would be the main thread as well; the thread that calls is the one that counts. */
const OWN = "/proc/thread-self/ns/net";
const O_RDONLY = 0;
/** A path that is a FIFO or a device must not make us wait. */
const O_NONBLOCK = 0o4000;

/** This process's own namespace. */
export function hostNetns(): Netns {
  return netns(OWN, open(OWN, O_RDONLY), (work) => work());
}

/** The namespace at a path; throws KernelError: ENOENT, or EINVAL when it is not a network namespace. */
export function openNetns(path: string): Netns {
  const fd = open(path, O_RDONLY | O_NONBLOCK);
  try {
    inside(fd, path, () => {});
  } catch (error) {
    close(fd);
    throw error;
  }
  return netns(path, fd, (work) => inside(fd, path, work));
}

function netns(path: string, fd: number, enter: <T>(work: () => T) => T): Netns {
  return {
    path,
    fd,
    identity: identity(`/proc/self/fd/${fd}`),
    netlink: (groups) => enter(() => netlinkSocket(groups)),
    packet: (ethertype, ifindex) => enter(() => packetSocket(ethertype, ifindex)),
    icmp6: (source, ifindex) => enter(() => icmp6Socket(source, ifindex)),
    sysctl: (key, value) => enter(() => writeSysctl(key, value)),
    [Symbol.dispose]: () => close(fd),
  };
}

function identity(path: string): string {
  const { dev, ino } = Deno.statSync(path);
  return `${dev}:${ino}`;
}

function inside<T>(fd: number, path: string, work: () => T): T {
  const home = open(OWN, O_RDONLY);
  try {
    check(`enter network namespace "${path}"`, libc().setns(fd, CLONE_NEWNET));
    try {
      return work();
    } finally {
      // Whatever came next would happen in the wrong namespace: there is nothing to be saved.
      if (libc().setns(home, CLONE_NEWNET) !== 0) Deno.exit(70);
    }
  } finally {
    close(home);
  }
}

function writeSysctl(key: string, value: string): void {
  try {
    Deno.writeTextFileSync(`/proc/sys/net/${key}`, value, { create: false });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw new KernelError(`write sysctl net/${key}`, 5, error instanceof Error ? error.message : String(error));
  }
}
