/** Attaches containers through libcni, by a Go program that is built for it. */
import { type Answer, binDir, environmentOf, SYSTEM_PATH } from "../lib/call.ts";
import type { Host } from "../lib/host.ts";
import { ensurePackages } from "../lib/packages.ts";
import { must } from "../lib/run.ts";
import type { Attachment } from "./chain.ts";

/** What libcni answered: neither key when a verb without result succeeded. */
export interface Outcome<Result = Answer> {
  result?: Result;
  error?: { code: number; msg: string; details?: string };
}

/** The verbs of the program; `VALIDATE` asks all plugins for their versions, `CACHED` reads the result that ADD left. */
export type Verb = "ADD" | "CHECK" | "DEL" | "VALIDATE" | "CACHED";

export class Libcni {
  private constructor(readonly host: Host, readonly folder: string, readonly program: string) {}

  /** Libcni on a host; it keeps lists and results in `folder`. */
  static async make(host: Host, folder: string): Promise<Libcni> {
    return new Libcni(host, folder, await build());
  }

  async call<Result = Answer>(verb: Verb, attachment: Attachment): Promise<Outcome<Result>> {
    const { conflist, pluginDirs, containerId, netns, ifname, args = "", capabilities = {} } = attachment;
    const path = `${this.folder}/${conflist.name}.conflist`;
    await Deno.writeTextFile(path, JSON.stringify(conflist));
    const options: Record<string, string> = {
      conflist: path,
      "plugin-dirs": pluginDirs.join(":"),
      cache: `${this.folder}/cache`,
      container: containerId,
      netns: environmentOf(verb, { netns }).CNI_NETNS ?? "",
      ifname,
      args,
      capabilities: JSON.stringify(capabilities),
    };
    const words = Object.entries(options).map(([name, value]) => `-${name}=${value}`);
    const command = ["env", "-i", `PATH=${attachment.path ?? SYSTEM_PATH}`, this.program, ...words, verb];
    return JSON.parse(await this.host.must(command)) as Outcome<Result>;
  }
}

/** Builds the program from Debian's golang-github-appc-cni-dev with Debian's Go, once for a test process; returns its path. */
async function build(): Promise<string> {
  await ensurePackages(["golang-go", "golang-github-appc-cni-dev"]);
  const folder = `${await binDir()}/libcni`;
  const program = `${folder}/libcni`;
  const source = new URL("libcni/main.go", import.meta.url).pathname;
  await must(["/usr/lib/go/bin/go", "build", "-o", program, source], {
    clearEnv: true,
    timeout: 300_000,
    env: {
      PATH: "/usr/bin:/bin",
      HOME: folder,
      GOPATH: "/usr/share/gocode",
      GO111MODULE: "off",
      GOCACHE: `${folder}/go-cache`,
      GOTOOLCHAIN: "local",
      CGO_ENABLED: "0",
    },
  });
  return program;
}
