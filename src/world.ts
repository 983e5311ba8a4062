/** The outside world as a value: all that this program may touch. `system/` builds the real one, tests build their own. */
import type { Ip } from "./ip.ts";

/** A datagram socket that stays in the namespace it was opened in. */
export interface Socket extends Disposable {
  /** Sends one datagram; throws KernelError. */
  send(datagram: Uint8Array): void;
  /** The next datagram; waits up to 5 s with `wait`, else returns undefined when there is none. Throws KernelError. */
  receive(wait: boolean): Uint8Array | undefined;
}

/** An open network namespace. */
export interface Netns extends Disposable {
  readonly path: string;
  /** File descriptor of this process, for IFLA_NET_NS_FD. */
  readonly fd: number;
  /** The kernel's cookie of the namespace, which no later namespace gets (Linux 5.14); before that device and inode. Equal for two paths to the same namespace. */
  readonly identity: string;
  /** The socket for requests, open as long as the namespace is. */
  readonly rtnetlink: Socket;
  /** A socket that gets the messages of RTNLGRP_* groups. */
  events(groups: readonly number[]): Socket;
  /** Whole Ethernet frames of one EtherType (host order) on one device, both ways. */
  packet(ethertype: number, ifindex: number): Socket;
  /** ICMPv6 messages from an address of this namespace to all nodes on one device (ff02::1), hop limit 255. */
  icmp6(source: Ip, ifindex: number): Socket;
  /** Reads below /proc/sys/net of this namespace, e.g. `ipv6/conf/eth0/accept_ra`; undefined for a key that the kernel does not have. */
  sysctl(key: string): string | undefined;
  /** Writes it; throws KernelError. */
  setSysctl(key: string, value: string): void;
}

/** An exclusive lock that the kernel gives back when the process dies. */
export type Lock = Disposable;

/** Files of a folder below `/run/vxlan-cni`; names are relative to it. Everything throws KernelError. */
export interface Store {
  /** Undefined when there is no such file. */
  read(name: string): string | undefined;
  /** Replaces the file as a whole: a temporary name, then rename. */
  write(name: string, content: string): void;
  /** True if this call removed the file; of two processes, exactly one gets true. */
  remove(name: string): boolean;
  /** True if this call gave the file its new name; of two processes, exactly one gets true. */
  rename(from: string, to: string): boolean;
  /** Gives the file a second name; false when that name is taken. */
  link(from: string, to: string): boolean;
  /** Whether two names are of one file. */
  same(a: string, b: string): boolean;
  /** Names in a folder, sorted; none when there is no such folder. */
  list(folder: string): string[];
  /** Takes the lock of this name at once; undefined when somebody holds it or, without `create`, when there is no such file. */
  tryLock(name: string, create: boolean): Lock | undefined;
  /** Waits for the lock of this name; its file is made when it is missing. */
  lock(name: string): Promise<Lock>;
}

export interface Output {
  code: number;
  stdout: string;
  stderr: string;
}

export interface World {
  readonly environment: Readonly<Record<string, string>>;
  /** Milliseconds of a clock that only goes forward, since this program began. */
  now(): number;
  /** Milliseconds since boot, the same for all processes. */
  uptime(): number;
  random(bytes: number): Uint8Array;
  /** Set by VXLAN_CNI_LOG: takes a line for each request and each decision. */
  readonly log: ((line: string) => void) | undefined;
  /** What an operator must hear of although the call goes on. */
  warn(text: string): void;
  /** Aborted at SIGTERM and SIGINT: undo, then end. */
  readonly interrupted: AbortSignal;
  /** This process's own network namespace. */
  host(): Netns;
  /** Opens a namespace by path; throws KernelError (ENOENT, or EINVAL when it is not a network namespace). */
  netns(path: string): Netns;
  /** Waits until one of the sockets has a datagram (true), or for `timeout` ms (false). */
  readable(sockets: readonly Socket[], timeout: number): Promise<boolean>;
  /** The files of one network namespace below `/run/vxlan-cni`, by the namespace's identity. */
  store(identity: string): Store;
  /** Full path of the first executable of this name in a folder list, and whether it is this very program. */
  find(name: string, folders: readonly string[]): { path: string; self: boolean } | undefined;
  execute(path: string, environment: Readonly<Record<string, string>>, stdin: string): Promise<Output>;
}
