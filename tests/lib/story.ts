/** A node of the fake world with both plugins: what a runtime calls, and what is there afterwards. */
import { answer } from "../../src/cni/answer.ts";
import { formatCidr, formatIp, parseCidr, parseIp } from "../../src/ip.ts";
import { routetable } from "../../src/routetable/plugin.ts";
import { vxlan } from "../../src/vxlan/plugin.ts";
import { openNode } from "../../src/state/node.ts";
import { IPAM_NAMES } from "../../src/text.ts";
import type { World } from "../../src/world.ts";
import { newAddress, newLink, newRoute, type Space } from "../fake/space.ts";
import { type FakeWorld, fakeWorld } from "../fake/world.ts";

export interface Call {
  verb?: string;
  /** Called as `routetable-ipam`. */
  ipam?: boolean;
  id?: string;
  netns?: string;
  ifname?: string;
  args?: string;
  path?: string;
  /** Put over the environment; undefined takes a variable away. */
  env?: Record<string, string | undefined>;
  /** Standard input as it is, instead of a configuration. */
  stdin?: string;
}

export interface Answered {
  code: number;
  /** What was printed; an empty object where nothing was. */
  json: {
    code?: number;
    msg?: string;
    cniVersion?: string;
    interfaces?: { name: string; mac?: string; mtu?: number; sandbox?: string }[];
    ips?: { address: string; gateway?: string; interface?: number }[];
    routes?: { dst: string; gw?: string }[];
    dns?: object;
    details?: string;
  };
}

/** A configuration with one network `red` on `ul0`; `red` and `top` are put over it. */
export function config(red: object = {}, top: object = {}): Record<string, unknown> {
  const options = { vtepdev: "ul0", group: "239.1.1.101" };
  return {
    ...{ cniVersion: "1.1.0", name: "vxnet", type: "vxlan" },
    ipam: { type: "routetable-ipam", propagationTimeout: 0 },
    defaultNetwork: "red",
    vxlans: [{ id: 101, name: "red", cidr: "10.97.1.0/24", options, ...red }],
    ...top,
  };
}

/** Calls a plugin as a runtime does; the container is `c1` in `/run/netns/c1` unless said otherwise. */
export async function call(world: World, raw: Record<string, unknown>, how: Call = {}): Promise<Answered> {
  const { verb = "ADD", id = "c1", ifname = "eth0", args, path = "/opt/cni/bin", env = {}, stdin } = how;
  const given: Record<string, string | undefined> = {
    CNI_COMMAND: verb,
    CNI_CONTAINERID: id,
    CNI_NETNS: how.netns ?? `/run/netns/${id}`,
    CNI_IFNAME: ifname,
    CNI_PATH: path,
    CNI_ARGS: args,
    ...env,
  };
  const environment = Object.fromEntries(
    Object.entries(given).filter((pair): pair is [string, string] => pair[1] !== undefined && pair[1] !== ""),
  );
  const { stdout, code } = await answer(
    (invocation) => {
      const node = openNode(world);
      const ipam = routetable(node);
      const plugin = how.ipam === true ? ipam : vxlan(node, Object.fromEntries(IPAM_NAMES.map((name) => [name, ipam])));
      return plugin(invocation).finally(() => node[Symbol.dispose]());
    },
    environment,
    () => stdin ?? JSON.stringify(raw),
  );
  return { code, json: stdout === "" ? {} : JSON.parse(stdout) as Answered["json"] };
}

/** A world whose node has `ul0` with a default route, and namespaces of containers `c1`, `c2`, `c3`. */
export function node(): FakeWorld {
  const world = fakeWorld();
  newLink(world.node, world.node, { name: "ul0", flags: 1, mtu: 1500 }, "02:00:5e:00:00:01");
  address(world.node, 2, "192.0.2.1/24");
  address(world.node, 2, "fd00:ff::1/64");
  route(world.node, 2, "0.0.0.0/0", { gateway: "192.0.2.254" });
  route(world.node, 2, "::/0", { gateway: "fd00:ff::fe" });
  for (const name of ["c1", "c2", "c3"]) world.kernel.space(`/run/netns/${name}`);
  return world;
}

/** Gives a link an address, as an operator would. */
export function address(space: Space, index: number, text: string): void {
  const cidr = parseCidr(text);
  if (cidr === undefined) throw new Error(`Cannot parse "${text}"`);
  const family = cidr.ip.version === 4 ? 2 : 10;
  newAddress(space, { index, family, length: cidr.length, local: cidr.ip, address: cidr.ip });
}

/** Adds a route, as an operator or a routing daemon would. */
export function route(
  space: Space,
  oif: number,
  text: string,
  more: { gateway?: string; protocol?: number } = {},
): void {
  const cidr = parseCidr(text);
  if (cidr === undefined) throw new Error(`Cannot parse "${text}"`);
  const gateway = more.gateway === undefined ? undefined : parseIp(more.gateway);
  const family = cidr.ip.version === 4 ? 2 : 10;
  const to = cidr.length === 0 ? {} : { to: cidr.ip };
  const protocol = more.protocol ?? 3;
  newRoute(space, {
    family,
    length: cidr.length,
    ...to,
    gateway,
    oif,
    table: 254,
    headerTable: 254,
    protocol,
    scope: 0,
    type: 1,
  });
}

/** Everything that a namespace holds beside what is there from its beginning, a line each. */
export function holds(space: Space): string[] {
  const name = (index?: number) => space.links.find((link) => link.index === index)?.name ?? `${index}`;
  const destination = (version: number, ip: string, length = 0) =>
    length === 0 ? `default${version}` : `${ip}/${length}`;
  return [
    ...space.links.filter((link) => link.name !== "lo").map((link) => `link ${link.name}`),
    ...space.addresses.map(({ index, cidr }) => `address ${formatCidr(cidr)} ${name(index)}`),
    ...space.routes.filter(({ protocol, table }) => protocol !== 2 && table !== undefined).map((one) =>
      `route ${destination(one.family ?? 2, one.to === undefined ? "" : formatIp(one.to), one.length)} ` +
      `${name(one.oif)} proto ${one.protocol} table ${one.table}` +
      (one.gateway === undefined ? "" : ` via ${formatIp(one.gateway)}`)
    ),
    ...space.rules.filter(({ from }) => from !== undefined).map(({ from, to, fromLength, toLength, table, priority }) =>
      `rule ${priority} from ${from && formatIp(from)}/${fromLength} to ${
        to && formatIp(to)
      }/${toLength} table ${table}`
    ),
  ].sort();
}

/** The records below /run/vxlan-cni; locks do not count. */
export function records(world: FakeWorld): string[] {
  return [...world.files.keys()].filter((name) => !name.startsWith("lock/")).sort();
}

/** All that there is: of the node, of each container, and the records. */
export function everything(world: FakeWorld): Record<string, unknown> {
  const containers = ["c1", "c2", "c3"].filter((name) => world.kernel.exists(`/run/netns/${name}`));
  return {
    node: holds(world.node),
    ...Object.fromEntries(containers.map((name) => [name, holds(world.kernel.space(`/run/netns/${name}`))])),
    records: records(world).map((name) => [name, world.files.get(name)]),
  };
}
