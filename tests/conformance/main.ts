/**
 * Tests a CNI plugin as a black box:
 * `deno task conformance --plugin /usr/lib/cni/macvlan --config fixtures/config/conformance-macvlan.json`
 *
 * The config is that of one plugin (or a list with one), without `cniVersion`; `ul0` is the name of the hosts' underlay device.
 * Exit code 1 when a MUST failed, 2 for a wrong command line.
 */
import { parseArgs } from "node:util";
import { isObject, type JsonObject, parseJson } from "./answer.ts";
import { broke, table } from "./report.ts";
import { type Version, VERSIONS } from "./version.ts";
import type { SubjectSpec } from "./subject.ts";
import { conformance } from "./suite.ts";

const USAGE = `Usage: conformance --plugin PATH --config FILE
  --type interface|ipam   what the plugin is; interface when not given
  --ifname NAME           name of the containers' interface; eth0 when not given
  --cni-path DIR[:DIR]    where delegated plugins are; the plugin's own directory when not given
  --ipam-process          put a script in front of the IPAM plugin, so that it is a program of its own
  --setup WORDS           shell words to run in each host first
  --version VERSION       only this version; may be given several times
  --only TEXT             only rules whose name contains this text
  --json                  print the verdicts as JSON`;

/** Reads a network config for one plugin, alone or as the only one of a list. */
async function readConfig(path: string): Promise<JsonObject> {
  const config = parseJson(await Deno.readTextFile(path));
  if (!isObject(config)) throw new SyntaxError(`Cannot read config "${path}": it is no JSON object`);
  const { plugins, ...list } = config;
  const { cniVersion: _, ...rest } = Array.isArray(plugins) ? { ...list, ...single(path, plugins) } : config;
  return rest;
}

function single(path: string, plugins: readonly unknown[]): JsonObject {
  const [plugin] = plugins as JsonObject[];
  if (plugin === undefined || plugins.length !== 1) {
    throw new RangeError(`Cannot read config "${path}": it lists ${plugins.length} plugins; give it the one to test`);
  }
  return plugin;
}

async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      plugin: { type: "string" },
      config: { type: "string" },
      type: { type: "string", default: "interface" },
      ifname: { type: "string" },
      "cni-path": { type: "string" },
      "ipam-process": { type: "boolean", default: false },
      setup: { type: "string" },
      version: { type: "string", multiple: true },
      only: { type: "string" },
      json: { type: "boolean", default: false },
    },
  });
  const { plugin, config, type: kind } = values;
  if (plugin === undefined || config === undefined || (kind !== "interface" && kind !== "ipam")) {
    console.error(USAGE);
    return 2;
  }
  const path = await Deno.realPath(plugin.replace(/\/[^/]*$/, "") || ".");
  const spec: SubjectSpec = {
    name: plugin,
    plugin: `${path}/${plugin.split("/").at(-1)}`,
    kind,
    config: await readConfig(config),
    cniPath: values["cni-path"]?.split(":") ?? [path],
    separateIpam: values["ipam-process"],
    ...(values.ifname === undefined ? {} : { ifname: values.ifname }),
    ...(values.setup === undefined ? {} : { setup: values.setup }),
  };
  const versions = VERSIONS.filter((version: Version) => values.version?.includes(version) ?? true);
  const verdicts = await conformance(spec, { versions, ...(values.only === undefined ? {} : { only: values.only }) });
  console.log(values.json ? JSON.stringify(verdicts, null, 2) : table(verdicts));
  return broke(verdicts) ? 1 : 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
