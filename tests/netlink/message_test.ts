/** The conversation with the kernel, the kernel being a function: requests in, datagrams out. */
import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { KernelError } from "../../src/errno.ts";
import { link } from "../../src/netlink/link.ts";
import {
  conversation,
  decodeMessages,
  encodeMessage,
  type Message,
  NLM_F_CREATE,
  NLM_F_DUMP,
  type Outcome,
  type Request,
} from "../../src/netlink/message.ts";
import type { Socket } from "../../src/world.ts";
import { datagrams, fromHex, message, toHex } from "../lib/golden.ts";

const NLM_F_MULTI = 2;
const NLM_F_DUMP_INTR = 0x10;
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;

/** A socket whose kernel answers each datagram with others; remembers what was sent. */
function fake(answer: (requests: Message[]) => Message[][]): Socket & { sent: Message[][] } {
  const queue: Uint8Array[] = [];
  const sent: Message[][] = [];
  return {
    sent,
    send(datagram) {
      const requests = decodeMessages(datagram);
      sent.push(requests);
      for (const messages of answer(requests)) {
        queue.push(Uint8Array.from(messages.flatMap((one) => [...encodeMessage(one)])));
      }
    },
    receive: () => queue.shift(),
    [Symbol.dispose]() {},
  };
}

function numbered(...bytes: number[]): Uint8Array {
  return Uint8Array.from(bytes);
}

function reply(sequence: number, type: number, payload: Uint8Array, flags = 0): Message {
  return { type, flags, sequence, payload };
}

/** `struct nlmsgerr` whose request is capped to its header. */
function verdict(sequence: number, errno: number, { flags = NLM_F_CAPPED, rest = "" } = {}): Message {
  const payload = new Uint8Array(20);
  const view = new DataView(payload.buffer);
  view.setInt32(0, -errno, true);
  view.setUint32(4, 16, true);
  return reply(sequence, NLMSG_ERROR, numbered(...payload, ...fromHex(rest)), flags);
}

function done(sequence: number, errno = 0, flags = NLM_F_MULTI, rest = ""): Message {
  const payload = new Uint8Array(4);
  new DataView(payload.buffer).setInt32(0, -errno, true);
  return reply(sequence, NLMSG_DONE, numbered(...payload, ...fromHex(rest)), flags);
}

const ask: Request = { action: "list links", type: 18, flags: NLM_F_DUMP, payload: numbered(1) };
const make: Request = { action: 'create link "vx_red"', type: 16, flags: NLM_F_CREATE, payload: numbered(1, 2, 3, 4) };
const first = (sent: Message[]) => sent[0]?.sequence ?? 0;

function said(outcome: Outcome): string {
  if (!("error" in outcome)) return "done";
  return outcome.error instanceof Error ? outcome.error.message : "no error";
}

Deno.test("messages are aligned to four bytes, and hold their length without the padding", () => {
  const bytes = encodeMessage({ type: 16, flags: 5, sequence: 7, payload: numbered(0xaa) });
  equal(toHex(bytes), "11000000" + "1000" + "0500" + "07000000" + "00000000" + "aa000000");
  deepEqual(decodeMessages(bytes), [{ type: 16, flags: 5, sequence: 7, payload: numbered(0xaa) }]);
});

Deno.test("encodeMessage() reproduces what `ip` sent, header and all", () => {
  for (const name of ["link_add_vxlan", "route_add_host", "rule_add_v6"]) {
    deepEqual(encodeMessage(message(name)), datagrams(name)[0]);
  }
});

Deno.test("decodeMessages() wants lengths that are possible, and comes to an end", () => {
  for (const wrong of ["00000000", "0f000000", "11000000", "ffffffff"]) {
    throws(() => decodeMessages(fromHex(`${wrong} 1000 0500 07000000 00000000`)), RangeError, wrong);
  }
  deepEqual(decodeMessages(new Uint8Array(0)), []);
  deepEqual(decodeMessages(new Uint8Array(15)), [], "less than a header is not a message");
  equal(
    decodeMessages(fromHex("11000000 1000 0500 07000000 00000000 aa")).length,
    1,
    "the last padding may be missing",
  );
});

Deno.test("several requests travel in one datagram, each with its own acknowledgement", () => {
  const socket = fake((sent) => sent.map(({ sequence }, index) => [verdict(sequence, index === 1 ? 17 : 0)]));
  const outcomes = conversation(socket).batch([make, make, make]);
  equal(socket.sent.length, 1);
  deepEqual(socket.sent[0]?.map(({ flags }) => flags), Array(3).fill(NLM_F_CREATE | 5));
  deepEqual(outcomes.map(said), [
    "done",
    'Cannot create link "vx_red": EEXIST (file exists)',
    "done",
  ]);
});

Deno.test("acknowledgements may come in one datagram, in any order", () => {
  const socket = fake((
    sent,
  ) => [sent.map(({ sequence }, index) => verdict(sequence, [17, 0, 19][index] ?? 0)).reverse()]);
  const outcomes = conversation(socket).batch([make, make, make]);
  deepEqual(outcomes.map(said), [
    'Cannot create link "vx_red": EEXIST (file exists)',
    "done",
    'Cannot create link "vx_red": ENODEV (no such device)',
  ]);
});

Deno.test("nothing to ask is not asked", () => {
  const socket = fake(() => []);
  deepEqual(conversation(socket).batch([]), []);
  equal(socket.sent.length, 0);
});

Deno.test("a dump in two datagrams is one list, and asks for no acknowledgement", () => {
  const part = (sequence: number, byte: number) => reply(sequence, 16, numbered(byte), NLM_F_MULTI);
  const socket = fake((sent) => {
    const sequence = first(sent);
    return [[part(sequence, 1), part(sequence, 2)], [part(sequence, 3)], [done(sequence)]];
  });
  deepEqual(conversation(socket).execute(ask), [numbered(1), numbered(2), numbered(3)]);
  equal(socket.sent[0]?.[0]?.flags, NLM_F_DUMP | 1);
});

Deno.test("a dump that was interrupted is asked for again: half a list would read as a free address", () => {
  const part = (sequence: number, byte: number, flags = 0) => reply(sequence, 16, numbered(byte), NLM_F_MULTI | flags);
  const socket = fake((sent) => {
    const sequence = first(sent);
    return sequence < 3
      ? [[part(sequence, 9), part(sequence, 8, NLM_F_DUMP_INTR)], [done(sequence)]]
      : [[part(sequence, 1)], [done(sequence)]];
  });
  deepEqual(conversation(socket).execute(ask), [numbered(1)]);
  equal(socket.sent.length, 3);
});

Deno.test("an interruption that only the end of the dump tells of counts as well", () => {
  const socket = fake((sent) => {
    const sequence = first(sent);
    return [[done(sequence, 0, sequence === 1 ? NLM_F_MULTI | NLM_F_DUMP_INTR : NLM_F_MULTI)]];
  });
  deepEqual(conversation(socket).execute(ask), []);
  equal(socket.sent.length, 2);
});

Deno.test("a dump that is interrupted for ever is an error", () => {
  const socket = fake((sent) => [[done(first(sent), 0, NLM_F_MULTI | NLM_F_DUMP_INTR)]]);
  throws(() => conversation(socket).execute(ask), /Cannot list links: the list changed during each of 20 readings/);
});

Deno.test("a dump can fail at its end", () => {
  const socket = fake((sent) => [[reply(first(sent), 16, numbered(1), NLM_F_MULTI)], [done(first(sent), 19)]]);
  throws(() => conversation(socket).execute(ask), { name: "KernelError", errno: 19 });
});

/** NLMSGERR_ATTR_MSG "no": what the kernel says in its own words. */
const WORDS = "070001006e6f0000";

Deno.test("the kernel's own words are part of the error, wherever it puts them", () => {
  const ends: [string, (sequence: number) => Message][] = [
    ["behind a capped request", (s) => verdict(s, 22, { flags: NLM_F_CAPPED | NLM_F_ACK_TLVS, rest: WORDS })],
    ["at the end of a dump", (s) => done(s, 22, NLM_F_MULTI | NLM_F_ACK_TLVS, WORDS)],
  ];
  for (const [where, end] of ends) {
    const socket = fake((sent) => [[end(first(sent))]]);
    throws(() => conversation(socket).execute(ask), {
      message: "Cannot list links: EINVAL (invalid argument): no",
    }, where);
  }
});

Deno.test("what a real kernel said about a bad gateway, behind the whole request", () => {
  const [answer] = datagrams("error_reply");
  if (answer === undefined) throw new Error("Cannot test: no fixture");
  const socket = fake((sent) => decodeMessages(answer).map((one) => [{ ...one, sequence: first(sent) }]));
  throws(() => conversation(socket).execute({ ...make, action: "add route 10.97.9.0/24" }), {
    message: "Cannot add route 10.97.9.0/24: ENETUNREACH (network is unreachable): Nexthop has invalid gateway",
  });
});

Deno.test("the attribute that a real kernel refused is named, from its place in the request", () => {
  const { type, flags, payload } = message("attribute_error");
  const [answer] = datagrams("attribute_error_reply");
  if (answer === undefined) throw new Error("Cannot test: no fixture");
  const words = "EINVAL (invalid argument)";
  const refused = (noun: Request["noun"]) => {
    const socket = fake((sent) => decodeMessages(answer).map((one) => [{ ...one, sequence: first(sent) }]));
    const [outcome] = conversation(socket).batch([{ action: 'create link "vx_bad"', type, flags, payload, noun }]);
    return outcome === undefined ? "nothing" : said(outcome);
  };
  equal(refused(link), `Cannot create link "vx_bad": ${words}: info.vxlan.portRange: Invalid source port range`);
  equal(refused(undefined), `Cannot create link "vx_bad": ${words}: Invalid source port range`);
});

Deno.test("a refused attribute without words is named, behind a capped request as well", () => {
  const { type, flags, payload } = message("attribute_error");
  // NLMSGERR_ATTR_OFFS: where IFLA_IFNAME begins.
  const rest = "08000200" + "20000000";
  const socket = fake((sent) => [[verdict(first(sent), 22, { flags: NLM_F_CAPPED | NLM_F_ACK_TLVS, rest })]]);
  throws(() => conversation(socket).execute({ action: "create link", type, flags, payload, noun: link }), {
    message: "Cannot create link: EINVAL (invalid argument): name",
  });
});

Deno.test("answers to a question that was given up are passed over", () => {
  const socket = fake((sent) => [
    [verdict(first(sent) - 1, 17), reply(first(sent) + 5, 16, numbered(9))],
    [reply(first(sent), 16, numbered(1))],
    [verdict(first(sent), 0)],
  ]);
  deepEqual(conversation(socket).execute({ ...ask, flags: 0 }), [numbered(1)]);
});

Deno.test("a kernel that says nothing is an error, not a wait without end", () => {
  throws(() => conversation(fake(() => [])).execute(ask), /none came within 5 s/);
});

Deno.test("execute() throws KernelError with the action", () => {
  const socket = fake((sent) => [[verdict(first(sent), 1)]]);
  throws(() => conversation(socket).execute(make), (error) => {
    ok(error instanceof KernelError);
    deepEqual([error.action, error.errno, error.refusal.words], ['create link "vx_red"', 1, undefined]);
    return true;
  });
});

Deno.test("an acknowledgement counts also when a later one never comes or cannot be read", () => {
  const broken = Uint8Array.of(9, 9, 9, 9, ...new Uint8Array(12));
  for (const rest of [[], [broken]]) {
    const queue: Uint8Array[] = [];
    const socket: Socket = {
      send(datagram) {
        const [one, two] = decodeMessages(datagram).map(({ sequence }) => sequence);
        queue.push(encodeMessage(verdict(one ?? 0, 0)), encodeMessage(verdict(two ?? 0, 17)), ...rest);
      },
      receive: () => queue.shift(),
      [Symbol.dispose]() {},
    };
    const outcomes = conversation(socket).batch([make, make, make]);
    deepEqual(outcomes.slice(0, 2).map(said), ["done", 'Cannot create link "vx_red": EEXIST (file exists)']);
    deepEqual(outcomes.map((outcome) => "error" in outcome && outcome.unknown === true), [false, false, true]);
  }
});

Deno.test("what could not be sent may have been done: every outcome is unknown", () => {
  const socket: Socket = { ...fake(() => []), send: () => fail("ENOBUFS") };
  const outcomes = conversation(socket).batch([make, make]);
  deepEqual(outcomes.map((outcome) => "error" in outcome && outcome.unknown), [true, true]);
  deepEqual(outcomes.map(said), ["ENOBUFS", "ENOBUFS"]);
});

Deno.test("the trace has a line for each request, and how it ended", () => {
  const lines: string[] = [];
  const socket = fake((sent) => {
    const part = (byte: number) => reply(first(sent), 16, numbered(byte), NLM_F_MULTI);
    if (sent[0]?.type === ask.type) return [[part(1), part(2)], [done(first(sent))]];
    return sent.map(({ sequence }, index) => [verdict(sequence, index === 1 ? 17 : 0)]);
  });
  const talk = conversation(socket, (line) => lines.push(line));
  talk.batch([make, make]);
  talk.execute(ask);
  deepEqual(lines, [
    'create link "vx_red": done',
    'create link "vx_red": Cannot create link "vx_red": EEXIST (file exists)',
    "list links: 2 found",
  ]);
});

function fail(message: string): never {
  throw new Error(message);
}
