/** The cluster of the demo: four containers of two networks on three nodes, and what is shown with them. */
import { eventually } from "../tests/lib/eventually.ts";
import type { Lab } from "../tests/lab/lab.ts";
import type { Node } from "../tests/lab/node.ts";
import type { Host } from "../tests/lib/host.ts";
import { run } from "../tests/lib/run.ts";
import { call, type Result } from "./call.ts";

/** The two networks; blue is dual stack. */
export const NETWORKS = [
  { id: 101, name: "red", cidrs: ["10.97.1.0/24"] },
  { id: 102, name: "blue", cidrs: ["10.97.2.0/24", "fd00:97:2::/64"] },
] as const;

type NetworkName = (typeof NETWORKS)[number]["name"];

interface Container {
  name: string;
  network: NetworkName;
  node: Node;
  /** What ADD answered. */
  result?: Result;
}

const PLACES: readonly [name: string, network: NetworkName, node: number][] = [
  ["web", "red", 0],
  ["db", "blue", 0],
  ["app", "red", 1],
  ["cache", "blue", 2],
];
/** What a node holds in the kernel, without what changes by itself (lifetimes, neighbours). */
const STATE = [
  "ip -o -br link",
  "ip -o -br address",
  "ip -4 route show table all",
  "ip -6 route show table all",
  "ip -4 rule",
  "ip -6 rule",
  "find /run/vxlan-cni -type f -not -path '*/lock/*' 2>/dev/null || true",
].join("; ");

export class Cluster {
  readonly containers: Container[];
  readonly #before = new Map<Node, string>();

  constructor(readonly lab: Lab, readonly binDir: string) {
    this.containers = PLACES.map(([name, network, index]) => ({ name, network, node: lab.node(index) }));
  }

  /** Notes what each node holds now, for unchanged(); before, the underlay's own addresses must have settled. */
  async remember(): Promise<void> {
    for (const { name, host } of this.lab.nodes) {
      await eventually(
        `${name} has no tentative address`,
        async () => await host.must(["ip", "-6", "address", "show", "tentative"]) === "",
      );
    }
    for (const node of this.lab.nodes) this.#before.set(node, await state(node.host));
  }

  async add(container: Container): Promise<string> {
    await container.node.host.container(container.name);
    container.result = await this.#call("ADD", container);
    return addresses(container).map(({ address }) => address).join(" and ");
  }

  async check(): Promise<string> {
    for (const container of this.containers) await this.#call("CHECK", container);
    return this.containers.map(({ name }) => name).join(", ");
  }

  async del(container: Container): Promise<string> {
    await this.#call("DEL", container);
    const { host } = container.node;
    const links = await host.ip<{ ifname: string }>("link", container.name);
    const left = links.map(({ ifname }) => ifname).filter((name) => name !== "lo");
    if (left.length > 0) throw new Error(`DEL left ${left.join(", ")} in container ${container.name}`);
    await host.must(["ip", "netns", "del", container.name]);
    return "only its loopback is left in its namespace";
  }

  /** Waits until each node has a host route to each container. */
  async spread(): Promise<string> {
    const all = this.containers.flatMap((container) => addresses(container).map(({ ip }) => ip));
    for (const node of this.lab.nodes) {
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
    const before = this.#before.get(node) ?? "";
    let now = "";
    await eventually(`${node.name} is as before`, async () => (now = await state(node.host)) === before, 10_000)
      .catch((cause: unknown) => {
        const left = now.split("\n").filter((line) => !before.includes(line));
        throw new Error(`${node.name} differs: ${left.join("; ") || "something is missing"}`, { cause });
      });
    return "links, addresses, routes, rules, records";
  }

  /** The nodes side by side with what is on them. */
  picture(): string {
    const { nodes } = this.lab;
    const on = (node: Node, network: NetworkName) =>
      this.containers.find((one) => one.node === node && one.network === network);
    const rows: string[][] = [
      ["", ...nodes.map(({ name }) => name), ""],
      ["", ...nodes.map(({ address }) => address), ""],
      ["", ...nodes.map(() => "+"), "underlay"],
      ...NETWORKS.flatMap(({ name, id, cidrs }) => [
        [name, ...nodes.map((node) => `| ${line(on(node, name), ({ gateway }) => `gateway ${gateway}`)}`), `VNI ${id}`],
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

  #call(verb: "ADD" | "CHECK" | "DEL", { name, network, node, result }: Container): Promise<Result | undefined> {
    return call({
      host: node.host,
      plugin: `${this.binDir}/vxlan`,
      path: this.binDir,
      verb,
      containerId: name,
      netns: `/run/netns/${name}`,
      config: {
        cniVersion: "1.1.0",
        name: "demo",
        type: "vxlan",
        defaultNetwork: network,
        ipam: { type: "routetable-ipam", ...node.ipam },
        vxlans: NETWORKS.map(({ id, name, cidrs }) => ({
          ...{ id, name, cidrs },
          options: { vtepdev: "ul0", group: `239.1.1.${id}`, port: "4789" },
        })),
        ...(result === undefined ? {} : { prevResult: result }),
      },
    });
  }

  #find(name: string): Container {
    const found = this.containers.find((container) => container.name === name);
    if (found === undefined) throw new RangeError(`Cannot find container ${name} in the demo`);
    return found;
  }

  #address(name: string, family: 4 | 6): string {
    return addressOf(this.#find(name), family);
  }
}

function addresses({ result }: Container): { ip: string; address: string; gateway: string }[] {
  return (result?.ips ?? []).map(({ address, gateway = "" }) => ({
    ip: address.split("/")[0] ?? "",
    address,
    gateway,
  }));
}

function addressOf(container: Container, family: 4 | 6): string {
  const found = addresses(container).find(({ ip }) => ip.includes(":") === (family === 6));
  if (found === undefined) throw new Error(`${container.name} has no IPv${family} address`);
  return found.ip;
}

/** What the picture says of a container's address, counted from 0; nothing where there is none. */
function line(
  container: Container | undefined,
  say: (address: { ip: string; gateway: string }, name: string) => string,
  index = 0,
): string {
  const address = container === undefined ? undefined : addresses(container)[index];
  return container === undefined || address === undefined ? "" : say(address, container.name).trim();
}

function route(routers: number): string {
  return routers === 0 ? "no router between" : `${routers} router${routers === 1 ? "" : "s"} between`;
}

function state(host: Host): Promise<string> {
  return host.must(["sh", "-c", STATE]);
}
