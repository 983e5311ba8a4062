/** Settings of a device, below /proc/sys/net/ipv4/conf and /proc/sys/net/ipv6/conf. */
import type { Kernel } from "../netlink/kernel.ts";
import { judged, kernelOf, type Kind, MISSING, type Place, PRESENT } from "./kind.ts";

/** It goes with its device, so it has no inverse. */
export interface SysctlObject {
  kind: "sysctl";
  in: Place;
  family: "ipv4" | "ipv6";
  device: string;
  /** E.g. `accept_ra`. */
  name: string;
  value: string;
}

export const sysctlKind: Kind<SysctlObject> = {
  stage: 0.5,
  describe: ({ family, device, name }) => `sysctl net.${family}.conf.${device}.${name}`,
  inspect(kernel, { family, device, name, value }) {
    const found = kernel.netns.sysctl(keyOf(family, device, name));
    if (found !== undefined) return judged([["value", value, found]]);
    return isKnown(kernel, family, name) ? MISSING : PRESENT;
  },
  create(kernels, { in: place, family, device, name, value }) {
    const kernel = kernelOf(kernels, place);
    return {
      act() {
        if (isKnown(kernel, family, name)) kernel.netns.setSysctl(keyOf(family, device, name), value);
      },
    };
  },
  remove: () => undefined,
};

/** A kernel that does not have the setting (IPv6 is switched off) is as wanted. */
function isKnown(kernel: Kernel, family: string, name: string): boolean {
  return kernel.netns.sysctl(keyOf(family, "all", name)) !== undefined;
}

function keyOf(family: string, device: string, name: string): string {
  return `${family}/conf/${device}/${name}`;
}
