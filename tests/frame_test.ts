/** Frames against bytes that real tools and the kernel sent, seen by `tcpdump -xx` at the other end of a veth pair. */
import { deepEqual, equal } from "node:assert/strict";
import { ETH_P_ARP, ETH_P_IPV6, ethertype, hear, neighbourAdvertisement, probe } from "../src/frame.ts";
import { announcement } from "./fake/frames.ts";
import { fromHex as hex } from "./lib/golden.ts";
import { ip } from "./lib/parsed.ts";

const MAC = "02:00:5e:10:00:01";
const NEIGHBOUR = "02:00:5e:10:00:02";

// arping -D -c 1 -w 1 -I a0 10.97.1.20
const ARPING_D = hex(`ffff ffff ffff 0200 5e10 0001 0806 0001 0800 0604 0001 0200 5e10 0001 0000 0000
  ffff ffff ffff 0a61 0114`);
// arping -U -c 1 -w 1 -I a0 10.97.1.20
const ARPING_U = hex(`ffff ffff ffff 0200 5e10 0001 0806 0001 0800 0604 0001 0200 5e10 0001 0a61 0114
  ffff ffff ffff 0a61 0114`);
// ping -c 1 10.97.1.21: the kernel's question, and the neighbour's answer
const ARP_REQUEST = hex(`ffff ffff ffff 0200 5e10 0001 0806 0001 0800 0604 0001 0200 5e10 0001 0a61 0114
  0000 0000 0000 0a61 0115`);
const ARP_REPLY = hex(`0200 5e10 0001 0200 5e10 0002 0806 0001 0800 0604 0002 0200 5e10 0002 0a61 0115
  0200 5e10 0001 0a61 0114`);
// ip addr add fd00:97:1::20/64 dev a0: the kernel's duplicate address detection, with a nonce (RFC 7527)
const DAD = hex(`3333 ff00 0020 0200 5e10 0001 86dd 6000 0000 0020 3aff 0000 0000 0000 0000 0000
  0000 0000 0000 ff02 0000 0000 0000 0000 0001 ff00 0020 8700 9fb1 0000 0000 fd00
  0097 0001 0000 0000 0000 0000 0020 0e01 a941 08e3 1cf0`);
// ping -c 1 fd00:97:1::21: the kernel's question, and the neighbour's answer
const NDP_REQUEST = hex(`3333 ff00 0021 0200 5e10 0001 86dd 6000 0000 0020 3aff fd00 0097 0001 0000 0000
  0000 0000 0020 ff02 0000 0000 0000 0000 0001 ff00 0021 8700 1dfa 0000 0000 fd00
  0097 0001 0000 0000 0000 0000 0021 0101 0200 5e10 0001`);
const NDP_REPLY = hex(`0200 5e10 0001 0200 5e10 0002 86dd 6000 0000 0020 3aff fd00 0097 0001 0000 0000
  0000 0000 0021 fd00 0097 0001 0000 0000 0000 0000 0020 8800 bc64 6000 0000 fd00
  0097 0001 0000 0000 0000 0000 0021 0201 0200 5e10 0002`);
// sysctl -w net.ipv6.conf.a0.ndisc_notify=1; ip addr add fd00:97:1::22/64 dev a0 nodad; ip link set a0 up
const UNSOLICITED_NA = hex(`3333 0000 0001 0200 5e10 0001 86dd 6000 0000 0020 3aff fd00 0097 0001 0000 0000
  0000 0000 0022 ff02 0000 0000 0000 0000 0000 0000 0001 8800 fb18 2000 0000 fd00
  0097 0001 0000 0000 0000 0000 0022 0201 0200 5e10 0001`);

/** ARP frames of ours are padded to Ethernet's least length, and leave the target's hardware address zero (RFC 5227, 1.1). */
function asArping(frame: Uint8Array): Uint8Array {
  equal(frame.length, 60);
  deepEqual(frame.subarray(32, 38), new Uint8Array(6));
  deepEqual(frame.subarray(42), new Uint8Array(18));
  const out = frame.slice(0, 42);
  out.fill(0xff, 32, 38);
  return out;
}

Deno.test("probe() for IPv4 is what arping -D sends", () => {
  deepEqual(asArping(probe(ip("10.97.1.20"), MAC)), ARPING_D);
});

Deno.test("probe() for IPv6 is the kernel's duplicate address detection without its nonce", () => {
  const frame = probe(ip("fd00:97:1::20"), MAC);
  const wanted = DAD.slice(0, 78);
  wanted[19] = 24;
  // The kernel's checksum (9fb1) without the nonce and 8 bytes of length, updated as RFC 1624 (eqn. 3) does.
  wanted.set(hex("7ccf"), 56);
  deepEqual(frame, wanted);
});

Deno.test("neighbourAdvertisement() is what the kernel sends behind its headers, but for the checksum that is the kernel's to fill in", () => {
  const wanted = UNSOLICITED_NA.slice(54);
  wanted.fill(0, 2, 4);
  deepEqual(neighbourAdvertisement(ip("fd00:97:1::22"), MAC), wanted);
});

Deno.test("hear() tells probes from uses", () => {
  const cases: [frame: Uint8Array, kind: "probe" | "use", address: string, mac: string][] = [
    [ARPING_D, "probe", "10.97.1.20", MAC],
    [ARPING_U, "use", "10.97.1.20", MAC],
    [ARP_REQUEST, "use", "10.97.1.20", MAC],
    [ARP_REPLY, "use", "10.97.1.21", NEIGHBOUR],
    [DAD, "probe", "fd00:97:1::20", MAC],
    [NDP_REQUEST, "use", "fd00:97:1::20", MAC],
    [NDP_REPLY, "use", "fd00:97:1::21", NEIGHBOUR],
    [UNSOLICITED_NA, "use", "fd00:97:1::22", MAC],
  ];
  for (const [frame, kind, text, mac] of cases) deepEqual(hear(frame), { kind, address: ip(text), mac });
});

Deno.test("hear() passes over what is not about an address, is cut off or was routed here", () => {
  const changed = (frame: Uint8Array, at: number, byte: number) => {
    const out = frame.slice();
    out[at] = byte;
    return out;
  };
  equal(hear(new Uint8Array(0)), undefined);
  for (const frame of [ARPING_D, DAD]) {
    for (let length = 0; length < frame.length - (frame === DAD ? 8 : 0); length++) {
      equal(hear(frame.subarray(0, length)), undefined, `first ${length} bytes`);
    }
  }
  equal(hear(changed(ARPING_D, 12, 0x88)), undefined, "another EtherType");
  equal(hear(changed(ARPING_D, 17, 0x01)), undefined, "ARP of another protocol");
  equal(hear(changed(ARPING_D, 21, 2)), undefined, "a reply from nobody");
  equal(hear(changed(DAD, 21, 254)), undefined, "hop limit below 255: came through a router");
  equal(hear(changed(DAD, 20, 17)), undefined, "UDP");
  equal(hear(changed(DAD, 54, 133)), undefined, "a router solicitation");
});

Deno.test("hear() reads our own frames", () => {
  for (const text of ["10.97.1.20", "fd00:97:1::20"]) {
    deepEqual(hear(probe(ip(text), MAC)), { kind: "probe", address: ip(text), mac: MAC });
    deepEqual(hear(announcement(ip(text), MAC)), { kind: "use", address: ip(text), mac: MAC });
  }
  deepEqual([ethertype(ip("10.97.1.20")), ethertype(ip("::1"))], [ETH_P_ARP, ETH_P_IPV6]);
});
