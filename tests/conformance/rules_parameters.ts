/** Section 2, Parameters: the environment of a call. */
import { failed, isObject, names, succeeded } from "./answer.ts";
import { bare } from "./result.ts";
import { demand, type Rule, since, type Version, VERSIONS } from "./rule.ts";
import { type Subject, view } from "./subject.ts";

const REQUIRED: readonly { verb: string; versions: readonly Version[]; variables: readonly string[] }[] = [
  { verb: "ADD", versions: VERSIONS, variables: ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"] },
  { verb: "DEL", versions: VERSIONS, variables: ["CNI_CONTAINERID", "CNI_IFNAME"] },
  { verb: "CHECK", versions: since("0.4.0"), variables: ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"] },
  { verb: "GC", versions: since("1.1.0"), variables: ["CNI_PATH"] },
];

/** For each verb: a required variable that is missing or empty is refused with code 4 and named. */
const required: Rule[] = REQUIRED.map(({ verb, versions, variables }) => ({
  name: `${verb} without a required variable fails with code 4 and names it`,
  section: `2 ${verb}`,
  level: "MUST",
  for: "both",
  versions,
  async check(subject) {
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
  },
}));

const INVALID_IDS = ["-a", ".a", "_a", "a/b", "a b", "a:b", "../a", "\u00e4", "a\n"];
const INVALID_NAMES = ["sixteen-chars-xx", "a/b", "a:b", "a b", "a\tb", ".", ".."];

export const parameterRules: readonly Rule[] = [
  ...required,
  {
    name: "all missing variables are named in one error",
    section: "5 Error",
    level: "SHOULD",
    for: "both",
    versions: VERSIONS,
    async check(subject) {
      const variables = ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"];
      const answer = await subject.call("ADD", { what: "without any" });
      failed(answer, 4);
      names(answer, variables);
    },
  },
  {
    name: "an unknown CNI_COMMAND fails with code 4 and is named",
    section: "5 Error",
    level: "MUST",
    for: "both",
    versions: VERSIONS,
    async check(subject) {
      const attachment = await subject.container();
      const answer = await subject.call("FROB", { attachment });
      failed(answer, 4);
      names(answer, ["CNI_COMMAND"]);
    },
  },
  invalid("CNI_CONTAINERID", INVALID_IDS),
  invalid("CNI_IFNAME", INVALID_NAMES),
  naming("CNI_CONTAINERID", INVALID_IDS),
  naming("CNI_IFNAME", INVALID_NAMES),
  {
    name: "every container ID the specification allows is accepted",
    section: "2 Parameters",
    level: "MUST",
    for: "both",
    versions: VERSIONS,
    async check(subject) {
      for (const id of ["7", "a.b_c-D", "0123456789abcdef".repeat(4)]) {
        const attachment = { ...await subject.container(), id };
        succeeded(await subject.add(attachment, { what: `of container ${id}` }));
        succeeded(await subject.later("DEL", attachment));
      }
    },
  },
  {
    name: "interface names of 15 characters are accepted",
    section: "2 Parameters",
    level: "MUST",
    for: "both",
    versions: VERSIONS,
    async check(subject) {
      await subject.attach({}, { ifname: "fifteen_chars-x" });
    },
  },
  {
    name: "CNI_NETNS may be the path of a process's namespace",
    section: "2 Parameters",
    level: "MUST",
    for: "both",
    versions: VERSIONS,
    async check(subject) {
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
    },
  },
  ...["", "IgnoreUnknown=1", "IgnoreUnknown=true;K8S_POD_NAME=web-0;K8S_POD_NAMESPACE=default"].map((args): Rule => ({
    name: `CNI_ARGS "${args}" is accepted`,
    section: "2 Parameters",
    level: "MUST",
    for: "both",
    versions: VERSIONS,
    async check(subject) {
      const attachment = await subject.attach({ env: { CNI_ARGS: args } });
      succeeded(await subject.later("DEL", attachment, { env: { CNI_ARGS: args } }));
    },
  })),
  {
    name: "CNI_PATH is optional where nothing is delegated",
    section: "2 ADD, DEL",
    level: "MUST",
    for: "ipam",
    versions: VERSIONS,
    async check(subject) {
      const attachment = await subject.attach({ env: { CNI_PATH: undefined }, what: "without CNI_PATH" });
      succeeded(await subject.later("DEL", attachment, { env: { CNI_PATH: undefined } }));
    },
  },
  {
    name: "success prints one JSON object on standard output",
    section: "2 ADD",
    level: "MUST",
    for: "both",
    versions: VERSIONS,
    async check(subject) {
      const attachment = await subject.attach();
      demand(isObject(attachment.result), "standard output is no JSON object");
      return view(attachment).ips.map((ip) => bare(ip.address)).join(", ");
    },
  },
];

/** An invalid value is refused, with code 4, before anything is done. */
function invalid(variable: string, values: readonly string[]): Rule {
  return {
    name: `an invalid ${variable} fails with code 4`,
    section: "2 Parameters",
    level: "MUST",
    for: "both",
    versions: VERSIONS,
    async check(subject) {
      await each(subject, variable, values, (answer) => failed(answer, 4));
    },
  };
}

function naming(variable: string, values: readonly string[]): Rule {
  return {
    name: `the error about an invalid ${variable} names the variable`,
    section: "5 Error",
    level: "MUST",
    for: "both",
    versions: VERSIONS,
    async check(subject) {
      await each(subject, variable, values.slice(0, 2), (answer) => names(answer, [variable]));
    },
  };
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
