/** Section 2, Parameters: the environment of a call. */
import { failed, isObject, names, succeeded } from "./answer.ts";
import { bare } from "./result.ts";
import { demand } from "./demand.ts";
import { type Clause, must, type Rule, section, should } from "./rule.ts";
import { since, type Version, VERSIONS } from "./version.ts";
import { type Subject, view } from "./subject.ts";

const REQUIRED: readonly { verb: string; versions: readonly Version[]; variables: readonly string[] }[] = [
  { verb: "ADD", versions: VERSIONS, variables: ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"] },
  { verb: "DEL", versions: VERSIONS, variables: ["CNI_CONTAINERID", "CNI_IFNAME"] },
  { verb: "CHECK", versions: since("0.4.0"), variables: ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"] },
  { verb: "GC", versions: since("1.1.0"), variables: ["CNI_PATH"] },
];

/** For each verb: a required variable that is missing or empty is refused with code 4 and named. */
const required = REQUIRED.flatMap(({ verb, versions, variables }) =>
  section(`2 ${verb}`, { for: "both", versions }, [
    must(`${verb} without a required variable fails with code 4 and names it`, async (subject) => {
      const attachment = await subject.container();
      for (const variable of variables) {
        for (const value of [undefined, ""]) {
          const what = value === undefined ? `without ${variable}` : `with empty ${variable}`;
          const answer = await subject.call(verb, { attachment, env: { [variable]: value }, what });
          failed(answer, 4);
          names(answer, [variable]);
        }
      }
      return `refused without ${variables.join(", ")}`;
    }),
  ])
);

const INVALID_IDS = ["-a", ".a", "_a", "a/b", "a b", "a:b", "../a", "\u00e4", "a\n"];
const INVALID_NAMES = ["sixteen-chars-xx", "a/b", "a:b", "a b", "a\tb", ".", ".."];

export const parameterRules: readonly Rule[] = [
  ...required,
  ...section("5 Error", { for: "both" }, [
    should("all missing variables are named in one error", async (subject) => {
      const variables = ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"];
      const answer = await subject.call("ADD", { what: "without any" });
      failed(answer, 4);
      names(answer, variables);
    }),
    must("an unknown CNI_COMMAND fails with code 4 and is named", async (subject) => {
      const attachment = await subject.container();
      const answer = await subject.call("FROB", { attachment });
      failed(answer, 4);
      names(answer, ["CNI_COMMAND"]);
    }),
  ]),
  ...section("2 Parameters", { for: "both" }, [
    invalid("CNI_CONTAINERID", INVALID_IDS),
    invalid("CNI_IFNAME", INVALID_NAMES),
  ]),
  ...section("5 Error", { for: "both" }, [
    naming("CNI_CONTAINERID", INVALID_IDS),
    naming("CNI_IFNAME", INVALID_NAMES),
  ]),
  ...section("2 Parameters", { for: "both" }, [
    must("every container ID the specification allows is accepted", async (subject) => {
      for (const id of ["7", "a.b_c-D", "0123456789abcdef".repeat(4)]) {
        const attachment = { ...await subject.container(), id };
        succeeded(await subject.add(attachment, { what: `of container ${id}` }));
        succeeded(await subject.later("DEL", attachment));
      }
    }),
    must("interface names of 15 characters are accepted", async (subject) => {
      await subject.attach({}, { ifname: "fifteen_chars-x" });
    }),
    must("CNI_NETNS may be the path of a process's namespace", async (subject) => {
      const attachment = await subject.container();
      const [program = "", ...args] = subject.host.inside(attachment.netns, ["cat"]);
      const process = new Deno.Command(program, { args, stdin: "piped", stdout: "piped" }).spawn();
      const writer = process.stdin.getWriter();
      try {
        // What comes back through the pipe shows that it has entered the namespace.
        await writer.write(new TextEncoder().encode("in"));
        const reader = process.stdout.getReader();
        await reader.read();
        reader.releaseLock();
        attachment.path = `/proc/${process.pid}/ns/net`;
        succeeded(await subject.add(attachment));
        const own = view(attachment).interfaces.find((link) => link.sandbox !== "");
        demand(own === undefined || own.sandbox === attachment.path, `sandbox is ${own?.sandbox}`);
        succeeded(await subject.later("DEL", attachment));
      } finally {
        attachment.path = `/run/netns/${attachment.netns}`;
        await writer.close();
        await process.output();
      }
    }),
    ...["", "IgnoreUnknown=1", "IgnoreUnknown=true;K8S_POD_NAME=web-0;K8S_POD_NAMESPACE=default"].map((args) =>
      must(`CNI_ARGS "${args}" is accepted`, async (subject) => {
        const attachment = await subject.attach({ env: { CNI_ARGS: args } });
        succeeded(await subject.later("DEL", attachment, { env: { CNI_ARGS: args } }));
      })
    ),
  ]),
  ...section("2 ADD, DEL", { for: "ipam" }, [
    must("CNI_PATH is optional where nothing is delegated", async (subject) => {
      const attachment = await subject.attach({ env: { CNI_PATH: undefined }, what: "without CNI_PATH" });
      succeeded(await subject.later("DEL", attachment, { env: { CNI_PATH: undefined } }));
    }),
  ]),
  ...section("2 ADD", { for: "both" }, [
    must("success prints one JSON object on standard output", async (subject) => {
      const attachment = await subject.attach();
      demand(isObject(attachment.result), "standard output is no JSON object");
      return view(attachment).ips.map((ip) => bare(ip.address)).join(", ");
    }),
  ]),
];

/** An invalid value is refused, with code 4, before anything is done. */
function invalid(variable: string, values: readonly string[]): Clause {
  return must(`an invalid ${variable} fails with code 4`, async (subject) => {
    await each(subject, variable, values, (answer) => failed(answer, 4));
  });
}

function naming(variable: string, values: readonly string[]): Clause {
  return must(`the error about an invalid ${variable} names the variable`, async (subject) => {
    await each(subject, variable, values.slice(0, 2), (answer) => names(answer, [variable]));
  });
}

async function each(
  subject: Subject,
  variable: string,
  values: readonly string[],
  judge: (answer: Awaited<ReturnType<Subject["call"]>>) => void,
): Promise<void> {
  const attachment = await subject.container();
  for (const value of values) {
    const what = `with ${variable} ${JSON.stringify(value)}`;
    judge(await subject.call("ADD", { attachment, env: { [variable]: value }, what }));
  }
}
