/** Netlink and packet sockets over libc. */
import { EAGAIN, ENOBUFS, KernelError } from "../errno.ts";
import type { Socket } from "../world.ts";
import { check, close, errno, libc, libcAddresses, libcWaiting } from "./libc.ts";

const AF_NETLINK = 16;
const AF_PACKET = 17;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SO_RCVBUFFORCE = 33;
const SOL_NETLINK = 270;
const SOL_PACKET = 263;
const PACKET_ADD_MEMBERSHIP = 1;
const PACKET_MR_ALLMULTI = 2;
const NETLINK_ADD_MEMBERSHIP = 1;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;
const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;
/** Longer than any datagram of rtnetlink (at most 32 KiB) or Ethernet frame here. */
const BUFFER = 65536;
/** A burst of route changes is buffered by the kernel up to this many bytes. */
const EVENT_BUFFER = 8 << 20;

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
    // struct sockaddr_nl {family, pad, pid, groups}: the kernel chooses our port.
    check("bind a netlink socket", libcAddresses().bind(fd, Uint8Array.of(AF_NETLINK, 0, ...new Uint8Array(10)), 12));
    for (const group of groups) option(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group);
  }
  return socket(fd, "netlink");
}

/** Whole frames of one EtherType on one device of the namespace this thread is in. */
export function packetSocket(ethertype: number, ifindex: number): Socket {
  // Protocol 0 receives nothing until bind() names device and EtherType: no frame of another device slips in.
  const fd = check("open a packet socket", libc().socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
  // struct sockaddr_ll {family, protocol (network order), ifindex, hatype, pkttype, halen, addr[8]}
  const to = new DataView(new ArrayBuffer(20));
  to.setUint16(0, AF_PACKET, true);
  to.setUint16(2, ethertype);
  to.setInt32(4, ifindex, true);
  check("bind a packet socket", libcAddresses().bind(fd, new Uint8Array(to.buffer), 20));
  // struct packet_mreq {int ifindex, ushort type, ushort alen, address[8]}: neighbour solicitations go to groups that nobody here is in.
  const membership = new DataView(new ArrayBuffer(16));
  membership.setInt32(0, ifindex, true);
  membership.setUint16(4, PACKET_MR_ALLMULTI, true);
  const bytes = new Uint8Array(membership.buffer);
  check("listen to multicast frames", libc().setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, bytes, 16));
  // Closing waits 8 to 16 ms for the whole network stack to forget the socket: on a thread of its own, while we go on.
  return socket(fd, "packet", () => void libcWaiting().close(fd));
}

/** ICMPv6 from an address of the namespace this thread is in to all nodes on one device; the kernel makes header and checksum. */
export function icmp6Socket(source: Uint8Array, ifindex: number): Socket {
  const AF_INET6 = 10;
  const IPPROTO_IPV6 = 41;
  const IPPROTO_ICMPV6 = 58;
  const IPV6_MULTICAST_HOPS = 18;
  // struct sockaddr_in6 {family, port, flowinfo, addr[16], scope id}
  const address = (ip: Uint8Array) => {
    const bytes = new Uint8Array(28);
    new DataView(bytes.buffer).setUint16(0, AF_INET6, true);
    bytes.set(ip, 8);
    new DataView(bytes.buffer).setUint32(24, ifindex, true);
    return bytes;
  };
  const allNodes = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
  const fd = check("open an ICMPv6 socket", libc().socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6));
  option(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 255);
  check("bind an ICMPv6 socket", libcAddresses().bind(fd, address(source), 28));
  check("connect an ICMPv6 socket", libcAddresses().connect(fd, address(allNodes), 28));
  return socket(fd, "ICMPv6");
}

/** Waits until one of the sockets can be read; false after `timeout` ms. */
export async function readable(sockets: readonly Socket[], timeout: number): Promise<boolean> {
  // struct pollfd {int fd, short events, short revents}
  const list = new DataView(new ArrayBuffer(8 * sockets.length));
  for (const [index, socket] of sockets.entries()) {
    list.setInt32(index * 8, descriptors.get(socket) ?? -1, true);
    list.setInt16(index * 8 + 4, 1, true);
  }
  const ready = await libcWaiting().poll(
    new Uint8Array(list.buffer),
    BigInt(sockets.length),
    Math.max(0, Math.ceil(timeout)),
  );
  return ready > 0;
}

function option(fd: number, level: number, name: number, value: number): void {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value, true);
  check("set a socket option", libc().setsockopt(fd, level, name, bytes, 4));
}

function socket(fd: number, what: string, end = () => close(fd)): Socket {
  const timeout = new DataView(new ArrayBuffer(16));
  timeout.setBigInt64(0, 5n, true);
  check("set a socket's timeout", libc().setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, new Uint8Array(timeout.buffer), 16));
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
