/** Talking to the broadcast domain of a device about one address. */
import { ENOBUFS, failedWith } from "../errno.ts";
import { ethertype, hear, type Heard, probe } from "../frame.ts";
import { type Ip, ipFromBytes, ipToBytes, sameIp } from "../ip.ts";
import { mac as macCodec } from "../netlink/codec.ts";
import type { Netns, Socket, World } from "../world.ts";

/** The device of a claim, on the host. */
export interface Device {
  index: number;
  name: string;
  mac: string;
  /** Whether it has a broadcast domain to be asked. */
  probes: boolean;
}

export interface Conversation extends Disposable {
  socket: Socket;
  /** Asks who has the address. A frame that cannot be sent is like one that is lost on the way. */
  probe(): void;
  /** What others said of the address since the last time. */
  hear(): Heard[];
}

export function converse(host: Netns, device: Device, ip: Ip): Conversation {
  const ENETDOWN = 100;
  const address = ipToBytes(ip);
  const socket = host.packet(ethertype(address), device.index);
  const own = macCodec.encode(device.mac);
  return {
    socket,
    probe() {
      try {
        socket.send(probe(address, own));
      } catch (error) {
        if (!failedWith(error, ENETDOWN, ENOBUFS)) throw error;
      }
    },
    hear: () =>
      drain(socket).flatMap((frame) => hear(frame) ?? []).filter(({ address, mac }) =>
        sameIp(ipFromBytes(address), ip) && macCodec.decode(mac) !== device.mac
      ),
    [Symbol.dispose]: () => socket[Symbol.dispose](),
  };
}

/** All datagrams that have come in. */
export function drain(socket: Socket): Uint8Array[] {
  const out: Uint8Array[] = [];
  for (let next = socket.receive(false); next !== undefined; next = socket.receive(false)) out.push(next);
  return out;
}

/** Who says within `timeout` ms that the address is theirs. */
export async function ask(world: World, host: Netns, device: Device, ip: Ip, timeout: number): Promise<Heard[]> {
  using domain = converse(host, device, ip);
  const end = world.now() + timeout;
  const heard: Heard[] = [];
  domain.probe();
  for (let left = timeout; left > 0; left = end - world.now()) {
    await world.readable([domain.socket], left);
    heard.push(...domain.hear().filter(({ kind }) => kind === "use"));
  }
  return heard;
}
