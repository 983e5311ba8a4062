/** Section 2 STATUS (1.1.0): whether the plugin could serve an ADD. */
import { failed, silent, succeeded } from "./answer.ts";
import { must, section } from "./rule.ts";
import { since } from "./version.ts";
import { leavesHost } from "./rules_add.ts";

const DELEGATING = { for: "interface", needs: "delegate" } as const;

export const statusRules = section("2 STATUS", { for: "both", versions: since("1.1.0") }, [
  must("STATUS succeeds when the plugin is ready and prints nothing", async (subject) => {
    await subject.alone();
    silent(await subject.call("STATUS", { what: "before any ADD" }));
    await subject.shared();
    silent(await subject.call("STATUS", { what: "after an ADD" }));
  }),
  must("STATUS changes nothing", async (subject) => {
    await subject.alone();
    await leavesHost(subject, async () => succeeded(await subject.call("STATUS")));
  }),
  must("STATUS fails for a config with which ADD would fail", async (subject) => {
    failed(await subject.call("STATUS", { config: { name: "" }, what: "without a network name" }));
    failed(await subject.call("STATUS", { stdin: "{", what: "of undecodable input" }), 6);
  }),
  must("STATUS fails when the delegated plugin is missing", DELEGATING, async (subject) => {
    failed(
      await subject.call("STATUS", { config: { ipam: { type: "no-such-plugin" } }, what: "without IPAM plugin" }),
    );
  }),
  must("STATUS passes the error of the delegated plugin on, ADD works nevertheless", DELEGATING, async (subject) => {
    await subject.delegate?.failOn("STATUS", { cniVersion: subject.version, code: 50, msg: "not available" });
    failed(await subject.call("STATUS", { delegate: true, what: "with a delegate that is not available" }), 50);
    await subject.attach({ delegate: true });
  }),
]);
