/** What the README and the docs show is what the tests run. */
import assert from "node:assert/strict";
import { binDir } from "../lib/call.ts";
import { addresses } from "../lib/caller.ts";
import { ensurePackages } from "../lib/packages.ts";
import { Node } from "./node.ts";

const ROOT = new URL("../../", import.meta.url);
/** Debian's reference plugins. */
const REFERENCE = "/usr/lib/cni";

/** The configurations that the README shows or points to, with the program that a runtime calls for them and the networks to ask for. */
const CONFIGS: [file: string, program: string, networks: string[]][] = [
  ["minimal.json", "vxlan", ["red"]],
  ["full.json", "vxlan", ["red", "blue"]],
  ["original.json", "vxlan", ["red"]],
  ["macvlan-ipam.json", `${REFERENCE}/macvlan`, ["lan"]],
];

async function read(path: string): Promise<string> {
  return await Deno.readTextFile(new URL(path, ROOT));
}

for (const [file, program, networks] of CONFIGS) {
  Deno.test(`fixtures/config/${file}: ADD, CHECK and DEL`, async () => {
    await ensurePackages(["containernetworking-plugins"]);
    const config = JSON.parse(await read(`fixtures/config/${file}`)) as Record<string, unknown>;
    // The reference plugins of Debian speak 1.0.0.
    const cniVersion = program === "vxlan" ? config.cniVersion : "1.0.0";
    for (const network of networks) {
      await using node = await Node.make();
      const id = await node.container();
      const annotations = { "vxlan-cni.travishegner.com/NetworkName": network };
      const asked = {
        ...config,
        cniVersion,
        ...(network === "blue" ? { args: { annotations } } : {}),
      };
      // As the kubelet does.
      const args = "IgnoreUnknown=1;K8S_POD_NAMESPACE=blue;K8S_POD_NAME=web-1;K8S_POD_INFRA_CONTAINER_ID=0815";
      const options = { program, args, path: `${await binDir()}:${REFERENCE}` };
      const prevResult = await node.run("ADD", id, { config: asked, ...options });
      assert.ok((prevResult.ips ?? []).length > 0);
      // It asks for this one.
      if (file === "original.json") assert.deepEqual(addresses(prevResult), ["10.97.1.20"]);
      const checked = await node.call("CHECK", id, { config: { ...asked, prevResult }, ...options });
      assert.deepEqual([checked.code, checked.stdout], [0, ""]);
      await node.run("DEL", id, { config: { ...asked, prevResult }, ...options });
      assert.deepEqual(await node.changes(), []);
    }
  });
}

Deno.test("the README shows the configurations as they are tested", async () => {
  const readme = await read("README.md");
  for (const [, path, block] of readme.matchAll(/<!-- (fixtures\/\S+) -->\s+```json\n([^]*?)```/g)) {
    assert.deepEqual(JSON.parse(block ?? ""), JSON.parse(await read(path ?? "")), path);
  }
});

Deno.test("the README names every key and every option, docs/errors.md every code", async () => {
  const [readme, errors, codes] = await Promise.all([
    read("README.md"),
    read("docs/errors.md"),
    read("src/cni/error.ts"),
  ]);
  const sources = ["vxlan/config.ts", "vxlan/network.ts", "vxlan/options.ts", "routetable/config.ts"];
  for (const source of sources) {
    const named = /^ {2}(\w+): (?:(?:whole|string|boolean|someOf|cidr|number)\(|z\.|(?:mac|device|address|flag),)/gm;
    const keys = Array.from((await read(`src/${source}`)).matchAll(named), ([, key = ""]) => key);
    assert.ok(keys.length > 5, source);
    for (const key of keys) assert.ok(readme.includes(key), `README.md does not name ${key} of ${source}`);
  }
  for (const [, code] of codes.matchAll(/^ {2}\w+: (\d+),/gm)) {
    assert.match(errors, new RegExp(`^\\| ${code} `, "m"), `docs/errors.md does not have ${code}`);
  }
});

Deno.test("the words that the README shows for a recipe print one", async () => {
  await using node = await Node.make();
  const words = /dist\/vxlan-cni (routing bird [^]*?)\s+#/.exec(await read("README.md"))?.[1] ?? "";
  await node.host.must(["mkdir", "/run/config"]);
  await node.host.must(["tee", "/run/config/10-cluster.conf"], { stdin: await read("fixtures/config/minimal.json") });
  const args = words.replaceAll("\\\n", " ").replace("/etc/cni/net.d", "/run/config").split(/\s+/);
  const { code, stdout } = await node.host.run([`${await binDir()}/vxlan`, ...args], { clearEnv: true });
  assert.equal(code, 0);
  assert.match(stdout, /protocol bgp/);
});
