/** What the demo shows on a cluster of the lab: four containers of two networks on three nodes. */
import { addresses, type Cluster } from "../tests/lab/cluster.ts";
import type { Node } from "../tests/lab/node.ts";
import type { Answer } from "../tests/lib/call.ts";
import { eventually } from "../tests/lib/eventually.ts";
import { run } from "../tests/lib/run.ts";
import { difference, everythingOf } from "../tests/lib/state.ts";

/** The two networks; blue is dual stack. */
export const NETWORKS = [
  { name: "red", cidrs: ["10.97.1.0/24"] },
  { name: "blue", cidrs: ["10.97.2.0/24", "fd00:97:2::/64"] },
] as const;

type NetworkName = (typeof NETWORKS)[number]["name"];

interface Container {
  name: string;
  network: NetworkName;
  node: Node;
  /** What ADD answered. */
  result?: Answer;
}

const PLACES: readonly [name: string, network: NetworkName, node: number][] = [
  ["web", "red", 0],
  ["db", "blue", 0],
  ["app", "red", 1],
  ["cache", "blue", 2],
];

export class Demo {
  readonly containers: Container[];
  readonly #before = new Map<Node, string[]>();

  constructor(readonly cluster: Cluster) {
    this.containers = PLACES.map(([name, network, index]) => ({ name, network, node: cluster.lab.node(index) }));
  }

  /** Notes what each node holds now, for unchanged(). */
  async remember(): Promise<void> {
    for (const node of this.cluster.nodes) this.#before.set(node, await everythingOf(node.host));
  }

  async add(container: Container): Promise<string> {
    const { node, name, network } = container;
    await node.host.container(name);
    container.result = await this.cluster.succeed(node, "ADD", name, { network });
    return (container.result.ips ?? []).map(({ address }) => address).join(" and ");
  }

  async check(): Promise<string> {
    for (const { node, name, network, result } of this.containers) {
      await this.cluster.succeed(node, "CHECK", name, { network, prevResult: result });
    }
    return this.containers.map(({ name }) => name).join(", ");
  }

  async del({ node, name, network, result }: Container): Promise<string> {
    await this.cluster.del(node, name, { network, prevResult: result });
    const { host } = node;
    const links = await host.ip<{ ifname: string }>("link", name);
    const left = links.map(({ ifname }) => ifname).filter((one) => one !== "lo");
    if (left.length > 0) throw new Error(`DEL left ${left.join(", ")} in container ${name}`);
    await host.must(["ip", "netns", "del", name]);
    return "only its loopback is left in its namespace";
  }

  /** Waits until each node has a host route to each container. */
  async spread(): Promise<string> {
    const all = this.containers.flatMap(({ result }) => addresses(result));
    for (const node of this.cluster.nodes) {
      await eventually(`${node.name} has routes to ${all.join(", ")}`, async () => {
        const routes = [
          ...await node.host.ip<{ dst: string }>("-4 route"),
          ...await node.host.ip<{ dst: string }>("-6 route"),
        ];
        return all.every((ip) => routes.some(({ dst }) => dst === ip));
      });
    }
    return `${all.length} host routes to containers on each`;
  }

  async ping(from: string, to: string, family: 4 | 6): Promise<string> {
    const [source, target] = [this.#find(from), this.#address(to, family)];
    const words = `ping -${family} -n -c 3 -i 0.2 -W 2 ${target}`.split(" ");
    const { code, stdout } = await run(source.node.host.inside(from, words));
    const ttl = Number(/ttl=(\d+)/.exec(stdout)?.[1]);
    const average = /= [\d.]+\/([\d.]+)\//.exec(stdout)?.[1];
    if (code !== 0) throw new Error(`${from} gets no answer from ${target}: ${stdout.trim().split("\n").at(-2) ?? ""}`);
    return `${/(\d+) received/.exec(stdout)?.[1]} of 3 from ${target}, ${average} ms, ${route(64 - ttl)}`;
  }

  async tcp(from: string, to: string, family: 4 | 6, bytes: number): Promise<string> {
    const [source, target, address] = [this.#find(from), this.#find(to), this.#address(to, family)];
    const script = new URL("demo_tcp.ts", import.meta.url).pathname;
    const end = (...words: string[]) => [Deno.execPath(), "run", "-A", "--quiet", "--no-config", script, ...words];
    const [program = "", ...args] = target.node.host.inside(to, end("serve", address, "7000"));
    const server = new Deno.Command(program, { args, stdin: "null", stdout: "piped", stderr: "null" }).spawn();
    try {
      const reader = server.stdout.getReader();
      await reader.read();
      reader.releaseLock();
      const client = source.node.host.inside(from, end("send", address, "7000", String(bytes)));
      const { code, stdout, stderr } = await run(client, { timeout: 20_000 });
      if (code !== 0) throw new Error(`No TCP from ${from} to ${to}: ${stderr.trim()}`);
      const { counted, milliseconds } = JSON.parse(stdout) as { counted: number; milliseconds: number };
      if (counted !== bytes) throw new Error(`TCP from ${from} to ${to} lost bytes: ${counted} of ${bytes} came`);
      return `${bytes / (1 << 20)} MiB, ${(bytes * 8e-6 / milliseconds).toFixed(1)} Gbit/s`;
    } finally {
      try {
        server.kill("SIGKILL");
      } catch { /* It has ended by itself. */ }
      await server.stdout.cancel();
      await server.status;
    }
  }

  /** Waits until a node holds exactly what it held before the first ADD; routes of other nodes go a moment after their DEL. */
  async unchanged(node: Node): Promise<string> {
    const before = this.#before.get(node) ?? [];
    let changed = "";
    const isAsBefore = async () => (changed = difference(before, await everythingOf(node.host))) === "";
    await eventually(`${node.name} is as before`, isAsBefore, 10_000).catch((cause: unknown) => {
      throw new Error(`${node.name} differs: ${changed}`, { cause });
    });
    return "links, addresses, routes, rules, records";
  }

  /** The nodes side by side with what is on them. */
  picture(): string {
    const { nodes } = this.cluster;
    const on = (node: Node, network: NetworkName) =>
      this.containers.find((one) => one.node === node && one.network === network);
    const rows: string[][] = [
      ["", ...nodes.map(({ name }) => name), ""],
      ["", ...nodes.map(({ address }) => address), ""],
      ["", ...nodes.map(() => "+"), "underlay"],
      ...NETWORKS.flatMap(({ name, cidrs }, vni) => [
        [
          name,
          ...nodes.map((node) => `| ${line(on(node, name), ({ gateway }) => `gateway ${gateway}`)}`),
          `VNI ${101 + vni}`,
        ],
        ...cidrs.map((cidr, index) => [
          "",
          ...nodes.map((node) => `| ${line(on(node, name), ({ ip }, of) => `${index === 0 ? of : ""} ${ip}`, index)}`),
          cidr,
        ]),
      ]),
    ];
    const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
    return rows.map((row) => {
      const cells = row.map((cell, column) => cell.padEnd((widths[column] ?? 0) + 2, cell === "+" ? "-" : " "));
      return `  ${cells.join("")}`.trimEnd();
    }).join("\n");
  }

  #find(name: string): Container {
    const found = this.containers.find((container) => container.name === name);
    if (found === undefined) throw new RangeError(`Cannot find container ${name} in the demo`);
    return found;
  }

  #address(name: string, family: 4 | 6): string {
    const found = addresses(this.#find(name).result).find((ip) => ip.includes(":") === (family === 6));
    if (found === undefined) throw new Error(`${name} has no IPv${family} address`);
    return found;
  }
}

/** What the picture says of a container's address, counted from 0; nothing where there is none. */
function line(
  container: Container | undefined,
  say: (address: { ip: string; gateway: string }, name: string) => string,
  index = 0,
): string {
  const ip = addresses(container?.result)[index];
  if (container === undefined || ip === undefined) return "";
  return say({ ip, gateway: container.result?.ips?.[index]?.gateway ?? "" }, container.name).trim();
}

function route(routers: number): string {
  return routers === 0 ? "no router between" : `${routers} router${routers === 1 ? "" : "s"} between`;
}
