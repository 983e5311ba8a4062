/** The plugin under test, in a host of its own, spoken to in one version of the specification. */
import { Host, underlay } from "../lib/host.ts";
import { SYSTEM_PATH, wordsOf } from "../lib/call.ts";
import { type Answer, isObject, type JsonObject, parseJson, succeeded } from "./answer.ts";
import { Delegate } from "./delegate.ts";
import { type ResultView, viewOf } from "./result.ts";
import { reaches, type Version, VERSIONS } from "./version.ts";

/** The two kinds of plugin the suite knows: one that makes an interface, one that hands out addresses. */
export type Kind = "interface" | "ipam";

/** What a config must offer before a rule can be asked of it: a declared capability, or an `ipam.type` to delegate to. */
export type Need = "ips" | "mac" | "delegate";

/** What to test, and with which config. */
export interface SubjectSpec {
  readonly name: string;
  /** Path of the executable. */
  readonly plugin: string;
  readonly kind: Kind;
  /** A network config without `cniVersion`, for one plugin. */
  readonly config: JsonObject;
  /** Directories with the plugins it may delegate to. */
  readonly cniPath: readonly string[];
  readonly ifname?: string;
  /** Puts a script in front of the IPAM plugin, so that it is a program of its own in any case. */
  readonly separateIpam?: boolean;
  /** Shell words run in each host before the first call; `ul0` is the underlay device. */
  readonly setup?: string;
}

/** One container's interface on the network, wanted or made. */
export interface Attachment {
  readonly id: string;
  /** Name below /run/netns. */
  readonly netns: string;
  readonly ifname: string;
  /** What CNI_NETNS says; empty when the container is gone. */
  path: string;
  result?: JsonObject;
  /** Config keys every later call of this attachment gets too. */
  config?: JsonObject;
}

/** What is special about one call. */
export interface CallOptions {
  readonly attachment?: Attachment;
  /** Keys put over the config. */
  readonly config?: JsonObject;
  /** Standard input as it is, instead of the config. */
  readonly stdin?: string;
  /** Put over the environment; undefined takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Calls the IPAM plugin through the stand-in that notes its calls. */
  readonly delegate?: boolean;
  /** Words put before the plugin's path. */
  readonly through?: readonly string[];
  /** Ends the call after this many milliseconds. */
  readonly timeout?: number;
  /** For the report. */
  readonly what?: string;
}

export class Subject implements AsyncDisposable {
  #attachments: Attachment[] = [];
  #shared: Attachment | undefined;
  #count = 0;
  #parts = new AsyncDisposableStack();

  private constructor(
    readonly spec: SubjectSpec,
    readonly version: Version,
    readonly host: Host,
    readonly delegate: Delegate | undefined,
  ) {}

  /** Makes a host with an underlay device `ul0` (192.0.2.1/24) for the plugin. */
  static async make(spec: SubjectSpec, version: Version): Promise<Subject> {
    await using parts = new AsyncDisposableStack();
    const host = parts.use(await Host.make("conformance"));
    // IPAM plugins like host-local keep their records below /var/lib/cni: those of a host die with it.
    await host.must(["mount", "-t", "tmpfs", "tmpfs", "/var/lib"]);
    parts.use(await underlay([host]));
    if (spec.setup !== undefined) await host.must(["sh", "-ec", spec.setup]);
    const type = ipamType(spec.config);
    const directories = [...spec.cniPath, spec.plugin.replace(/\/[^/]*$/, "")];
    const real = directories.map((directory) => `${directory}/${type}`).find(isFile);
    const delegate = spec.kind === "interface" && type !== undefined && real !== undefined
      ? await Delegate.install(host, type, real)
      : undefined;
    const subject = new Subject(spec, version, host, delegate);
    subject.#parts = parts.move();
    return subject;
  }

  /** Whether the config offers what a rule needs. */
  offers(need: Need | undefined): boolean {
    if (need === undefined) return true;
    if (need === "delegate") return this.delegate !== undefined;
    const { capabilities } = this.spec.config;
    return isObject(capabilities) && capabilities[need] === true;
  }

  /** The versions VERSION reports. */
  async supportedVersions(): Promise<Version[]> {
    const { json } = await this.call("VERSION");
    const list = isObject(json) ? json["supportedVersions"] : undefined;
    return VERSIONS.filter((version) => Array.isArray(list) && list.includes(version));
  }

  /** The config as a runtime hands it over: with `cniVersion`, without `capabilities`. */
  config(extra: JsonObject = {}): JsonObject {
    const { capabilities: _, ...config } = this.spec.config;
    return { cniVersion: this.version, ...config, ...extra };
  }

  /** The value of CNI_PATH. */
  cniPath(delegate = this.spec.separateIpam ?? false): string {
    return [...(delegate && this.delegate !== undefined ? [this.delegate.directory] : []), ...this.spec.cniPath].join(
      ":",
    );
  }

  /** Calls the plugin as a runtime does: with nothing in the environment but PATH and the parameters. */
  async call(verb: string, options: CallOptions = {}): Promise<Answer> {
    const { attachment, through = [], timeout = 30_000, what } = options;
    const words = await wordsOf(verb, {
      program: this.spec.plugin,
      path: this.cniPath(options.delegate),
      ...(attachment && { containerId: attachment.id, netns: attachment.path, ifname: attachment.ifname }),
      env: { PATH: SYSTEM_PATH, ...options.env },
      through,
    });
    const stdin = options.stdin ?? JSON.stringify(
      verb === "VERSION" ? { cniVersion: this.version } : this.config({ ...attachment?.config, ...options.config }),
    );
    const { code, stdout, stderr } = await this.host.run(words, { stdin, timeout });
    const called = what === undefined ? verb : `${verb} ${what}`;
    return { called, code, stdout, stderr, json: parseJson(stdout) };
  }

  /** An empty container for an attachment; ended after the rule. */
  async container(options: { of?: Attachment; ifname?: string } = {}): Promise<Attachment> {
    const number = ++this.#count;
    const netns = options.of?.netns ?? await this.host.container(`n${number}`);
    const attachment: Attachment = {
      id: options.of?.id ?? `conformance-${number}`,
      netns,
      ifname: options.ifname ?? this.spec.ifname ?? "eth0",
      path: `/run/netns/${netns}`,
    };
    this.#attachments.push(attachment);
    return attachment;
  }

  /** ADD; the result of a success is kept with the attachment. */
  async add(attachment: Attachment, options: CallOptions = {}): Promise<Answer> {
    const answer = await this.call("ADD", { ...options, attachment });
    if (answer.code === 0 && isObject(answer.json)) attachment.result = answer.json;
    return answer;
  }

  /** A new container with an ADD that must succeed. */
  async attach(options: CallOptions = {}, of: { of?: Attachment; ifname?: string } = {}): Promise<Attachment> {
    const attachment = await this.container(of);
    if (options.config !== undefined) attachment.config = options.config;
    succeeded(await this.add(attachment, options));
    return attachment;
  }

  /** DEL or CHECK as a runtime calls it: with the result of ADD as `prevResult`, where the version knows it. */
  later(verb: "DEL" | "CHECK", attachment: Attachment, options: CallOptions = {}): Promise<Answer> {
    const { result } = attachment;
    const known = result !== undefined && reaches(this.version, "0.4.0");
    const config = { ...(known ? { prevResult: result } : {}), ...options.config };
    return this.call(verb, { ...options, attachment, config });
  }

  /** One attachment for all rules that only look. */
  async shared(): Promise<Attachment> {
    if (this.#shared === undefined) {
      const attachment = await this.attach();
      this.#attachments = this.#attachments.filter((other) => other !== attachment);
      this.#shared = attachment;
    }
    return this.#shared;
  }

  /** Ends the shared attachment, for rules that must be alone. */
  async alone(): Promise<void> {
    if (this.#shared !== undefined) this.#attachments.push(this.#shared);
    this.#shared = undefined;
    await this.cleanUp();
  }

  /** Ends what the rule left: attachments first, then containers. */
  async cleanUp(): Promise<void> {
    await this.delegate?.reset();
    const attachments = this.#attachments;
    this.#attachments = [];
    for (const attachment of attachments) await this.later("DEL", attachment);
    for (const netns of new Set(attachments.map((attachment) => attachment.netns))) {
      await this.removeContainer(netns);
    }
  }

  /** Takes a container's namespace away. */
  async removeContainer(netns: string): Promise<void> {
    await this.host.run(["ip", "netns", "del", netns]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.disposeAsync();
  }
}

/** What the attachment's result says. */
export function view(attachment: Attachment): ResultView {
  return viewOf(attachment.result);
}

function ipamType(config: JsonObject): string | undefined {
  const { ipam } = config;
  return isObject(ipam) && typeof ipam["type"] === "string" ? ipam["type"] : undefined;
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
