/** Programs for CNI_PATH that tell what they were asked, and answer or hand on. */
import type { Host } from "../lib/host.ts";

const LOG = "/run/ipam.log";

/** Puts a shell script into a folder of the host; it writes down each call, then does what `then` says. Returns the folder. */
export async function recorder(host: Host, name: string, then: string): Promise<string> {
  const folder = `/run/recorder-${name}`;
  const script = `#!/bin/sh
printf '%s\\n' "$CNI_COMMAND $CNI_CONTAINERID $CNI_IFNAME $CNI_ARGS" >> ${LOG}
${then}
`;
  await host.must(["sh", "-c", `mkdir -p ${folder} && cat > ${folder}/${name} && chmod 755 ${folder}/${name}`], {
    stdin: script,
  });
  return folder;
}

export interface Recorded {
  verb: string;
  containerId: string;
  ifname: string;
  args: Record<string, string>;
}

/** What the recorders of a host were asked since the last look, oldest first. */
export async function recorded(host: Host): Promise<Recorded[]> {
  const text = await host.must(["sh", "-c", `cat ${LOG} 2>/dev/null; rm -f ${LOG}`]);
  return text.split("\n").filter((line) => line !== "").map((line) => {
    const [verb = "", containerId = "", ifname = "", args = ""] = line.split(" ");
    const pairs = args.split(";").filter((pair) => pair !== "").map((pair) => pair.split("=", 2));
    return { verb, containerId, ifname, args: Object.fromEntries(pairs) };
  });
}
