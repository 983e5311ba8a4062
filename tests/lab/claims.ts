/** Claims made by hand: host routes on a network's macvlan, as the IPAM plugin makes them. */
import type { Node } from "./node.ts";

/** A route as `ip -j route` shows it. */
interface Route {
  dst: string;
  dev?: string;
  protocol?: string;
  metric?: number;
  table?: string;
}

/** Makes `vx_NAME` and the macvlan `mv_NAME` on it, up, without an address. */
export async function device(node: Node, name: string, id: number): Promise<void> {
  await node.host.must([
    "sh",
    "-ec",
    `
    ip link add vx_${name} type vxlan id ${id} dev ul0 dstport 4789
    ip link set vx_${name} up
    ip link add mv_${name} link vx_${name} type macvlan mode bridge
    ip link set mv_${name} up`,
  ]);
}

/** Claims an address on `mv_red` of a node, with the protocol and the metric that its recipe asks for. */
export async function claim(node: Node, address: string, metric = node.ipam.routeMetric): Promise<void> {
  await node.host.must(["ip", "route", "add", ...words(node, address, metric)]);
}

/** Gives an address up. */
export async function release(node: Node, address: string, metric = node.ipam.routeMetric): Promise<void> {
  await node.host.must(["ip", "route", "del", ...words(node, address, metric)]);
}

/** The host routes to an address on a node, of every table: our own claim and the others'. */
export async function routes(node: Node, address: string): Promise<{ own: Route[]; foreign: Route[] }> {
  const v6 = address.includes(":");
  const words = `${v6 ? "-6 " : ""}route show table all exact ${address}/${v6 ? 128 : 32}`;
  const all = (await node.host.ip<Route>(words)).filter(({ dst }) => dst === address);
  return { own: all.filter((route) => route.dev === "mv_red"), foreign: all.filter((route) => route.dev !== "mv_red") };
}

function words({ ipam }: Node, address: string, metric: number): string[] {
  const bits = address.includes(":") ? 128 : 32;
  return [`${address}/${bits}`, "dev", "mv_red", "proto", String(ipam.routeProtocol), "metric", String(metric)];
}
