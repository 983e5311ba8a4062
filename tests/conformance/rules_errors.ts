/** Sections 2 Errors and 5 Error: exit codes, the error object, and the reserved codes that can be provoked. */
import { type Answer, failed, type Json, succeeded, told } from "./answer.ts";
import { demand } from "./demand.ts";
import { must, type Rule, section, should } from "./rule.ts";
import { since } from "./version.ts";
import type { Subject } from "./subject.ts";

/** Ways to make any plugin fail, with what to call. */
const FAILURES: readonly ((subject: Subject) => Promise<Answer>)[] = [
  async (subject) =>
    await subject.call("ADD", { attachment: await subject.container(), stdin: "{", what: "of undecodable input" }),
  (subject) => subject.call("ADD", { what: "without variables" }),
  async (subject) =>
    await subject.call("ADD", {
      attachment: await subject.container(),
      config: { cniVersion: "99.0.0" },
      what: "of an unknown version",
    }),
  withoutName,
];

export const errorRules: readonly Rule[] = [
  ...section("2 Errors", { for: "both" }, [
    must("failure exits non-zero", async (subject) => {
      for (const provoke of FAILURES) failed(await provoke(subject));
    }),
  ]),
  ...section("5 Error", { for: "both" }, [
    should("failure prints an error object with code and msg", async (subject) => {
      for (const provoke of FAILURES) {
        const answer = await provoke(subject);
        const { code, msg, details } = failed(answer);
        demand(typeof code === "number" && Number.isInteger(code) && code > 0, `${told(answer)}; no code`);
        demand(typeof msg === "string" && msg !== "", `${told(answer)}; no msg`);
        demand(details === undefined || typeof details === "string", `${told(answer)}; details is no text`);
      }
    }),
    should("the error object carries the cniVersion of the config", async (subject) => {
      const answer = await withoutName(subject);
      const { cniVersion } = failed(answer);
      demand(cniVersion === subject.version, `${told(answer)}; cniVersion is ${cniVersion}`);
    }),
    should("the error object has a cniVersion also where the input has none", async (subject) => {
      const answer = await subject.call("ADD", { attachment: await subject.container(), stdin: "" });
      const { cniVersion } = failed(answer);
      demand(typeof cniVersion === "string" && cniVersion !== "", `${told(answer)}; no cniVersion`);
    }),
    ...["ADD", "DEL"].map((verb) =>
      must(`${verb} of input that is not JSON fails with code 6`, async (subject) => {
        const attachment = await subject.container();
        const good = JSON.stringify(subject.config());
        for (const stdin of ["", " ", "{", "no JSON", good.slice(0, -1), good.slice(0, 20), `${good}}`]) {
          const what = `of ${JSON.stringify(stdin.slice(0, 24))}`;
          failed(await subject.call(verb, { attachment, stdin, what }), 6);
        }
      })
    ),
    should("input that is JSON but no object fails with code 6 or 7", async (subject) => {
      const attachment = await subject.container();
      for (const stdin of ["[]", "null", "1", '"text"', "true"]) {
        const answer = await subject.call("ADD", { attachment, stdin, what: `of ${stdin}` });
        failed(answer, 6, 7);
      }
    }),
    should("input that cannot be read fails with code 5", async (subject) => {
      const attachment = await subject.container();
      const through = ["sh", "-c", 'exec "$0" < /'];
      failed(await subject.call("ADD", { attachment, through, what: "with a directory as standard input" }), 5);
    }),
  ]),
  ...section("1 Configuration format", { for: "both" }, [
    must("a config without network name fails with code 7", async (subject) => {
      failed(await withoutName(subject), 7);
    }),
    must("an invalid network name fails with code 7", { versions: since("0.4.0") }, async (subject) => {
      const attachment = await subject.container();
      for (const name of ["", "-a", ".a", "a/b", "a b", "../a", "\u00e4"]) {
        const what = `of network ${JSON.stringify(name)}`;
        failed(await subject.call("ADD", { attachment, config: { name }, what }), 7);
      }
    }),
  ]),
  ...section("5 Error", { for: "both" }, [
    should("a well-known key of a wrong type fails with code 6 or 7", async (subject) => {
      const attachment = await subject.container();
      const wrong: [string, Json][] = [["name", 1], ["ipam", "text"], ["ipam", []]];
      if (subject.spec.kind === "interface") wrong.push(["dns", "text"]);
      for (const [key, value] of wrong) {
        const what = `with ${key} ${JSON.stringify(value)}`;
        failed(await subject.call("ADD", { attachment, config: { [key]: value }, what }), 6, 7);
      }
    }),
  ]),
  ...section("2 Errors", { for: "both" }, [
    should("a plugin works after it was called wrongly", async (subject) => {
      const attachment = await subject.container();
      failed(await subject.call("ADD", { attachment, stdin: "{" }));
      succeeded(await subject.add(attachment));
    }),
  ]),
];

async function withoutName(subject: Subject): Promise<Answer> {
  const { name: _, ...config } = subject.config();
  const attachment = await subject.container();
  return await subject.call("ADD", { attachment, stdin: JSON.stringify(config), what: "without a network name" });
}
