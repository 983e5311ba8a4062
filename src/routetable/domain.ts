/** Talking to the broadcast domain of a device about one address. */
import { ENETDOWN, ENOBUFS, failedWith } from "../errno.ts";
import { ethertype, hear, type Heard, probe } from "../frame.ts";
import { type Ip, sameIp } from "../ip.ts";
import type { Node } from "../state/node.ts";
import type { Socket } from "../world.ts";

/** The device of claims, on the node. */
export interface ClaimDevice {
  index: number;
  name: string;
  mac: string;
  /** Whether it has a broadcast domain to be asked. */
  probes: boolean;
}

interface Domain extends Disposable {
  socket: Socket;
  /** Asks who has the address. A frame that cannot be sent is like one that is lost on the way. */
  probe(): void;
  /** What others said of the address since the last time. */
  hear(): Heard[];
}

export function openDomain({ kernel }: Node, device: ClaimDevice, ip: Ip): Domain {
  const socket = kernel.netns.packet(ethertype(ip), device.index);
  return {
    socket,
    probe() {
      try {
        socket.send(probe(ip, device.mac));
      } catch (error) {
        if (!failedWith(error, ENETDOWN, ENOBUFS)) throw error;
      }
    },
    hear: () =>
      drain(socket).flatMap((frame) => hear(frame) ?? [])
        .filter(({ address, mac }) => sameIp(address, ip) && mac !== device.mac),
    [Symbol.dispose]: () => socket[Symbol.dispose](),
  };
}

/** All datagrams that have come in. */
export function drain(socket: Socket): Uint8Array[] {
  const out: Uint8Array[] = [];
  for (let next = socket.receive(false); next !== undefined; next = socket.receive(false)) out.push(next);
  return out;
}

/** Hardware addresses of those who say within `timeout` ms that the address is theirs. */
export async function askDomain(
  node: Node,
  { device, ip }: { device: ClaimDevice; ip: Ip },
  timeout: number,
): Promise<string[]> {
  const { world } = node;
  using domain = openDomain(node, device, ip);
  const end = world.now() + timeout;
  const heard: Heard[] = [];
  domain.probe();
  for (let left = timeout; left > 0; left = end - world.now()) {
    await world.readable([domain.socket], left);
    heard.push(...domain.hear().filter(({ kind }) => kind === "use"));
  }
  return heard.map(({ mac }) => mac);
}
