/** Netlink framing and the conversation with the kernel: requests out, their replies in (RFC 3549, linux/netlink.h). */
import {
  aligned,
  attributeAt,
  attributes,
  type Codec,
  concat,
  decode,
  encode,
  s32,
  struct,
  text,
  u16,
  u32,
} from "../bytes.ts";
import { KernelError } from "../errno.ts";
import type { IpVersion } from "../ip.ts";
import { reason } from "../text.ts";
import type { Socket } from "../world.ts";

/** What is asked: `action` completes the sentence "Cannot ..." of its error. */
export interface Request {
  action: string;
  type: number;
  flags: number;
  payload: Uint8Array;
  /** What the payload is made of, to name the attribute that the kernel refuses. */
  noun?: Codec<unknown>;
}

/** One message of the kernel's. */
export interface Message {
  type: number;
  flags: number;
  sequence: number;
  payload: Uint8Array;
}

/** What became of a request: what the kernel answered, or why it did not. `unknown`: the answer was lost, it may have been done. */
export type Outcome = { replies: Uint8Array[] } | { error: unknown; unknown?: boolean };

/** A conversation over one socket. */
export interface Conversation {
  /** Sends all requests in one datagram; the kernel takes them in order and goes on after one that fails. Every request has an outcome. */
  batch(requests: readonly Request[]): Outcome[];
  /** Sends one request and returns the payloads of its replies; throws KernelError. */
  execute(request: Request): Uint8Array[];
}

export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_DUMP = 0x300;
const NLM_F_REQUEST = 0x1;
const NLM_F_MULTI = 0x2;
const NLM_F_ACK = 0x4;
const NLM_F_DUMP_INTR = 0x10;
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;

/** A dump that changes while it is read is read again, at most this often. */
const DUMP_ATTEMPTS = 20;

/** `struct nlmsghdr`. */
const header = struct({ length: u32, type: u16, flags: u16, sequence: u32, port: u32 });
/** NLMSGERR_ATTR_*: the kernel's own words, and where in the message the refused attribute begins. */
const acknowledgement = attributes({ words: [1, text], offset: [2, u32] });

/** A request about one noun. */
export function request<T>(action: string, noun: Codec<T>, how: { type: number; flags?: number; value: T }): Request {
  return { action, type: how.type, flags: how.flags ?? 0, payload: encode(noun, how.value), noun };
}

/** AF_INET or AF_INET6. */
export function addressFamily(version: IpVersion): number {
  return version === 4 ? 2 : 10;
}

export function encodeMessage({ type, flags, sequence, payload }: Message): Uint8Array {
  const head = encode(header, { length: header.bytes + payload.length, type, flags, sequence });
  return concat([head, payload, new Uint8Array(aligned(payload.length) - payload.length)]);
}

/** All messages of a datagram; throws RangeError when one claims more bytes than there are. */
export function decodeMessages(datagram: Uint8Array): Message[] {
  const out: Message[] = [];
  for (let at = 0; at + header.bytes <= datagram.length;) {
    const { length = 0, type = 0, flags = 0, sequence = 0 } = decode(header, datagram.subarray(at));
    if (length < header.bytes || at + length > datagram.length) {
      throw new RangeError(`Cannot decode netlink message: length ${length} with ${datagram.length - at} bytes left`);
    }
    out.push({ type, flags, sequence, payload: datagram.subarray(at + header.bytes, at + length) });
    at += aligned(length);
  }
  return out;
}

/** Talks over a socket; `trace` is told of each request and of how it ended. */
export function conversation(socket: Socket, trace?: (line: string) => void): Conversation {
  let sequence = 0;

  function exchange(requests: readonly Request[]): (Outcome | "interrupted")[] {
    const first = sequence + 1;
    const pending = requests.map(() => ({ replies: [] as Uint8Array[], interrupted: false }));
    const outcomes: (Outcome | "interrupted" | undefined)[] = requests.map(() => undefined);
    try {
      socket.send(concat(requests.map(({ type, flags, payload }) => {
        const ack = (flags & NLM_F_DUMP) === NLM_F_DUMP ? 0 : NLM_F_ACK;
        return encodeMessage({ type, flags: flags | NLM_F_REQUEST | ack, sequence: ++sequence, payload });
      })));
      while (outcomes.includes(undefined)) receive();
    } catch (error) {
      // The acknowledgements that have come still count: what was made must be known, to be undone.
      return outcomes.map((outcome) => outcome ?? { error, unknown: true });
    }
    return outcomes.filter((outcome) => outcome !== undefined);

    function receive(): void {
      const datagram = socket.receive(true);
      if (datagram === undefined) throw new Error("Cannot read the kernel's answer: none came within 5 s");
      for (const message of decodeMessages(datagram)) {
        const index = message.sequence - first;
        const [asked, answer] = [requests[index], pending[index]];
        // An answer to an earlier question that was given up: not ours.
        if (asked === undefined || answer === undefined) continue;
        if ((message.flags & NLM_F_DUMP_INTR) !== 0 && (message.flags & NLM_F_MULTI) !== 0) answer.interrupted = true;
        if (message.type !== NLMSG_ERROR && message.type !== NLMSG_DONE) answer.replies.push(message.payload);
        else outcomes[index] = ending(asked, message) ?? (answer.interrupted ? "interrupted" : answer);
      }
    }
  }

  function batch(requests: readonly Request[]): Outcome[] {
    if (requests.length === 0) return [];
    const outcomes = exchange(requests).map((outcome, index): Outcome => {
      for (let attempt = 1; outcome === "interrupted" && attempt < DUMP_ATTEMPTS; attempt++) {
        [outcome = "interrupted"] = exchange(requests.slice(index, index + 1));
      }
      if (outcome !== "interrupted") return outcome;
      const action = requests[index]?.action;
      return { error: new Error(`Cannot ${action}: the list changed during each of ${DUMP_ATTEMPTS} readings`) };
    });
    if (trace !== undefined) {
      for (const [index, outcome] of outcomes.entries()) trace(`${requests[index]?.action}: ${ended(outcome)}`);
    }
    return outcomes;
  }

  return {
    batch,
    execute(request) {
      const [outcome] = batch([request]);
      if (outcome === undefined) throw new Error(`Cannot ${request.action}: no answer`);
      if ("error" in outcome) throw outcome.error;
      return outcome.replies;
    },
  };
}

function ended(outcome: Outcome): string {
  if ("error" in outcome) return reason(outcome.error);
  return outcome.replies.length === 0 ? "done" : `${outcome.replies.length} found`;
}

/** The error in an NLMSG_ERROR or at the end of a dump; undefined for an acknowledgement. */
function ending({ action, payload, noun }: Request, message: Message): { error: KernelError } | undefined {
  const errno = message.payload.length < 4 ? 0 : -decode(s32, message.payload);
  if (errno === 0) return undefined;
  if ((message.flags & NLM_F_ACK_TLVS) === 0) return { error: new KernelError(action, errno) };
  // struct nlmsgerr {error, nlmsghdr}, then our request unless it is capped, then attributes; NLMSG_DONE has only the number.
  const skipped = message.type === NLMSG_DONE ? 4 : 20 +
    ((message.flags & NLM_F_CAPPED) !== 0 ? 0 : aligned(decode(u32, message.payload.subarray(4)) - header.bytes));
  const { words, offset } = decode(acknowledgement, message.payload.subarray(skipped));
  const attribute = noun === undefined || offset === undefined
    ? undefined
    : attributeAt(noun, payload, offset - header.bytes);
  return { error: new KernelError(action, errno, { words, attribute }) };
}
