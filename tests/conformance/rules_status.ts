/** Section 2 STATUS (1.1.0): whether the plugin could serve an ADD. */
import { failed, silent, succeeded } from "./answer.ts";
import { type Rule, since } from "./rule.ts";
import { leavesHost } from "./rules_add.ts";

const VERSIONS_WITH_STATUS = since("1.1.0");

export const statusRules: readonly Rule[] = [
  {
    name: "STATUS succeeds when the plugin is ready and prints nothing",
    section: "2 STATUS",
    level: "MUST",
    for: "both",
    versions: VERSIONS_WITH_STATUS,
    async check(subject) {
      await subject.alone();
      silent(await subject.call("STATUS", { what: "before any ADD" }));
      await subject.shared();
      silent(await subject.call("STATUS", { what: "after an ADD" }));
    },
  },
  {
    name: "STATUS changes nothing",
    section: "2 STATUS",
    level: "MUST",
    for: "both",
    versions: VERSIONS_WITH_STATUS,
    async check(subject) {
      await subject.alone();
      await leavesHost(subject, async () => succeeded(await subject.call("STATUS")));
    },
  },
  {
    name: "STATUS fails for a config with which ADD would fail",
    section: "2 STATUS",
    level: "MUST",
    for: "both",
    versions: VERSIONS_WITH_STATUS,
    async check(subject) {
      failed(await subject.call("STATUS", { config: { name: "" }, what: "without a network name" }));
      failed(await subject.call("STATUS", { stdin: "{", what: "of undecodable input" }), 6);
    },
  },
  {
    name: "STATUS fails when the delegated plugin is missing",
    section: "2 STATUS",
    level: "MUST",
    for: "interface",
    versions: VERSIONS_WITH_STATUS,
    needs: "delegate",
    async check(subject) {
      failed(
        await subject.call("STATUS", { config: { ipam: { type: "no-such-plugin" } }, what: "without IPAM plugin" }),
      );
    },
  },
  {
    name: "STATUS passes the error of the delegated plugin on, ADD works nevertheless",
    section: "2 STATUS",
    level: "MUST",
    for: "interface",
    versions: VERSIONS_WITH_STATUS,
    needs: "delegate",
    async check(subject) {
      await subject.delegate?.failOn("STATUS", { cniVersion: subject.version, code: 50, msg: "not available" });
      failed(await subject.call("STATUS", { delegate: true, what: "with a delegate that is not available" }), 50);
      await subject.attach({ delegate: true });
    },
  },
];
