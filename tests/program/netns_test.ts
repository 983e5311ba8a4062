import assert from "node:assert/strict";
import { Node } from "./node.ts";

Deno.test("a namespace that is the host's own, missing or none at all is refused, and DEL of it succeeds", async () => {
  await using node = await Node.make();
  await node.host.must(["sh", "-c", "echo text > /run/file; mkdir /run/folder; mkfifo /run/fifo"]);
  const cases = [
    "/proc/self/ns/net",
    "/run/netns/none",
    "/run/file",
    "/run/folder",
    "/run/fifo",
    "/run/file/below",
    "/proc/self/ns/mnt",
  ];
  for (const netns of cases) {
    const { code, msg } = await node.refuse("ADD", "c1", { netns });
    assert.equal(code, 8, msg);
    assert.ok(msg.includes(netns), msg);
    assert.deepEqual(await node.changes(), []);
    assert.equal((await node.call("DEL", "c1", { netns })).code, 0, netns);
  }
  const { json } = await node.call("ADD", "c1", {
    netns: "/proc/self/ns/net",
    env: { CNI_NETNS_OVERRIDE: "1" },
    ifname: "here",
  });
  assert.equal(json?.interfaces?.[2]?.name, "here");
  await node.host.must(["ip", "link", "show", "here"]);
});
