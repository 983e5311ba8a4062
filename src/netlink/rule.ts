/** Policy rules: `struct fib_rule_hdr`, FRA_* (linux/fib_rules.h). */
import { attributes, family, ip, struct, text, u32, u8, type ValueOf } from "../bytes.ts";
import { type Cidr, formatCidr } from "../ip.ts";
import { addressFamily, NLM_F_CREATE, NLM_F_EXCL, type Request, request } from "./message.ts";

export const RTM_RULE = { new: 32, del: 33, get: 34 };
const FR_ACT_TO_TBL = 1;

export const rule = family(
  struct({
    family: u8,
    toLength: u8,
    fromLength: u8,
    tos: u8,
    headerTable: u8,
    reserved1: u8,
    reserved2: u8,
    action: u8,
    flags: u32,
  }),
  attributes({
    to: [1, ip],
    from: [2, ip],
    iif: [3, text],
    priority: [6, u32],
    mark: [10, u32],
    table: [15, u32],
    oif: [17, text],
  }),
);

export type RuleMessage = ValueOf<typeof rule>;

/** "from PREFIX to PREFIX lookup TABLE". */
export interface Rule {
  from: Cidr;
  to: Cidr;
  table: number;
  /** Lower comes first. */
  priority: number;
}

export function newRule(wanted: Rule): Request {
  return request(`add ${described(wanted)}`, rule, {
    type: RTM_RULE.new,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    value: messageOf(wanted),
  });
}

export function delRule(wanted: Rule): Request {
  return request(`delete ${described(wanted)}`, rule, { type: RTM_RULE.del, value: messageOf(wanted) });
}

function described({ from, table }: Rule): string {
  return `rule for ${formatCidr(from)} lookup ${table}`;
}

function messageOf({ from, to, table, priority }: Rule): RuleMessage {
  return {
    family: addressFamily(from.ip.version),
    toLength: to.length,
    fromLength: from.length,
    headerTable: table < 256 ? table : 0,
    action: FR_ACT_TO_TBL,
    to: to.ip,
    from: from.ip,
    priority,
    table,
  };
}
