/** Sections 2 Errors and 5 Error: exit codes, the error object, and the reserved codes that can be provoked. */
import { type Answer, failed, type Json, succeeded, told } from "./answer.ts";
import { demand, type Rule, since, VERSIONS } from "./rule.ts";
import type { Subject } from "./subject.ts";

/** Ways to make any plugin fail, with what to call. */
const FAILURES: readonly [string, (subject: Subject) => Promise<Answer>][] = [
  [
    "undecodable input",
    async (subject) =>
      await subject.call("ADD", { attachment: await subject.container(), stdin: "{", what: "of undecodable input" }),
  ],
  ["missing variables", async (subject) => await subject.call("ADD", { what: "without variables" })],
  ["unknown version", async (subject) =>
    await subject.call("ADD", {
      attachment: await subject.container(),
      config: { cniVersion: "99.0.0" },
      what: "of an unknown version",
    })],
  ["missing network name", async (subject) => await withoutName(subject)],
];

export const errorRules: readonly Rule[] = [
  {
    name: "failure exits non-zero",
    section: "2 Errors",
    level: "MUST",
    for: "both",
    versions: VERSIONS,
    async check(subject) {
      for (const [, provoke] of FAILURES) failed(await provoke(subject));
    },
  },
  {
    name: "failure prints an error object with code and msg",
    section: "5 Error",
    level: "SHOULD",
    for: "both",
    versions: VERSIONS,
    async check(subject) {
      for (const [, provoke] of FAILURES) {
        const answer = await provoke(subject);
        const { code, msg, details } = failed(answer);
        demand(typeof code === "number" && Number.isInteger(code) && code > 0, `${told(answer)}; no code`);
        demand(typeof msg === "string" && msg !== "", `${told(answer)}; no msg`);
        demand(details === undefined || typeof details === "string", `${told(answer)}; details is no text`);
      }
    },
  },
  {
    name: "the error object carries the cniVersion of the config",
    section: "5 Error",
    level: "SHOULD",
    for: "both",
    versions: VERSIONS,
    async check(subject) {
      const answer = await withoutName(subject);
      const { cniVersion } = failed(answer);
      demand(cniVersion === subject.version, `${told(answer)}; cniVersion is ${cniVersion}`);
    },
  },
  {
    name: "the error object has a cniVersion also where the input has none",
    section: "5 Error",
    level: "SHOULD",
    for: "both",
    versions: VERSIONS,
    async check(subject) {
      const answer = await subject.call("ADD", { attachment: await subject.container(), stdin: "" });
      const { cniVersion } = failed(answer);
      demand(typeof cniVersion === "string" && cniVersion !== "", `${told(answer)}; no cniVersion`);
    },
  },
  ...["ADD", "DEL"].map((verb): Rule => ({
    name: `${verb} of input that is not JSON fails with code 6`,
    section: "5 Error",
    level: "MUST",
    for: "both",
    versions: VERSIONS,
    async check(subject) {
      const attachment = await subject.container();
      const good = JSON.stringify(subject.config());
      for (const stdin of ["", " ", "{", "no JSON", good.slice(0, -1), good.slice(0, 20), `${good}}`]) {
        failed(await subject.call(verb, { attachment, stdin, what: `of ${JSON.stringify(stdin.slice(0, 24))}` }), 6);
      }
    },
  })),
  {
    name: "input that is JSON but no object fails with code 6 or 7",
    section: "5 Error",
    level: "SHOULD",
    for: "both",
    versions: VERSIONS,
    async check(subject) {
      const attachment = await subject.container();
      for (const stdin of ["[]", "null", "1", '"text"', "true"]) {
        const answer = await subject.call("ADD", { attachment, stdin, what: `of ${stdin}` });
        failed(answer, 6, 7);
      }
    },
  },
  {
    name: "input that cannot be read fails with code 5",
    section: "5 Error",
    level: "SHOULD",
    for: "both",
    versions: VERSIONS,
    async check(subject) {
      const attachment = await subject.container();
      const through = ["sh", "-c", 'exec "$0" < /'];
      failed(await subject.call("ADD", { attachment, through, what: "with a directory as standard input" }), 5);
    },
  },
  {
    name: "a config without network name fails with code 7",
    section: "1 Configuration format",
    level: "MUST",
    for: "both",
    versions: VERSIONS,
    async check(subject) {
      failed(await withoutName(subject), 7);
    },
  },
  {
    name: "an invalid network name fails with code 7",
    section: "1 Configuration format",
    level: "MUST",
    for: "both",
    versions: since("0.4.0"),
    async check(subject) {
      const attachment = await subject.container();
      for (const name of ["", "-a", ".a", "a/b", "a b", "../a", "\u00e4"]) {
        const what = `of network ${JSON.stringify(name)}`;
        failed(await subject.call("ADD", { attachment, config: { name }, what }), 7);
      }
    },
  },
  {
    name: "a well-known key of a wrong type fails with code 6 or 7",
    section: "5 Error",
    level: "SHOULD",
    for: "both",
    versions: VERSIONS,
    async check(subject) {
      const attachment = await subject.container();
      const wrong: [string, Json][] = [["name", 1], ["ipam", "text"], ["ipam", []]];
      if (subject.spec.kind === "interface") wrong.push(["dns", "text"]);
      for (const [key, value] of wrong) {
        const what = `with ${key} ${JSON.stringify(value)}`;
        failed(await subject.call("ADD", { attachment, config: { [key]: value }, what }), 6, 7);
      }
    },
  },
  {
    name: "a plugin works after it was called wrongly",
    section: "2 Errors",
    level: "SHOULD",
    for: "both",
    versions: VERSIONS,
    async check(subject) {
      const attachment = await subject.container();
      failed(await subject.call("ADD", { attachment, stdin: "{" }));
      succeeded(await subject.add(attachment));
    },
  },
];

async function withoutName(subject: Subject): Promise<Answer> {
  const { name: _, ...config } = subject.config();
  const attachment = await subject.container();
  return await subject.call("ADD", { attachment, stdin: JSON.stringify(config), what: "without a network name" });
}
