/**
 * Runs the plugins of a network configuration list one after another, as a runtime does (CNI specification 1.1.0, section 3):
 * ADD forwards with each result handed on, CHECK forwards and DEL backwards with the last result.
 */
import { type Answer, call, SYSTEM_PATH } from "../lib/call.ts";
import type { Host } from "../lib/host.ts";

/** One entry of a list's `plugins`. */
export interface PluginConf {
  type: string;
  capabilities?: Record<string, boolean>;
  [key: string]: unknown;
}

/** A network configuration list. */
export interface Conflist {
  cniVersion: string;
  name: string;
  plugins: PluginConf[];
}

/** One container's attachment to a list. */
export interface Attachment {
  conflist: Conflist;
  pluginDirs: readonly string[];
  containerId: string;
  /** The name of a container below /run/netns, or a path. */
  netns: string;
  ifname: string;
  /** `CNI_ARGS`. */
  args?: string;
  /** `PATH` of the plugins, for those that run programs; the system's folders when not given. */
  path?: string;
  /** Given as `runtimeConfig` to the plugins that have the capability. */
  capabilities?: Record<string, unknown>;
}

/** How one plugin answered: `error` is there exactly when it failed. */
export interface Step {
  plugin: string;
  result?: Answer;
  error?: Answer;
}

/** A list attached to one container; remembers the last result for CHECK and DEL. */
export class Chain {
  result: Answer | undefined;

  constructor(readonly host: Host, readonly attachment: Attachment) {}

  /** Runs ADD up to the first plugin that fails; there is a result only when none does. */
  async add(): Promise<Step[]> {
    const steps: Step[] = [];
    let previous: Answer | undefined;
    for (const plugin of this.attachment.conflist.plugins) {
      const step = await this.#call("ADD", plugin, previous);
      steps.push(step);
      if (step.error !== undefined) return steps;
      previous = step.result;
    }
    this.result = previous;
    return steps;
  }

  /** Runs CHECK for every plugin, whether or not one before it failed, so that a test sees all answers. */
  check(): Promise<Step[]> {
    return this.#each("CHECK", this.attachment.conflist.plugins);
  }

  /** Runs DEL backwards for every plugin, whether or not one before it failed. */
  async del(): Promise<Step[]> {
    const steps = await this.#each("DEL", this.attachment.conflist.plugins.toReversed());
    if (steps.every(({ error }) => error === undefined)) this.result = undefined;
    return steps;
  }

  async #each(verb: string, plugins: readonly PluginConf[]): Promise<Step[]> {
    const steps: Step[] = [];
    for (const plugin of plugins) steps.push(await this.#call(verb, plugin, this.result));
    return steps;
  }

  async #call(verb: string, plugin: PluginConf, prevResult: Answer | undefined): Promise<Step> {
    const { pluginDirs, path = SYSTEM_PATH, containerId, netns, ifname, args } = this.attachment;
    const { code, stdout, stderr, json } = await call(this.host, verb, {
      ...{ containerId, netns, ifname, ...(args === undefined ? {} : { args }) },
      config: configOf(this.attachment, plugin, prevResult),
      program: find(pluginDirs, plugin.type),
      path: pluginDirs.join(":"),
      env: { PATH: path },
    });
    const step: Step = { plugin: plugin.type };
    if (code !== 0) return { ...step, error: json ?? { code: 0, msg: `exit code ${code}: ${stdout}${stderr}` } };
    return verb === "ADD" ? { ...step, result: json ?? {} } : step;
  }
}

/** What the runtime makes of a list's entry. */
function configOf(
  { conflist: { cniVersion, name }, capabilities = {} }: Attachment,
  { capabilities: has = {}, ...own }: PluginConf,
  prevResult: Answer | undefined,
): Record<string, unknown> {
  const wanted = Object.entries(capabilities).filter(([capability]) => has[capability] === true);
  return {
    ...own,
    cniVersion,
    name,
    ...(wanted.length === 0 ? {} : { runtimeConfig: Object.fromEntries(wanted) }),
    ...(prevResult === undefined ? {} : { prevResult }),
  };
}

function find(folders: readonly string[], type: string): string {
  const paths = folders.map((folder) => `${folder}/${type}`);
  const found = paths.find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
  if (found === undefined) throw new Error(`Cannot find plugin "${type}" in ${folders.join(", ")}`);
  return found;
}

/** The plugins among the steps that failed, each with its error: empty when all is well. */
export function failures(steps: readonly Step[]): string[] {
  return steps.flatMap(({ plugin, error }) => error === undefined ? [] : [`${plugin}: ${error.code}: ${error.msg}`]);
}
