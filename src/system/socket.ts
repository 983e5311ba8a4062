/** Netlink, packet and ICMPv6 sockets over libc. */
import { be16, block, decode, encode, type Fixed, ip6, s16, s32, struct, u16, u32, u64, u8 } from "../bytes.ts";
import { EAGAIN, ENOBUFS, ENOPROTOOPT, failedWith, KernelError } from "../errno.ts";
import type { Ip } from "../ip.ts";
import type { Socket } from "../world.ts";
import { check, close, errno, libc, libcAddresses, libcWaiting } from "./libc.ts";

const AF_INET6 = 10;
const AF_NETLINK = 16;
const AF_PACKET = 17;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SO_RCVBUFFORCE = 33;
const SO_NETNS_COOKIE = 71;
const SOL_NETLINK = 270;
const SOL_PACKET = 263;
const PACKET_ADD_MEMBERSHIP = 1;
const PACKET_MR_ALLMULTI = 2;
const NETLINK_ADD_MEMBERSHIP = 1;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;
const IPPROTO_IPV6 = 41;
const IPPROTO_ICMPV6 = 58;
const IPV6_MULTICAST_HOPS = 18;
const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;
const POLLIN = 1;
/** Longer than any datagram of rtnetlink (at most 32 KiB) or Ethernet frame here. */
const BUFFER = 65536;
/** A burst of route changes is buffered by the kernel up to this many bytes. */
const EVENT_BUFFER = 8 << 20;
/** Seconds that a question waits for its answer. */
const PATIENCE = 5n;

/** `struct sockaddr_nl`. */
const netlinkAddress = struct({ family: u16, pad: u16, port: u32, groups: u32 });
/** `struct sockaddr_ll`. */
const packetAddress = struct({
  family: u16,
  protocol: be16,
  ifindex: s32,
  hatype: u16,
  pkttype: u8,
  halen: u8,
  addr: block(8),
});
/** `struct packet_mreq`. */
const membership = struct({ ifindex: s32, type: u16, alen: u16, address: block(8) });
const address6: Fixed<Ip> = { ...ip6, bytes: 16 };
/** `struct sockaddr_in6`. */
const inet6Address = struct({ family: u16, port: be16, flow: u32, ip: address6, scope: u32 });
/** `struct timeval`. */
const time = struct({ seconds: u64, microseconds: u64 });
/** `struct pollfd`. */
const polled = struct({ fd: s32, events: s16, revents: s16 });
/** ff02::1. */
const ALL_NODES: Ip = { version: 6, value: 0xff02n << 112n | 1n };

const descriptors = new WeakMap<Socket, number>();
let shared: Uint8Array<ArrayBuffer> | undefined;

/** An rtnetlink socket in the namespace this thread is in. */
export function netlinkSocket(groups: readonly number[] = []): Socket {
  const fd = check("open a netlink socket", libc().socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0));
  option(fd, SOL_NETLINK, NETLINK_EXT_ACK, 1);
  option(fd, SOL_NETLINK, NETLINK_CAP_ACK, 1);
  option(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
  if (groups.length > 0) {
    option(fd, SOL_SOCKET, SO_RCVBUFFORCE, EVENT_BUFFER);
    // The kernel chooses our port.
    address("bind", fd, encode(netlinkAddress, { family: AF_NETLINK }));
    for (const group of groups) option(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group);
  }
  return socket(fd, "netlink");
}

/** The cookie of the namespace that a socket is in; undefined before Linux 5.14. */
export function namespaceCookie(socket: Socket): string | undefined {
  const bytes = new Uint8Array(8);
  const length = encode(u32, bytes.length);
  const fd = descriptors.get(socket) ?? -1;
  try {
    check("read a namespace's cookie", libc().getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, bytes, length));
    return decode(u64, bytes).toString();
  } catch (error) {
    if (failedWith(error, ENOPROTOOPT)) return undefined;
    throw error;
  }
}

/** Whole frames of one EtherType on one device of the namespace this thread is in. */
export function packetSocket(ethertype: number, ifindex: number): Socket {
  // Protocol 0 receives nothing until bind() names device and EtherType: no frame of another device slips in.
  const fd = check("open a packet socket", libc().socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
  address("bind", fd, encode(packetAddress, { family: AF_PACKET, protocol: ethertype, ifindex }));
  // Neighbour solicitations go to groups that nobody here is in.
  const bytes = encode(membership, { ifindex, type: PACKET_MR_ALLMULTI });
  check("listen to multicast frames", libc().setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, bytes, bytes.length));
  // Closing waits 8 to 16 ms for the whole network stack to forget the socket: on a thread of its own, while we go on.
  return socket(fd, "packet", () => void libcWaiting().close(fd));
}

/** ICMPv6 from an address of the namespace this thread is in to all nodes on one device; the kernel makes header and checksum. */
export function icmp6Socket(source: Ip, scope: number): Socket {
  const fd = check("open an ICMPv6 socket", libc().socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6));
  option(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 255);
  address("bind", fd, encode(inet6Address, { family: AF_INET6, ip: source, scope }));
  address("connect", fd, encode(inet6Address, { family: AF_INET6, ip: ALL_NODES, scope }));
  return socket(fd, "ICMPv6");
}

/** Waits until one of the sockets can be read; false after `timeout` ms. */
export async function readable(sockets: readonly Socket[], timeout: number): Promise<boolean> {
  const list = new Uint8Array(polled.bytes * sockets.length);
  for (const [index, socket] of sockets.entries()) {
    list.set(encode(polled, { fd: descriptors.get(socket) ?? -1, events: POLLIN }), index * polled.bytes);
  }
  const ready = await libcWaiting().poll(list, BigInt(sockets.length), Math.max(0, Math.ceil(timeout)));
  return ready > 0;
}

function option(fd: number, level: number, name: number, value: number): void {
  check(`set socket option ${level}/${name}`, libc().setsockopt(fd, level, name, encode(s32, value), 4));
}

function address(call: "bind" | "connect", fd: number, bytes: Uint8Array<ArrayBuffer>): void {
  check(`${call} a socket`, libcAddresses()[call](fd, bytes, bytes.length));
}

function socket(fd: number, what: string, end = () => close(fd)): Socket {
  const patience = encode(time, { seconds: PATIENCE, microseconds: 0n });
  check("set a socket's timeout", libc().setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, patience, patience.length));
  const made: Socket = {
    send(datagram) {
      check(`send on a ${what} socket`, libc().send(fd, new Uint8Array(datagram), BigInt(datagram.length), 0));
    },
    receive(wait) {
      const buffer = shared ??= new Uint8Array(BUFFER);
      const length = Number(libc().recv(fd, buffer, BigInt(BUFFER), MSG_TRUNC | (wait ? 0 : MSG_DONTWAIT)));
      if (length > BUFFER) {
        throw new Error(`Cannot receive a ${what} datagram: ${length} bytes do not fit in ${BUFFER}`);
      }
      if (length >= 0) return buffer.slice(0, length);
      const failure = errno();
      if (failure === EAGAIN) return undefined;
      throw new KernelError(`receive on a ${what} socket${failure === ENOBUFS ? " (events were lost)" : ""}`, failure);
    },
    [Symbol.dispose]: end,
  };
  descriptors.set(made, fd);
  return made;
}
