/** Links that this program makes: vxlan and macvlan, up. */
import { ENODEV } from "../errno.ts";
import { formatIp, type Ip } from "../ip.ts";
import type { Kernel } from "../netlink/kernel.ts";
import { delLink, IFF_UP, type Link, MACVLAN_MODE_BRIDGE, newLink, type VxlanData } from "../netlink/link.ts";
import { type Device, indexOf, judged, kernelOf, type Kind, MISSING, needIndex, type Place } from "./kind.ts";

/** What is not given is the kernel's to choose, and is not compared. */
export interface LinkObject extends Device {
  kind: "link";
  in: Place;
  /** Of a vxlan. */
  vxlan?: VxlanData;
  /** Of a macvlan in bridge mode: the device of the node that it stands on. */
  on?: Device;
  mac?: string;
  /** Bytes. */
  mtu?: number;
  txqlen?: number;
  /** For the creation only: what was derived, e.g. an MTU from the underlay's. */
  initial?: { mtu?: number | undefined; link?: number | undefined };
}

export const linkKind: Kind<LinkObject> = {
  stage: 0,
  describe: ({ name }) => `link "${name}"`,
  inspect(kernel, wanted) {
    const found = kernel.link(wanted.index ?? wanted.name);
    if (found === undefined) return MISSING;
    const own = {
      kind: wanted.vxlan === undefined ? "macvlan" : "vxlan",
      state: "up",
      parent: parentOf(kernel, wanted),
    };
    const { mac, mtu, txqlen } = wanted;
    return judged(
      Object.entries({ ...own, mac, mtu, txqlen, ...wanted.vxlan }).map(([property, value]) => [
        property,
        value === undefined ? undefined : show(value),
        show(propertyOf(found, property)),
      ]),
    );
  },
  create(kernels, { name, in: place, on, vxlan, mac, mtu, txqlen, initial }) {
    return {
      kernel: kernels.node,
      request: newLink({
        name,
        flags: IFF_UP,
        change: IFF_UP,
        mac,
        mtu: mtu ?? initial?.mtu,
        txqlen,
        netnsFd: place === "container" ? kernelOf(kernels, place).netns.fd : undefined,
        link: on === undefined ? undefined : needIndex(kernels.node, on),
        info: vxlan === undefined
          ? { kind: "macvlan", macvlan: { mode: MACVLAN_MODE_BRIDGE } }
          : { kind: "vxlan", vxlan: { ...vxlan, link: vxlan.link ?? initial?.link } },
      }),
    };
  },
  remove(kernel, { name, index }) {
    const found = kernel.link(index ?? name)?.index;
    return found === undefined ? undefined : { kernel, request: delLink(name, found), gone: [ENODEV] };
  },
};

/** The index of the parent. If the wanted parent is missing, a link on any other parent differs. */
function parentOf(kernel: Kernel, { on, in: place }: LinkObject): string | number | undefined {
  if (on === undefined || place === "container") return on?.index;
  return indexOf(kernel, on) ?? `link "${on.name}"`;
}

function propertyOf({ info, flags = 0, link, ...rest }: Link, property: string): unknown {
  if (property === "kind") return info?.kind;
  if (property === "state") return (flags & IFF_UP) === 0 ? "down" : "up";
  if (property === "parent") return link;
  return ["mac", "mtu", "txqlen"].includes(property)
    ? Reflect.get(rest, property)
    : Reflect.get(info?.vxlan ?? {}, property);
}

/** A value as an operator would write it. */
function show(value: unknown): string {
  if (typeof value === "object" && value !== null) {
    if ("version" in value && "value" in value) return formatIp(value as Ip);
    return Object.entries(value).map(([key, inner]) => `${key} ${inner}`).join(" ");
  }
  return value === undefined ? "nothing" : String(value);
}
