/** The verb VERSION, and what versions mean for every other verb. */
import { failed, isObject, type JsonObject, succeeded, told } from "./answer.ts";
import { demand } from "./demand.ts";
import { must, type Rule, section, should } from "./rule.ts";
import { before, reaches, since, type Version } from "./version.ts";
import type { Subject } from "./subject.ts";

const SEMVER = /^\d+\.\d+\.\d+$/;

export const versionRules: readonly Rule[] = [
  ...section("5 Version", { for: "both" }, [
    must("VERSION prints cniVersion and supportedVersions", async (subject) => {
      return await versions(subject, {});
    }),
    must("VERSION echoes the cniVersion of its input", { versions: since("1.0.0") }, async (subject) => {
      const answer = succeeded(await subject.call("VERSION"));
      const said = isObject(answer.json) ? answer.json["cniVersion"] : undefined;
      demand(said === subject.version, `cniVersion is ${said}, the input's was ${subject.version}`);
    }),
  ]),
  ...section("2 VERSION", { for: "both" }, [
    must("VERSION needs no other variable than CNI_COMMAND", async (subject) => {
      await versions(subject, { env: { CNI_PATH: undefined }, what: "with nothing else set" });
    }),
    must("VERSION ignores variables that mean nothing to it", async (subject) => {
      const env = { CNI_PATH: "dummy", CNI_NETNS: "dummy", CNI_IFNAME: "dummy", CNI_CONTAINERID: "" };
      await versions(subject, { env, what: "with dummy values" });
    }),
    should("VERSION answers with empty standard input", async (subject) => {
      await versions(subject, { stdin: "", what: "with empty input" });
    }),
    should("VERSION does not wait for the end of standard input", async (subject) => {
      // A pipe this process holds open for reading and writing never ends; once empty, once with the input in it.
      for (const text of ["", `{"cniVersion":"${subject.version}"}`]) {
        const script =
          `pipe=$(mktemp -u); mkfifo $pipe; exec 3<>$pipe; rm $pipe; printf %s '${text}' >&3; exec "$0" <&3`;
        const what = `with input left open after ${text.length} bytes`;
        await versions(subject, { through: ["sh", "-c", script], timeout: 5_000, what });
      }
    }),
  ]),
  ...section("Version", { for: "both" }, [
    should("all released versions are supported", async (subject) => {
      const supported = await subject.supportedVersions();
      demand(supported.includes(subject.version), `supported: ${supported.join(", ")}`);
    }),
  ]),
  ...section("5 Error", { for: "both" }, [
    ...["ADD", "DEL"].map((verb) =>
      must(`${verb} with an unknown cniVersion fails with code 1`, async (subject) => {
        const attachment = await subject.container();
        for (const cniVersion of ["99.0.0", "0.0.1"]) {
          const what = `in version ${cniVersion}`;
          failed(await subject.call(verb, { attachment, config: { cniVersion }, what }), 1);
        }
      })
    ),
    should("a cniVersion that is no version fails with code 1 or 6", async (subject) => {
      const attachment = await subject.container();
      for (const cniVersion of ["newest", "1", "1.0.0.0", 1]) {
        const what = `in version ${JSON.stringify(cniVersion)}`;
        failed(await subject.call("ADD", { attachment, config: { cniVersion }, what }), 1, 6);
      }
    }),
  ]),
  ...unknownBefore("CHECK", "0.4.0"),
  ...unknownBefore("GC", "1.1.0"),
  ...unknownBefore("STATUS", "1.1.0"),
];

/** A verb the version of the config does not know: incompatible version (1), or unknown command (4). */
function unknownBefore(verb: "CHECK" | "GC" | "STATUS", version: Version): Rule[] {
  return section(`2 ${verb}`, { for: "both", versions: before(version) }, [
    should(`${verb} is refused in versions that do not know it`, async (subject) => {
      const attachment = await subject.shared();
      const config: JsonObject = verb === "GC"
        ? { "cni.dev/valid-attachments": [] }
        : { prevResult: attachment.result ?? {} };
      failed(await subject.call(verb, { attachment, config }), 1, 4);
    }),
  ]);
}

async function versions(subject: Subject, options: Parameters<Subject["call"]>[1]): Promise<string> {
  const answer = succeeded(await subject.call("VERSION", options));
  const output = isObject(answer.json) ? answer.json : {};
  const { cniVersion, supportedVersions } = output;
  demand(typeof cniVersion === "string" && SEMVER.test(cniVersion), `${told(answer)}; no cniVersion`);
  demand(
    Array.isArray(supportedVersions) && supportedVersions.length > 0 &&
      supportedVersions.every((version) => typeof version === "string" && SEMVER.test(version)),
    `${told(answer)}; no list of supportedVersions`,
  );
  demand(
    !reaches(subject.version, "1.0.0") || supportedVersions.includes(cniVersion),
    `${cniVersion} is not in the list`,
  );
  return supportedVersions.join(" ");
}
