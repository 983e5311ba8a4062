/** Network namespaces: entered only to open a socket or to touch a sysctl, synchronously, on the main thread. */
import { ENOENT, failedWith } from "../errno.ts";
import type { Netns, Socket } from "../world.ts";
import { onFile } from "./file.ts";
import { check, close, libc, open } from "./libc.ts";
import { icmp6Socket, namespaceCookie, netlinkSocket, packetSocket } from "./socket.ts";

const CLONE_NEWNET = 0x40000000;
/** /proc/self would be the main thread as well; the thread that calls is the one that counts. */
const OWN = "/proc/thread-self/ns/net";
const O_RDONLY = 0;
/** A path that is a FIFO or a device must not make us wait. */
const O_NONBLOCK = 0o4000;

/** This process's own namespace, opened once: the way back from every other one. */
let home: number | undefined;

type Enter = <T>(work: () => T) => T;

/** This process's own namespace. */
export function hostNetns(): Netns {
  return netns(OWN, open(OWN, O_RDONLY), (work) => work());
}

/** The namespace at a path; throws KernelError: ENOENT, or EINVAL when it is not a network namespace. */
export function openNetns(path: string): Netns {
  const fd = open(path, O_RDONLY | O_NONBLOCK);
  return netns(path, fd, (work) => inside(fd, path, work));
}

/** Takes the descriptor over. */
function netns(path: string, fd: number, enter: Enter): Netns {
  let rtnetlink: Socket | undefined;
  try {
    rtnetlink = enter(() => netlinkSocket());
    return {
      path,
      fd,
      identity: namespaceCookie(rtnetlink) ?? deviceAndInode(fd),
      rtnetlink,
      events: (groups) => enter(() => netlinkSocket(groups)),
      packet: (ethertype, ifindex) => enter(() => packetSocket(ethertype, ifindex)),
      icmp6: (source, ifindex) => enter(() => icmp6Socket(source, ifindex)),
      sysctl: (key) => enter(() => readSysctl(key)),
      setSysctl: (key, value) =>
        enter(() =>
          onFile(`write sysctl net/${key}`, () => Deno.writeTextFileSync(pathOf(key), value, { create: false }))
        ),
      [Symbol.dispose]() {
        rtnetlink?.[Symbol.dispose]();
        close(fd);
      },
    };
  } catch (error) {
    rtnetlink?.[Symbol.dispose]();
    close(fd);
    throw error;
  }
}

function deviceAndInode(fd: number): string {
  const { dev, ino } = Deno.statSync(`/proc/self/fd/${fd}`);
  return `${dev}:${ino}`;
}

function inside<T>(fd: number, path: string, work: () => T): T {
  home ??= open(OWN, O_RDONLY);
  check(`enter network namespace "${path}"`, libc().setns(fd, CLONE_NEWNET));
  try {
    return work();
  } finally {
    // Whatever came next would happen in the wrong namespace: there is nothing to be saved.
    if (libc().setns(home, CLONE_NEWNET) !== 0) Deno.exit(70);
  }
}

function pathOf(key: string): string {
  return `/proc/sys/net/${key}`;
}

function readSysctl(key: string): string | undefined {
  try {
    return onFile(`read sysctl net/${key}`, () => Deno.readTextFileSync(pathOf(key))).trim();
  } catch (error) {
    if (failedWith(error, ENOENT)) return undefined;
    throw error;
  }
}
