/** The one picture of a host, or of a container: everything that a call may leave behind, a line each. */
import type { Host } from "./host.ts";

/**
 * Devices, addresses, routes and rules of all tables; of a host also the files below `/run/vxlan-cni` but for locks. Without what
 * the kernel adds in its own time: link-local addresses come and go when they are found to be unique, and what it notes of a carrier.
 */
export async function stateOf(host: Host, netns?: string): Promise<string[]> {
  const ip = netns === undefined ? "ip" : `ip -n ${netns}`;
  const files = "find /run/vxlan-cni -type f ! -path '/run/vxlan-cni/*/lock/*' 2>/dev/null | sed 's/^/file /'";
  const script = `${ip} -o link | sed -E 's/^[0-9]+: ([^ :@]+).*/link \\1/'
${ip} -o addr show scope global | sed -E 's/^[0-9]+: +(\\S+) +(\\S+ \\S+).*/address \\1 \\2/'
${ip} -4 route show table all | sed -E 's/^/route /; s/ linkdown//'
${ip} -6 route show table all | grep -vE '^([a-z]+ )?(fe80|ff00)' | sed -E 's/^/route /; s/ linkdown//'
${ip} rule | sed 's/^/rule /'
${ip} -6 rule | sed 's/^/rule6 /'
${netns === undefined ? files : ""}
true`;
  const text = await host.must(["sh", "-c", script]);
  return text.split("\n").filter((line) => line !== "").map((line) => line.trimEnd()).sort();
}

interface Link {
  ifname: string;
  mtu: number;
  flags: string[];
  master?: string;
  linkinfo?: { info_kind?: string };
}

/** As stateOf(), with what kind each device is, its MTU, whether it is up, and what it belongs to. */
export async function everythingOf(host: Host, netns?: string): Promise<string[]> {
  const links = (await host.ip<Link>("link show", netns)).map(({ ifname, mtu, flags, master = "", linkinfo = {} }) =>
    `device ${ifname} ${linkinfo.info_kind ?? ""} ${mtu} ${flags.includes("UP") ? "up" : "down"} ${master}`.trimEnd()
  );
  return [...links, ...await stateOf(host, netns)];
}

/** What was added to and removed from a state, in one line; empty when nothing was. */
export function difference(before: readonly string[], after: readonly string[]): string {
  const gone = before.filter((line) => !after.includes(line)).map((line) => `- ${line}`);
  const came = after.filter((line) => !before.includes(line)).map((line) => `+ ${line}`);
  return [...gone, ...came].join("; ");
}
