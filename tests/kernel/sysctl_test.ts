import assert from "node:assert/strict";
import { EINVAL } from "../../src/errno.ts";
import { create, remove } from "../../src/state/apply.ts";
import { compare, complaints, toCreate } from "../../src/state/compare.ts";
import type { SysctlObject } from "../../src/state/sysctl.ts";
import { Room } from "./room.ts";

function setting(name: string, value: string, changes: Partial<SysctlObject> = {}): SysctlObject {
  return { kind: "sysctl", in: "node", family: "ipv6", device: "ul0", name, value, ...changes };
}

const shown = async (room: Room, key: string) => (await room.host.must(["sysctl", "-n", key])).trim();

Deno.test("a setting is written and read, of either family, as sysctl does", async () => {
  await using room = await Room.make();
  const node = room.kernel;
  for (const object of [setting("accept_ra", "0"), setting("rp_filter", "2", { family: "ipv4" })]) {
    const key = `net.${object.family}.conf.ul0.${object.name}`;
    await room.host.must(["sysctl", "-qw", `${key}=1`]);
    assert.deepEqual(complaints(compare({ node }, [object])), [`sysctl ${key} has value 1, not ${object.value}`]);
    assert.deepEqual(toCreate(compare({ node }, [object])), [object]);
    create({ node }, [object], new AsyncDisposableStack());
    assert.equal(await shown(room, key), object.value);
    assert.equal(room.inspect(object).state, "present");
    remove({ node }, [object]);
    assert.equal(await shown(room, key), object.value, "it goes with its device");
  }
});

Deno.test("a setting of a container's is the container's", async () => {
  await using room = await Room.make();
  using container = await room.container("c1");
  const object = setting("accept_ra", "0", { in: "container", device: "lo" });
  create({ node: room.kernel, container }, [object], new AsyncDisposableStack());
  const inside = ["ip", "netns", "exec", "c1", "sysctl", "-n", "net.ipv6.conf.lo.accept_ra"];
  assert.equal(await room.host.must(inside), "0\n");
  assert.equal(await shown(room, "net.ipv6.conf.lo.accept_ra"), "1");
});

Deno.test("a setting that the kernel does not have is as wanted; one of a device that is not there is missing", async () => {
  await using room = await Room.make();
  const node = room.kernel;
  const unknown = setting("no_such_key", "1");
  assert.equal(room.inspect(unknown).state, "present");
  create({ node }, [unknown], new AsyncDisposableStack());
  const gone = setting("accept_ra", "0", { device: "none" });
  assert.equal(room.inspect(gone).state, "missing");
  assert.throws(
    () => create({ node }, [gone], new AsyncDisposableStack()),
    /^KernelError: Cannot write sysctl net\/ipv6\/conf\/none\/accept_ra: ENOENT/,
  );
});

Deno.test("a value that makes no sense is refused with the setting's name", async () => {
  await using room = await Room.make();
  assert.throws(() => create({ node: room.kernel }, [setting("mtu", "text")], new AsyncDisposableStack()), {
    name: "KernelError",
    errno: EINVAL,
    message: /^Cannot write sysctl net\/ipv6\/conf\/ul0\/mtu: EINVAL/,
  });
});
