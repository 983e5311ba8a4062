/** Section 4: what an interface plugin owes to the IPAM plugin it delegates to. */
import { failed, isObject, succeeded, told } from "./answer.ts";
import { demand } from "./demand.ts";
import { type Clause, must, type Rule, section, should } from "./rule.ts";
import { since, type Version, VERSIONS } from "./version.ts";
import { collect } from "./rules_gc.ts";
import type { Attachment, CallOptions, Subject } from "./subject.ts";

const ARGS = "IgnoreUnknown=1;K8S_POD_NAME=web-0";

const DELEGATING = { for: "interface", needs: "delegate" } as const;

export const delegationRules: readonly Rule[] = [
  ...section("4 Plugin Delegation", DELEGATING, [
    delegates("ADD", VERSIONS, (_, attachment) => Promise.resolve(attachment)),
    delegates("DEL", VERSIONS, async (subject, attachment, options) => {
      succeeded(await subject.later("DEL", attachment, options));
    }),
    delegates("CHECK", since("0.4.0"), async (subject, attachment, options) => {
      succeeded(await subject.later("CHECK", attachment, options));
    }),
    delegates("STATUS", since("1.1.0"), async (subject, _, options) => {
      succeeded(await subject.call("STATUS", options));
    }),
    must("GC is delegated with the list of valid attachments", { versions: since("1.1.0") }, async (subject) => {
      await subject.alone();
      const attachment = await subject.attach({ delegate: true });
      const list = [{ containerID: attachment.id, ifname: attachment.ifname }];
      succeeded(await subject.call("GC", { delegate: true, config: { "cni.dev/valid-attachments": list } }));
      const calls = await subject.delegate?.calls("GC") ?? [];
      demand(calls.length > 0, "GC did not reach the delegate");
      const seen = calls.map((call) => JSON.stringify(call.stdin["cni.dev/valid-attachments"]));
      demand(seen.some((one) => one?.includes(attachment.id) ?? false), `the delegate got ${seen}`);
      succeeded(await collect(subject, [attachment]));
    }),
    should("the delegate's standard error is passed on", async (subject) => {
      const answer = await subject.add(await subject.container(), { delegate: true });
      demand(
        answer.stderr.includes(subject.delegate?.said ?? "nothing"),
        `standard error: ${JSON.stringify(answer.stderr.slice(0, 120))}`,
      );
    }),
    must("an error of the delegate's ADD is passed on", async (subject) => {
      await subject.delegate?.failOn("ADD", error(subject));
      const answer = await subject.add(await subject.container(), { delegate: true, what: "with a failing delegate" });
      failed(answer);
      demand(answer.stdout.includes("delegate says no"), `${told(answer)}; the delegate's words are missing`);
    }),
    should("DEL is delegated when the delegate's ADD fails", async (subject) => {
      await subject.delegate?.failOn("ADD", error(subject));
      const attachment = await subject.container();
      failed(await subject.add(attachment, { delegate: true }));
      const released = (await subject.delegate?.calls("DEL") ?? []).map(({ env }) => env["CNI_CONTAINERID"]);
      demand(released.includes(attachment.id), `DEL did not reach the delegate for this container; for: [${released}]`);
    }),
    should("DEL is delegated when ADD fails after the delegate's success", async (subject) => {
      const attachment = await subject.container();
      // An interface of this name makes ADD fail in any case; what was reserved until then must be released.
      await subject.host.must(["ip", "-n", attachment.netns, "link", "add", attachment.ifname, "type", "bridge"]);
      failed(await subject.add(attachment, { delegate: true }));
      const key = ({ env }: { env: Record<string, string> }) => `${env["CNI_CONTAINERID"]}/${env["CNI_IFNAME"]}`;
      const released = (await subject.delegate?.calls("DEL") ?? []).map(key);
      const kept = (await subject.delegate?.calls("ADD") ?? []).map(key).filter((one) => !released.includes(one));
      demand(kept.length === 0, `not released: ${kept}`);
    }),
    passesOn(must, "DEL", VERSIONS),
    passesOn(should, "CHECK", since("0.4.0")),
    should("an error of the delegate's GC is passed on", { versions: since("1.1.0") }, async (subject) => {
      await subject.alone();
      await subject.delegate?.failOn("GC", error(subject));
      const answer = await subject.call("GC", { delegate: true, config: { "cni.dev/valid-attachments": [] } });
      failed(answer);
    }),
    should("the delegate is searched in every directory of CNI_PATH", async (subject) => {
      const CNI_PATH = ["/nonexistent", "/run", subject.cniPath()].join(":");
      const attachment = await subject.attach({ env: { CNI_PATH }, what: "with a longer CNI_PATH" });
      succeeded(await subject.later("DEL", attachment, { env: { CNI_PATH } }));
    }),
    must("ADD fails when the delegate is not found", async (subject) => {
      const config = { ipam: { type: "no-such-plugin" } };
      failed(await subject.add(await subject.container(), { config, what: "without IPAM plugin" }));
    }),
  ]),
  ...section("1 Plugin configuration objects", DELEGATING, [
    must("an ipam.type with characters of a path is refused", { versions: since("1.0.0") }, async (subject) => {
      const attachment = await subject.container();
      const { ipam } = subject.config();
      const type = isObject(ipam) ? ipam["type"] : "";
      for (
        const wrong of [`../${subject.cniPath().split("/").at(-1)}/${type}`, `./${type}`, `/bin/${type}`, "..", ""]
      ) {
        const config = { ipam: { ...(isObject(ipam) ? ipam : {}), type: wrong } };
        failed(await subject.add(attachment, { config, what: `with ipam.type ${JSON.stringify(wrong)}` }));
      }
    }),
  ]),
];

function error(subject: Subject) {
  return { cniVersion: subject.version, code: 111, msg: "delegate says no", details: "as it was told" };
}

/** What the delegate says when it fails reaches the runtime. */
function passesOn(level: typeof must, verb: "DEL" | "CHECK", versions: readonly Version[]): Clause {
  return level(`an error of the delegate's ${verb} is passed on`, { versions }, async (subject) => {
    const attachment = await subject.attach({ delegate: true });
    await subject.delegate?.failOn(verb, error(subject));
    const answer = await subject.later(verb, attachment, { delegate: true, what: "with a failing delegate" });
    failed(answer);
    demand(answer.stdout.includes("delegate says no"), `${told(answer)}; the delegate's words are missing`);
  });
}

/** The verb reaches the delegate, with the environment and the complete config the plugin got itself. */
function delegates(
  verb: string,
  versions: readonly Version[],
  act: (subject: Subject, attachment: Attachment, options: CallOptions) => Promise<unknown>,
): Clause {
  return must(
    `${verb} is delegated with the same environment and the complete config`,
    { versions },
    async (subject) => {
      const options = { delegate: true, env: { CNI_ARGS: ARGS }, config: { args: { mark: "complete" } } };
      const attachment = await subject.attach(options);
      await act(subject, attachment, options);
      const calls = await subject.delegate?.calls(verb) ?? [];
      demand(calls.length > 0, `${verb} did not reach the delegate`);
      const wanted: Record<string, string> = verb === "STATUS" ? {} : {
        CNI_CONTAINERID: attachment.id,
        CNI_NETNS: attachment.path,
        CNI_IFNAME: attachment.ifname,
      };
      const own = calls.find(({ env }) => Object.entries(wanted).every(([key, value]) => env[key] === value));
      demand(own !== undefined, `no call had ${JSON.stringify(wanted)}`);
      demand(own.env["CNI_PATH"] === subject.cniPath(true), `CNI_PATH was ${own.env["CNI_PATH"]}`);
      const missing = ARGS.split(";").filter((pair) => !own.env["CNI_ARGS"]?.split(";").includes(pair));
      demand(missing.length === 0, `CNI_ARGS was ${own.env["CNI_ARGS"]}`);
      for (const key of ["cniVersion", "name", "type", "args"]) {
        const seen = JSON.stringify(own.stdin[key]);
        const given = JSON.stringify(subject.config(options.config)[key]);
        demand(seen === given, `${key} was ${seen}, not ${given}`);
      }
    },
  );
}
