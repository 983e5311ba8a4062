/** VERSION, which the executable answers before it loads a plugin. What else a version changes is told by tests/stories/result.ts. */
import assert from "node:assert/strict";
import { call } from "../lib/call.ts";
import { Host } from "../lib/host.ts";

const VERSIONS = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"];

Deno.test("VERSION is answered in every version, under all names", async () => {
  await using host = await Host.make();
  for (const program of ["vxlan", "routetable-ipam", "route-table"]) {
    for (const cniVersion of VERSIONS) {
      const { code, json, stderr } = await call(host, "VERSION", { program, config: { cniVersion } });
      assert.deepEqual([code, stderr], [0, ""]);
      assert.deepEqual(json, { cniVersion, supportedVersions: VERSIONS });
    }
  }
});
