/** Policy rules of the fake kernel, in the order in which they are asked. */
import type { RuleMessage } from "../../src/netlink/rule.ts";
import { IPV4, no, type Space } from "./space.ts";

function sameRule(a: RuleMessage, b: RuleMessage): boolean {
  const key = ({ family, priority, table, from, to, fromLength, toLength }: RuleMessage) =>
    [family, priority, table, from?.value, to?.value, fromLength, toLength].join();
  return key(a) === key(b);
}

export function newRule(space: Space, rule: RuleMessage): void {
  if (space.rules.some((one) => sameRule(one, rule))) throw no(17);
  if (rule.family === IPV4) space.split = true;
  space.rules = [...space.rules, rule].sort((a, b) => (a.priority ?? 0) - (b.priority ?? 0));
}

export function removeRule(space: Space, rule: RuleMessage): void {
  if (!space.rules.some((one) => sameRule(one, rule))) throw no(2);
  space.rules = space.rules.filter((one) => !sameRule(one, rule));
}
