/** Everything that a network can be made of: a kind a file, all of them here. */
import { addressKind, type AddressObject } from "./address.ts";
import type { Kind } from "./kind.ts";
import { linkKind, type LinkObject } from "./link.ts";
import { routeKind, type RouteObject } from "./route.ts";
import { ruleKind, type RuleObject } from "./rule.ts";
import { sysctlKind, type SysctlObject } from "./sysctl.ts";

export type NetObject = LinkObject | AddressObject | RouteObject | RuleObject | SysctlObject;

const KINDS: { readonly [K in NetObject["kind"]]: Kind<Extract<NetObject, { kind: K }>> } = {
  link: linkKind,
  address: addressKind,
  route: routeKind,
  rule: ruleKind,
  sysctl: sysctlKind,
};

/** The kind of an object. */
export function kindOf({ kind }: NetObject): Kind<NetObject> {
  return KINDS[kind] as Kind<NetObject>;
}
