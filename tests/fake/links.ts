/** Links of the fake kernel: made and removed, with what stands on them. */
import type { Link, VxlanData } from "../../src/netlink/link.ts";
import { keepKernelRoutes, loseRoutes } from "./routes.ts";
import { type FakeLink, linkByIndex, no, type Space } from "./space.ts";

/** ETH_MIN_MTU and ETH_MAX_MTU. */
const LEAST_MTU = 68;
const MOST_MTU = 65535;
/** Kinds of which nothing is known here but that there are such links. */
const PLAIN = [undefined, "dummy", "veth", "bridge"];

/** Makes a link; `origin` is where its parent is looked for. */
export function newLink(origin: Space, target: Space, message: Link, mac: string): void {
  const { name = "", info, mtu, flags = 0, txqlen = 1000 } = message;
  if (target.links.some((link) => link.name === name)) throw no(17);
  if (message.mac !== undefined && (Number.parseInt(message.mac, 16) & 1) === 1) throw no(99);
  if (mtu !== undefined && mtu < LEAST_MTU) throw no(22);
  const add = (made: Partial<FakeLink> & { kind: string; mtu: number }) => {
    const index = ++target.lastIndex;
    const link: FakeLink = { index, name, mac: message.mac ?? mac, txqlen, up: (flags & 1) === 1, ...made };
    target.links.push(link);
    keepKernelRoutes(target, link);
  };
  const { kind } = info ?? {};
  if (kind === "macvlan") {
    if (message.link === undefined) throw no(22);
    const parent = linkByIndex(origin, message.link);
    if ((mtu ?? 0) > parent.mtu) throw no(22);
    add({ kind, mtu: mtu ?? parent.mtu, parent });
  } else if (kind === "vxlan") {
    const vxlan = checkedVxlan(target, info?.vxlan ?? {});
    const room = vxlan.link === undefined ? MOST_MTU : linkByIndex(target, vxlan.link).mtu;
    const most = room - (isOverIpv6(vxlan) ? 70 : 50);
    add({ kind, mtu: Math.min(mtu ?? (vxlan.link === undefined ? 1500 : most), most), vxlan });
  } else if (PLAIN.includes(kind)) add({ kind: kind ?? "dummy", mtu: mtu ?? 1500 });
  else throw no(95, "Unknown device type");
}

function isOverIpv6({ group6, local6 }: VxlanData): boolean {
  return group6 !== undefined || local6 !== undefined;
}

/** What the kernel makes of the attributes of a vxlan. */
function checkedVxlan(space: Space, given: VxlanData): VxlanData {
  const { low = 0, high = 0 } = given.portRange ?? {};
  if (high < low) throw no(22, "Invalid source port range");
  if ((given.id ?? 0) >= 1 << 24) throw no(34);
  const vxlan = withDefaults(given);
  if ((vxlan.group ?? vxlan.group6) !== undefined && vxlan.link === undefined) {
    throw no(22, "Local interface required for multicast remote destination");
  }
  if (vxlan.link !== undefined) linkByIndex(space, vxlan.link);
  const isSame = (one: VxlanData) =>
    one.id === vxlan.id && one.port === vxlan.port && isOverIpv6(one) === isOverIpv6(vxlan);
  if (space.links.some((link) => link.vxlan !== undefined && isSame(link.vxlan))) {
    throw no(17, "A VXLAN device with the specified VNI already exists");
  }
  return vxlan;
}

function withDefaults(given: VxlanData): VxlanData {
  const off = { proxy: false, rsc: false, l2miss: false, l3miss: false };
  const kernels = { ttl: 0, tos: 0, learning: true, ageing: 300, limit: 0, port: 8472, portRange: { low: 0, high: 0 } };
  return {
    ...off,
    ...kernels,
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
  };
}

/** Removes a link, what stands on it in any namespace, and what leads through it. */
export function removeLink(spaces: readonly Space[], space: Space, link: FakeLink): void {
  if (link.name === "lo") throw no(95);
  for (const other of spaces) {
    for (const child of [...other.links]) if (child.parent === link) removeLink(spaces, other, child);
  }
  for (const child of [...space.links]) if (child.vxlan?.link === link.index) removeLink(spaces, space, child);
  space.links = space.links.filter((one) => one !== link);
  space.addresses = space.addresses.filter(({ index }) => index !== link.index);
  loseRoutes(space, (route) => route.oif === link.index);
}
