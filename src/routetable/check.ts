/** Is a claim there, and is it ours alone? */
import { CniError, Code } from "../cni/error.ts";
import type { Invocation } from "../cni/invocation.ts";
import { formatIp, hostPrefix, type Ip } from "../ip.ts";
import type { Rtnetlink } from "../netlink/rtnetlink.ts";
import type { Netns, World } from "../world.ts";
import type { ClaimConfig } from "./config.ts";
import type { Device } from "./window.ts";

export interface Checked {
  world: World;
  kernel: Rtnetlink;
  host: Netns;
  device: Device;
  config: ClaimConfig;
  ip: Ip;
  invocation: Invocation;
}

/** Throws CniError (105) when the claim's route is gone or leads elsewhere. */
export function checkClaim({ kernel, device, ip }: Checked): Promise<void> {
  const found = kernel.lookup(ip);
  if (found?.length !== hostPrefix(ip).length) {
    throw new CniError(
      Code.checkFailed,
      `Cannot find the claim of ${formatIp(ip)}: its host route on "${device.name}" is missing`,
    );
  }
  if (found.oif !== device.index && found.table !== 255) {
    throw new CniError(
      Code.checkFailed,
      `Cannot confirm the claim of ${formatIp(ip)}: another node's route to it is preferred`,
    );
  }
  return Promise.resolve();
}
