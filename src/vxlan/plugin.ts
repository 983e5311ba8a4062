/** The main plugin `vxlan`: one kernel vxlan device for each network, one macvlan for each container. */
import { byVerb, type Plugin } from "../cni/plugin.ts";
import type { Node } from "../state/node.ts";
import { add } from "./add.ts";
import { type BuiltIn, type Call, openCall } from "./call.ts";
import { check } from "./check.ts";
import { gc } from "./gc.ts";
import { del } from "./release.ts";
import { status } from "./status.ts";

export function vxlan(node: Node, builtIn: BuiltIn): Plugin {
  const on = <T>(verb: (call: Call) => Promise<T>) => (invocation: Call["invocation"]) =>
    verb(openCall(node, builtIn, invocation));
  return byVerb({ ADD: on(add), DEL: on(del), CHECK: on(check), STATUS: on(status), GC: on(gc) });
}
