/** The routing daemons of the lab: Debian's own packages, installed only where they are missing. */
import { must } from "../support/run.ts";

/** A Debian package that the lab may need, and a file that shows that it is there. */
const WITNESS = { bird2: "/usr/sbin/bird", frr: "/usr/lib/frr/bgpd" } as const;

/** Makes sure that a package is installed; with `RUNLEVEL=1` its installation starts no daemon on this machine. */
export async function ensurePackage(name: keyof typeof WITNESS): Promise<void> {
  if (await exists(WITNESS[name])) return;
  const env = { RUNLEVEL: "1", DEBIAN_FRONTEND: "noninteractive" };
  const lock = ["-o", "DPkg::Lock::Timeout=300"];
  await must(["apt-get", ...lock, "update", "-q"], { env, timeout: 600_000 });
  await must(["apt-get", ...lock, "install", "-qy", "--no-install-recommends", name], { env, timeout: 600_000 });
  if (!await exists(WITNESS[name])) throw new Error(`Cannot find ${WITNESS[name]} after installing ${name}`);
}

function exists(path: string): Promise<boolean> {
  return Deno.stat(path).then(() => true, () => false);
}
