import assert from "node:assert/strict";
import { EINVAL, ENOENT, failedWith } from "../../src/errno.ts";
import { rtnetlink } from "../../src/netlink/rtnetlink.ts";
import { announce } from "../../src/state/announce.ts";
import { hostNetns, openNetns } from "../../src/system/netns.ts";
import { readable } from "../../src/system/socket.ts";
import { ip, Room } from "./room.ts";

/** The namespace that the thread of this test is in. */
function here(): string {
  return Deno.readLinkSync("/proc/thread-self/ns/net");
}

Deno.test("a namespace is entered for one thing at a time, and left again", async () => {
  const before = here();
  await using room = await Room.make();
  assert.equal(here(), before);
  using socket = room.netns.netlink();
  assert.equal(here(), before);
  // The socket stays where it was opened.
  using kernel = rtnetlink(socket);
  assert.deepEqual(kernel.links().map(({ name }) => name), ["lo", "wire", "ul0"]);
  room.netns.sysctl("ipv6/conf/ul0/accept_ra", "0");
  assert.equal(await room.host.must(["sysctl", "-n", "net.ipv6.conf.ul0.accept_ra"]), "0\n");
  room.netns.sysctl("ipv6/conf/ul0/no_such_key", "1");
  assert.throws(() => room.netns.sysctl("ipv6/conf/ul0/mtu", "text"), /sysctl/);
  assert.throws(() => room.netns.packet(0x0806, 9999), /ENODEV|ENXIO/);
  assert.equal(here(), before);
  using own = hostNetns();
  assert.notEqual(own.identity, room.netns.identity);
  using again = openNetns("/proc/thread-self/ns/net");
  assert.equal(own.identity, again.identity);
});

Deno.test("two paths to one namespace have one identity, and what is none is refused", async () => {
  await using room = await Room.make();
  await room.host.container("c1");
  const root = `/proc/${room.host.pid}/root/run`;
  await room.host.must([
    "sh",
    "-c",
    "mkfifo /run/fifo && echo > /run/file && touch /run/netns/other && mount --bind /run/netns/c1 /run/netns/other",
  ]);
  using one = openNetns(`${root}/netns/c1`);
  using two = openNetns(`${root}/netns/other`);
  assert.equal(one.identity, two.identity);
  assert.notEqual(one.identity, room.netns.identity);
  for (const path of ["fifo", "file", "netns"]) {
    assert.throws(() => openNetns(`${root}/${path}`), (error) => failedWith(error, EINVAL), path);
  }
  assert.throws(() => openNetns(`${root}/none`), (error) => failedWith(error, ENOENT));
  assert.throws(() => openNetns("/proc/self/ns/mnt"), (error) => failedWith(error, EINVAL));
});

Deno.test("an announcement leaves as gratuitous ARP and as neighbour advertisement", async () => {
  await using room = await Room.make();
  const mac = room.kernel.link("ul0")?.mac ?? "";
  await room.ip("addr add 10.97.1.5/24 dev ul0");
  await room.ip("addr add fd00:97::5/64 dev ul0 nodad");
  for (
    const [text, ethertype, wanted] of [["10.97.1.5", 0x0806, /^ffffffffffff/], [
      "fd00:97::5",
      0x86dd,
      /^333300000001/,
    ]] as const
  ) {
    using listening = room.netns.packet(ethertype, room.index("wire"));
    announce(room.netns, room.kernel, { index: room.index("ul0"), mac }, [ip(text)]);
    const address = text.includes(":") ? "fd0000970000000000000000000000" + "05" : "0a610105";
    for (;;) {
      assert.ok(await readable([listening], 5000), "nothing came");
      const frame = Array.from(listening.receive(false) ?? [], (byte) => byte.toString(16).padStart(2, "0")).join("");
      // The kernel's own multicast reports pass by as well.
      if (!frame.includes(address)) continue;
      assert.match(frame, wanted);
      assert.ok(frame.includes(mac.replaceAll(":", "")));
      break;
    }
  }
});

Deno.test("waiting ends with the first datagram, or when the time is over", async () => {
  await using room = await Room.make();
  using events = room.netns.netlink([1]);
  assert.equal(await readable([events], 1), false);
  assert.equal(events.receive(false), undefined);
  const waiting = readable([events], 10_000);
  await room.ip("link set ul0 mtu 1400");
  assert.equal(await waiting, true);
  assert.ok((events.receive(false)?.length ?? 0) > 0);
});
