/** `vxlan-cni install`: puts the executable where runtimes look for it. */
import { type Command, textOf, usageError } from "./command.ts";

export const install: Command = {
  options: { "bin-dir": { type: "string" } },
  async run(words, operator) {
    const binDir = textOf(words, "bin-dir");
    if (binDir === undefined) throw usageError("Cannot install: wanted --bin-dir DIR, got nothing");
    for (const path of await operator.install(binDir)) operator.print(path);
    return 0;
  },
};
