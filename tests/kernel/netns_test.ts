import assert from "node:assert/strict";
import { EINVAL, ENOENT, failedWith } from "../../src/errno.ts";
import { RTNLGRP_ROUTE } from "../../src/netlink/route.ts";
import { announce } from "../../src/state/announce.ts";
import { hostNetns, openNetns } from "../../src/system/netns.ts";
import { readable } from "../../src/system/socket.ts";
import { eventually } from "../lib/eventually.ts";
import { ip } from "../lib/parsed.ts";
import { Room } from "./room.ts";

/** The namespace that the thread of this test is in. */
function here(): string {
  return Deno.readLinkSync("/proc/thread-self/ns/net");
}

Deno.test("a namespace is entered for one thing at a time, and left again", async () => {
  const before = here();
  await using room = await Room.make();
  assert.equal(here(), before);
  // The socket stays where it was opened.
  assert.deepEqual(room.kernel.links().map(({ name }) => name), ["lo", "wire", "ul0"]);
  await room.host.must(["sysctl", "-qw", "net.ipv6.conf.ul0.accept_ra=1"]);
  assert.equal(room.netns.sysctl("ipv6/conf/ul0/accept_ra"), "1");
  room.netns.setSysctl("ipv6/conf/ul0/accept_ra", "0");
  assert.equal(await room.host.must(["sysctl", "-n", "net.ipv6.conf.ul0.accept_ra"]), "0\n");
  assert.equal(room.netns.sysctl("ipv6/conf/ul0/accept_ra"), "0");
  assert.equal(room.netns.sysctl("ipv6/conf/ul0/no_such_key"), undefined);
  assert.throws(() => room.netns.setSysctl("ipv6/conf/ul0/no_such_key", "1"), (error) => failedWith(error, ENOENT));
  assert.throws(() => room.netns.setSysctl("ipv6/conf/ul0/mtu", "text"), /Cannot write sysctl net\/ipv6/);
  assert.equal(here(), before);
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
    announce(room.kernel, { index: room.index("ul0"), mac }, [ip(text)]);
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

Deno.test("a namespace made anew under the same name, and with the same inode, has another identity", async () => {
  await using room = await Room.make();
  const seen = new Map<number | null, string[]>();
  // The kernel takes a namespace down in its own time, and gives its inode to one of the next.
  await eventually("a namespace with the inode of an earlier one", async () => {
    await room.host.container("c1");
    const { ino } = Deno.statSync(room.path("c1"));
    {
      using netns = openNetns(room.path("c1"));
      assert.match(netns.identity, /^\d+$/);
      seen.set(ino, [...seen.get(ino) ?? [], netns.identity]);
    }
    await room.host.must(["ip", "netns", "del", "c1"]);
    return seen.get(ino)?.length === 2;
  });
  const identities = [...seen.values()].flat();
  assert.equal(new Set(identities).size, identities.length);
});

Deno.test("waiting ends with the first datagram, or when the time is over", async () => {
  await using room = await Room.make();
  // Nobody here has an IPv4 address: no route comes but the one that is added below. Links tell of themselves in their own time.
  using events = room.netns.events([RTNLGRP_ROUTE[4]]);
  assert.equal(await readable([events], 1), false);
  assert.equal(events.receive(false), undefined);
  const waiting = readable([events], 10_000);
  await room.ip("route add 10.97.1.5 dev ul0");
  assert.equal(await waiting, true);
  assert.ok((events.receive(false)?.length ?? 0) > 0);
  assert.equal(await readable([events], 1), false);
});
