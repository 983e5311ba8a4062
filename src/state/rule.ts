/** Policy rules. */
import { ENOENT } from "../errno.ts";
import { type Cidr, formatCidr, type Ip, sameIp } from "../ip.ts";
import { delRule, newRule, type Rule } from "../netlink/rule.ts";
import { kernelOf, type Kind, MISSING, type Place, PRESENT } from "./kind.ts";

export interface RuleObject extends Rule {
  kind: "rule";
  in: Place;
}

export const ruleKind: Kind<RuleObject> = {
  stage: 2,
  describe({ from, to, table, priority }) {
    const between = formatCidr(from) === formatCidr(to)
      ? `from and to ${formatCidr(from)}`
      : `from ${formatCidr(from)} to ${formatCidr(to)}`;
    return `rule ${priority}: ${between} lookup ${table}`;
  },
  inspect(kernel, { from, to, table, priority }) {
    const found = kernel.rules(from.ip.version).some((rule) =>
      rule.priority === priority && rule.table === table && isPrefix(rule.from, rule.fromLength, from) &&
      isPrefix(rule.to, rule.toLength, to)
    );
    return found ? PRESENT : MISSING;
  },
  create(kernels, rule) {
    return { kernel: kernelOf(kernels, rule.in), request: newRule(rule) };
  },
  remove(kernel, rule) {
    return { kernel, request: delRule(rule), gone: [ENOENT] };
  },
};

function isPrefix(ip: Ip | undefined, length: number | undefined, wanted: Cidr): boolean {
  return ip !== undefined && sameIp(ip, wanted.ip) && length === wanted.length;
}
