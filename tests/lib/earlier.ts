/** The ledger of the version before this one, made of ours: what a node has that was used before it was upgraded. */
import type { Host } from "./host.ts";

/** JSON by the name of its file below `/run/vxlan-cni`; marks and locks are empty. */
export type Files = Record<string, unknown>;

type Facts = Readonly<Record<string, unknown>>;

/** All folders of the version before; it never removed one. */
const FOLDERS = ["adding", "attachments", "claiming", "claims", "hosts", "lock", "reserved"];

/** `/run/vxlan-cni` of a host, as this process sees it. */
export function rootOf(host: Host): string {
  return `/proc/${host.pid}/root/run/vxlan-cni`;
}

/** Every file below a folder. */
export async function filesIn(folder: string, prefix = ""): Promise<Files> {
  const out: Files = {};
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) Object.assign(out, await filesIn(path, `${prefix}${name}/`));
    else out[`${prefix}${name}`] = parsed(await Deno.readTextFile(path));
  }
  return out;
}

function parsed(text: string): unknown {
  return text === "" ? "" : JSON.parse(text);
}

/** The folder of a host's own ledger. */
async function ledgerOf(host: Host): Promise<string> {
  const { ino } = await Deno.stat(`/proc/${host.pid}/ns/net`);
  for await (const { name } of Deno.readDir(rootOf(host))) {
    if (name.startsWith(`${ino}-`)) return `${rootOf(host)}/${name}`;
  }
  throw new Error(`Cannot find the ledger of host "${host.name}"`);
}

/** Turns a host's ledger into one of the version before; `config` is that of all its attachments. */
export async function downgrade(host: Host, config: unknown): Promise<Files> {
  const own = await ledgerOf(host);
  const identityOf = (netns: unknown) => {
    const { dev, ino } = Deno.statSync(`/proc/${host.pid}/root${netns}`);
    return `${dev}:${ino}`;
  };
  const files = earlierOf(await filesIn(own), { config, identityOf });
  await Deno.remove(own, { recursive: true });
  await writeFiles(host, files);
  return files;
}

/** Puts files where the version before had them, for root only. */
export async function writeFiles(host: Host, files: Files): Promise<void> {
  for (const folder of FOLDERS) await Deno.mkdir(`${rootOf(host)}/${folder}`, { recursive: true });
  for (const [name, content] of Object.entries(files)) {
    const path = `${rootOf(host)}/${name}`;
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true, mode: 0o700 });
    await Deno.writeTextFile(path, content === "" ? "" : JSON.stringify(content), { mode: 0o600 });
  }
}

function earlierOf(
  files: Files,
  { config, identityOf }: { config: unknown; identityOf(netns: unknown): string },
): Files {
  const out: Files = {};
  const network = (device: string) => device.replace(/^(vx|mv)_/, "");
  const key = (owner: string) => owner.replace(/^gateway:(.*)$/, (_, device) => `gateway-${network(device)}@${device}`);
  for (const [file, content] of Object.entries(files)) {
    const [folder = "", ...names] = file.replace(/\.json$/, "").split("/");
    const record = content as Facts;
    const [name = "", below = "", last = ""] = names;
    if (folder === "networks") out[`hosts/${network(name)}`] = { config, ...chosen(record, "path", "claimed") };
    if (folder === "attachments") {
      const facts = chosen(record, "containerId", "ifname", "netns", "network", "path");
      const more = { identity: identityOf(record.netns), config, ips: record.addresses };
      out[`attachments/${network(name)}/${below}`] = { ...facts, ...more };
    }
    if (folder === "claims") addClaim(out, { owner: name, key: key(name), entry: below, record });
    if (folder === "making" && name === "attachments") out[`adding/${network(below)}/${last}`] = "";
    if (folder === "making" && name === "claims") out[`claiming/${key(below)}`] = "";
    if (folder === "lock") {
      out[
        `lock/${name.replace("reserve:", "reserve/").replace("gateway:vx_", "gateway/").replace(/^vx_/, "network/")}`
      ] = "";
    }
  }
  return out;
}

function addClaim(
  out: Files,
  { owner, key, entry, record }: { owner: string; key: string; entry: string; record: Facts },
): void {
  const ip = entry.slice(entry.indexOf("@") + 1);
  const route = chosen(record, "device", "protocol", "metric");
  if (owner === "reserved" || owner === "reserving") {
    out[`reserved/${entry}`] = { ip, ...route, ...chosen(record, "index", "since"), ready: owner === "reserved" };
    return;
  }
  const [containerId, ifname] = key.split("@");
  const { ips = [] } = (out[`claims/${key}`] ?? {}) as { ips?: string[] };
  const sorted = [...ips, ip].sort((a, b) => Number(a.includes(":")) - Number(b.includes(":")));
  out[`claims/${key}`] = { containerId, ifname, ...route, network: record.network, ips: sorted };
}

function chosen(record: Facts, ...keys: string[]): Facts {
  return Object.fromEntries(keys.map((key) => [key, record[key]]));
}
