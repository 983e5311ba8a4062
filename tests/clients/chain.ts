/**
 * Runs the plugins of a network configuration list one after another, as a runtime does (CNI specification 1.1.0, section 3):
 * ADD forwards with each result handed on, CHECK forwards and DEL backwards with the last result.
 */
import { must, run } from "./run.ts";

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

/** What the tests read of a CNI result, version 0.3.0 and later. */
export interface CniResult {
  cniVersion: string;
  interfaces?: { name: string; mac?: string; mtu?: number; sandbox?: string }[];
  ips?: { address: string; gateway?: string; interface?: number }[];
  routes?: { dst: string; gw?: string }[];
}

/** What the tests read of a CNI error. */
export interface CniError {
  code: number;
  msg: string;
  details?: string;
}

/** Where the plugins run. */
export interface Place {
  /** Turns a command into one that runs on the host of the plugins. */
  enter(command: readonly string[]): string[];
}

/** `PATH` when nothing else is said. */
export const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** One container's attachment to a list. */
export interface Attachment {
  conflist: Conflist;
  pluginDirs: readonly string[];
  containerId: string;
  /** Path of the network namespace, as the host sees it. */
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
  result?: CniResult;
  error?: CniError;
}

/** A list attached to one container; remembers the last result for CHECK and DEL. */
export class Chain {
  result: CniResult | undefined;

  constructor(readonly place: Place, readonly attachment: Attachment) {}

  /** Runs ADD up to the first plugin that fails; there is a result only when none does. */
  async add(): Promise<Step[]> {
    const steps: Step[] = [];
    let previous: CniResult | undefined;
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

  async #each(command: string, plugins: readonly PluginConf[]): Promise<Step[]> {
    const steps: Step[] = [];
    for (const plugin of plugins) steps.push(await this.#call(command, plugin, this.result));
    return steps;
  }

  async #call(command: string, plugin: PluginConf, prevResult: CniResult | undefined): Promise<Step> {
    const { containerId, netns, ifname, args, pluginDirs, path: searched = systemPath } = this.attachment;
    const env: Record<string, string> = {
      PATH: searched,
      CNI_COMMAND: command,
      CNI_CONTAINERID: containerId,
      CNI_NETNS: netns,
      CNI_IFNAME: ifname,
      CNI_PATH: pluginDirs.join(":"),
    };
    if (args !== undefined) env.CNI_ARGS = args;
    const words = Object.entries(env).map(([key, value]) => `${key}=${value}`);
    const stdin = JSON.stringify(this.#config(plugin, prevResult));
    const path = await this.#find(plugin.type);
    const { code, stdout, stderr } = await run(this.place.enter(["env", "-i", ...words, path]), { stdin });
    const step: Step = { plugin: plugin.type };
    if (code !== 0) return { ...step, error: errorOf(stdout, `exit code ${code}: ${stdout}${stderr}`) };
    return command === "ADD" ? { ...step, result: JSON.parse(stdout) as CniResult } : step;
  }

  #config(plugin: PluginConf, prevResult: CniResult | undefined): Record<string, unknown> {
    const { conflist, capabilities = {} } = this.attachment;
    const { capabilities: has = {}, ...own } = plugin;
    const runtimeConfig = Object.fromEntries(Object.entries(capabilities).filter(([name]) => has[name] === true));
    return {
      ...own,
      cniVersion: conflist.cniVersion,
      name: conflist.name,
      ...(Object.keys(runtimeConfig).length === 0 ? {} : { runtimeConfig }),
      ...(prevResult === undefined ? {} : { prevResult }),
    };
  }

  async #find(type: string): Promise<string> {
    const candidates = this.attachment.pluginDirs.map((dir) => `${dir}/${type}`);
    const script = 'for path; do test -x "$path" && exec echo "$path"; done; exit 1';
    return (await must(this.place.enter(["sh", "-c", script, "find", ...candidates]))).trim();
  }
}

/** The plugins among the steps that failed, each with its error: empty when all is well. */
export function failures(steps: readonly Step[]): string[] {
  return steps.flatMap(({ plugin, error }) => error === undefined ? [] : [`${plugin}: ${error.code}: ${error.msg}`]);
}

function errorOf(stdout: string, otherwise: string): CniError {
  try {
    const { code, msg, details } = JSON.parse(stdout) as Partial<CniError>;
    return { code: code ?? 0, msg: msg ?? otherwise, ...(details === undefined ? {} : { details }) };
  } catch {
    return { code: 0, msg: otherwise };
  }
}
