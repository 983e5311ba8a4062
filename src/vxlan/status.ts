/** STATUS: ready for ADD? */
import { CniError, Code } from "../cni/error.ts";
import { reason } from "../text.ts";
import type { Call } from "./call.ts";
import { readConfig } from "./config.ts";
import { vtepDevice } from "./facts.ts";
import { callIpam } from "./ipam.ts";
import { macvlanName } from "./topology.ts";

/** Throws CniError (50) when a device of the underlay is missing, or what IPAM throws. */
export async function status(call: Call): Promise<undefined> {
  const { kernel, invocation } = call;
  for (const network of readConfig(invocation.config.raw).networks) {
    try {
      vtepDevice(kernel, network);
    } catch (error) {
      throw new CniError(Code.notAvailable, reason(error));
    }
    await callIpam(call, { verb: "STATUS", from: network, linkIndex: kernel.link(macvlanName(network))?.index });
  }
}
