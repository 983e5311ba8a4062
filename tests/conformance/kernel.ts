/** The kernel's own account of a host and its containers, taken with `ip -j -d`. */
import type { Host } from "../lib/host.ts";
import { bare, type ResultView } from "./result.ts";

interface IpAddress {
  family: string;
  local: string;
  prefixlen: number;
  scope: string;
}

/** A link as `ip -j -d addr` shows it. */
interface KernelLink {
  ifname: string;
  address?: string;
  mtu: number;
  flags: string[];
  master?: string;
  linkinfo?: { info_kind?: string };
  addr_info: IpAddress[];
}

interface KernelRoute {
  dst: string;
  gateway?: string;
  dev?: string;
  table?: string;
  protocol?: string;
  type?: string;
  scope?: string;
}

/** Links with their addresses, and routes of both families. */
interface KernelState {
  links: KernelLink[];
  routes: KernelRoute[];
}

/** The state of a host, or of one of its containers. */
export async function kernelState(host: Host, netns?: string): Promise<KernelState> {
  const ip = netns === undefined ? "ip -j -d" : `ip -j -d -n ${netns}`;
  const [links = [], ...routes] = await lists(host, [
    `${ip} addr show`,
    `${ip} -4 route show table all`,
    `${ip} -6 route show table all`,
  ]);
  return { links: links as KernelLink[], routes: routes.flat() as KernelRoute[] };
}

/** The link of this name, if there is one. */
export function linkOf(state: KernelState, name: string): KernelLink | undefined {
  return state.links.find((link) => link.ifname === name);
}

/** The addresses of a link that were given to it, with prefix length; not the link-local ones of IPv6. */
export function addressesOf(link: KernelLink | undefined): string[] {
  return (link?.addr_info ?? []).filter((address) => address.scope !== "link")
    .map((address) => `${address.local}/${address.prefixlen}`);
}

/** The routes of a result for which the kernel has none of this destination and, if given, this next hop. */
export function missingRoutes(state: KernelState, view: ResultView): string[] {
  return view.routes.filter((wanted) =>
    !state.routes.some((route) =>
      sameDestination(route.dst, wanted.dst) && (wanted.gw === undefined || route.gateway === wanted.gw)
    )
  ).map((route) => `${route.dst} via ${route.gw ?? "any"}`);
}

function sameDestination(kernel: string, wanted: string): boolean {
  if (kernel === wanted) return true;
  if (kernel === "default") return /^(0\.0\.0\.0|::)\/0$/.test(wanted);
  return kernel === bare(wanted) && /\/(32|128)$/.test(wanted);
}

async function lists(host: Host, commands: readonly string[]): Promise<unknown[][]> {
  const text = await host.must(["sh", "-ec", commands.join("; echo; echo ---; ")]);
  return text.split("---\n").map((part) => part.trim() === "" ? [] : JSON.parse(part) as unknown[]);
}
