import assert from "node:assert/strict";
import { formatCidr } from "../../src/ip.ts";
import { delRule, newRule, type Rule } from "../../src/netlink/rule.ts";
import { create, remove } from "../../src/state/apply.ts";
import type { RuleObject } from "../../src/state/rule.ts";
import { cidr } from "../lib/parsed.ts";
import { Room } from "./room.ts";

const both = (text: string) => ({ from: cidr(text), to: cidr(text) });

Deno.test("rules are for ip what they are for us, and the other way round", async () => {
  await using room = await Room.make();
  const cases: [rule: Rule, family: string][] = [
    [{ ...both("10.97.1.0/24"), table: 192, priority: 32765 }, "-4"],
    [{ ...both("10.97.2.0/24"), table: 70000, priority: 100 }, "-4"],
    [{ ...both("fd00:97::/64"), table: 192, priority: 32765 }, "-6"],
    [{ from: cidr("10.97.3.0/24"), to: cidr("10.0.0.0/8"), table: 192, priority: 7 }, "-4"],
  ];
  for (const [rule, family] of cases) {
    const [from, to] = [rule.from, rule.to].map(formatCidr);
    const object: RuleObject = { kind: "rule", in: "node", ...rule };
    const line = `${rule.priority}:\tfrom ${from} to ${to} lookup ${rule.table}\n`;
    const show = () => room.host.must(["ip", family, "rule", "show", "priority", String(rule.priority)]);
    room.kernel.execute(newRule(rule));
    assert.equal((await show()).replace(/ +\n/, "\n"), line);
    assert.equal(room.inspect(object).state, "present");
    assert.throws(() => room.kernel.execute(newRule(rule)), /EEXIST/);
    room.kernel.execute(delRule(rule));
    assert.equal(await show(), "");
    assert.throws(() => room.kernel.execute(delRule(rule)), /ENOENT/);
    await room.ip(`${family} rule add from ${from} to ${to} table ${rule.table} priority ${rule.priority}`);
    assert.equal(room.inspect(object).state, "present");
    assert.equal(room.inspect({ ...object, table: 193 }).state, "missing");
    assert.equal(room.inspect({ ...object, priority: 99 }).state, "missing");
    assert.equal(room.inspect({ ...object, to: { ...rule.to, length: rule.to.length + 1 } }).state, "missing");
    assert.equal(room.inspect({ ...object, from: { ...rule.from, length: rule.from.length - 1 } }).state, "missing");
    remove({ node: room.kernel }, [object]);
    assert.equal(await show(), "");
    remove({ node: room.kernel }, [object]);
    create({ node: room.kernel }, [object], new AsyncDisposableStack());
    assert.equal((await show()).replace(/ +\n/, "\n"), line);
  }
});
