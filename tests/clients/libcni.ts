/** Builds and calls the Go program that attaches containers through libcni. */
import { type Attachment, type CniError, type CniResult, systemPath } from "../lib/chain.ts";
import { ensurePackages } from "../lib/packages.ts";
import { must } from "../lib/run.ts";

/** What libcni answered: neither key when a verb without result succeeded. */
export interface Answer<Result = CniResult> {
  result?: Result;
  error?: CniError;
}

/** The verbs of the program; `VALIDATE` asks all plugins for their versions, `CACHED` reads the result that ADD left. */
export type Verb = "ADD" | "CHECK" | "DEL" | "VALIDATE" | "CACHED";

/** Builds the program from Debian's golang-github-appc-cni-dev with Debian's Go; returns its path in `folder`. */
export async function buildLibcni(folder: string): Promise<string> {
  await ensurePackages(["golang-go", "golang-github-appc-cni-dev", "containernetworking-plugins", "busybox-static"]);
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

/** Calls the program at `program` on the host that `enter` leads to; lists and results are kept in `folder`. */
export async function callLibcni<Result = CniResult>(
  enter: (command: readonly string[]) => string[],
  program: string,
  folder: string,
  verb: Verb,
  attachment: Attachment,
): Promise<Answer<Result>> {
  const {
    conflist,
    pluginDirs,
    containerId,
    netns,
    ifname,
    args = "",
    capabilities = {},
    path: searched = systemPath,
  } = attachment;
  const path = `${folder}/${conflist.name}.conflist`;
  await Deno.writeTextFile(path, JSON.stringify(conflist));
  const options: Record<string, string> = {
    conflist: path,
    "plugin-dirs": pluginDirs.join(":"),
    cache: `${folder}/cache`,
    container: containerId,
    netns,
    ifname,
    args,
    capabilities: JSON.stringify(capabilities),
  };
  const words = Object.entries(options).map(([name, value]) => `-${name}=${value}`);
  const command = ["env", "-i", `PATH=${searched}`, program, ...words, verb];
  return JSON.parse(await must(enter(command))) as Answer<Result>;
}
