/** Installs what a test needs from the distribution: only what is missing, and without starting any daemon. */
import { must, run } from "./run.ts";

// RUNLEVEL=1 keeps maintainer scripts from starting daemons.
const env = { RUNLEVEL: "1", DEBIAN_FRONTEND: "noninteractive" };
const timeout = 600_000;

/** Installs the Debian packages that are not installed yet; waits up to five minutes for another apt to end. */
export async function ensurePackages(names: readonly string[]): Promise<void> {
  const missing = await missingPackages(names);
  if (missing.length === 0) return;
  if (await install(missing)) return;
  // The usual reason is that the lists are missing or too old.
  await must(["apt-get", "-o", "DPkg::Lock::Timeout=300", "update"], { env, timeout });
  if (await install(missing)) return;
  const stillMissing = await missingPackages(names);
  if (stillMissing.length === 0) return;
  throw new Error(
    `Cannot install packages: ${stillMissing.join(" ")} are missing after apt-get install; look at the package sources`,
  );
}

/** The names among `names` whose package is not completely installed. */
async function missingPackages(names: readonly string[]): Promise<string[]> {
  const format = "${Package} ${db:Status-Status}\n";
  const { stdout } = await run(["dpkg-query", "-W", "-f", format, ...names]);
  const states = stdout.split("\n");
  return names.filter((name) => !states.includes(`${name} installed`));
}

async function install(names: readonly string[]): Promise<boolean> {
  const options = ["-o", "DPkg::Lock::Timeout=300", "install", "-y", "-qq", "--no-install-recommends"];
  const { code } = await run(["apt-get", ...options, ...names], { env, timeout });
  return code === 0;
}
