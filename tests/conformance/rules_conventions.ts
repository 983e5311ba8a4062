/** CONVENTIONS.md: capabilities, `args`, CNI_ARGS; and keys a plugin does not know. */
import { failed, type JsonObject, succeeded } from "./answer.ts";
import { kernelState, linkOf } from "./kernel.ts";
import { demand } from "./demand.ts";
import { type Clause, section, should } from "./rule.ts";
import { since, type Version, VERSIONS } from "./version.ts";
import { ownAddresses } from "./rules_add.ts";
import { type Subject, view } from "./subject.ts";

/** The ways to ask for addresses, and the versions in which they may be used. */
const REQUESTS: readonly [string, readonly Version[], (ips: string[]) => { config?: JsonObject; args?: string }][] = [
  ["runtimeConfig.ips", since("0.3.0"), (ips) => ({ config: { runtimeConfig: { ips } } })],
  ["args.cni.ips", since("0.2.0"), (ips) => ({ config: { args: { cni: { ips } } } })],
  // One address only: the convention knows no list here.
  ["CNI_ARGS IP", VERSIONS, ([ip = ""]) => ({ args: `IgnoreUnknown=1;IP=${ip}` })],
];

export const conventionRules = section("Conventions", { for: "both" }, [
  ...REQUESTS.flatMap(([way, versions, request]) => [
    should(`${way} requests an address`, { versions, needs: "ips" }, async (subject) => {
      const ips = await free(subject);
      const { config = {}, args } = request(ips);
      const wanted = args === undefined ? ips : ips.slice(0, 1);
      const next = await subject.attach({ config, env: { CNI_ARGS: args }, what: `requesting ${wanted}` });
      const missing = wanted.filter((ip) => !ownAddresses(next).includes(ip));
      demand(missing.length === 0, `requested ${wanted}, got ${ownAddresses(next)}`);
    }),
    should(`${way} that is taken is an error`, { versions, needs: "ips" }, async (subject) => {
      const { config = {}, args } = request(ownAddresses(await subject.shared()));
      const attachment = await subject.container();
      failed(await subject.add(attachment, { config, env: { CNI_ARGS: args }, what: "requesting a taken address" }));
    }),
  ]),
  should(
    "runtimeConfig.ips that cannot be used is an error",
    { versions: since("0.3.0"), needs: "ips" },
    async (subject) => {
      for (const ip of ["203.0.113.77", "no address"]) {
        const attachment = await subject.container();
        failed(await subject.add(attachment, { config: { runtimeConfig: { ips: [ip] } }, what: `requesting ${ip}` }));
      }
    },
  ),
  should(
    "runtimeConfig.mac sets the MAC",
    { for: "interface", versions: since("0.3.0"), needs: "mac" },
    async (subject) => {
      const mac = "02:00:00:00:12:34";
      const attachment = await subject.attach({ config: { runtimeConfig: { mac } } });
      const link = linkOf(await kernelState(subject.host, attachment.netns), attachment.ifname);
      demand(link?.address === mac, `kernel: ${link?.address}`);
      const listed = view(attachment).interfaces.find((one) => one.sandbox !== "")?.mac;
      demand(listed === mac, `result: ${listed}`);
    },
  ),
  should(
    "runtimeConfig.mac that is none is an error",
    { for: "interface", versions: since("0.3.0"), needs: "mac" },
    async (subject) => {
      for (const mac of ["no mac", "02:00:00:00:12", "02:00:00:00:12:3g"]) {
        const attachment = await subject.container();
        failed(await subject.add(attachment, { config: { runtimeConfig: { mac } }, what: `with MAC ${mac}` }));
      }
    },
  ),
  ignores("args a plugin does not know are ignored", since("0.2.0"), {
    args: { labels: { app: "web" }, cni: { labels: [{ key: "app", value: "web" }] }, "example.test/x": [1, null] },
  }),
  ignores("capabilities a plugin does not know are ignored", since("0.3.0"), {
    runtimeConfig: {
      portMappings: [{ hostPort: 8080, containerPort: 80, protocol: "tcp" }],
      aliases: { net: ["web"] },
    },
  }),
  ignores("reserved keys of the protocol are ignored where they mean nothing", since("1.0.0"), {
    "cni.dev/example": { any: "thing" },
    disableCheck: false,
  }),
  ignores("keys a plugin does not know are ignored", VERSIONS, { "x-example": { any: ["thing"] } }),
]);

function ignores(name: string, versions: readonly Version[], config: JsonObject): Clause {
  return should(name, { versions }, async (subject) => {
    succeeded(await subject.later("DEL", await subject.attach({ config, what: `with ${Object.keys(config)}` })));
  });
}

/** Addresses that are free now and belong to the network: those of an attachment that has just ended. */
async function free(subject: Subject): Promise<string[]> {
  const attachment = await subject.attach();
  succeeded(await subject.later("DEL", attachment));
  return ownAddresses(attachment);
}
