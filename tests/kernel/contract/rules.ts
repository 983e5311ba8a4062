/** Policy rules. */
import { delRule, newRule } from "../../../src/netlink/rule.ts";
import { cidr } from "../../lib/parsed.ts";
import type { Scenarios } from "./scenarios.ts";

const both = (text: string) => ({ from: cidr(text), to: cidr(text) });

export const RULES: Scenarios = {
  "rules are there once, and go one by one": (side) => {
    for (const prefix of [both("10.97.1.0/24"), both("fd00:97::/64")]) {
      const rule = { ...prefix, table: 192, priority: 32765 };
      side.tell(newRule(rule), newRule(rule), newRule({ ...rule, table: 70000 }), newRule({ ...rule, priority: 5 }));
      side.showAll();
      side.tell(delRule({ ...rule, priority: 6 }), delRule({ ...rule, table: 193 }), delRule(rule), delRule(rule));
    }
    side.showAll();
  },
  "rules of other prefixes are others": (side) => {
    const rule = { table: 192, priority: 32765 };
    const [one, other] = [cidr("10.97.1.0/24"), cidr("10.97.1.0/25")];
    side.tell(newRule({ ...rule, from: one, to: one }), newRule({ ...rule, from: one, to: other }));
    side.tell(delRule({ ...rule, from: other, to: other }), delRule({ ...rule, from: other, to: one }));
    side.tell(delRule({ ...rule, from: one, to: other }));
    side.showAll();
  },
};
