/** Netlink framing and the conversation with the kernel: requests out, their replies in (RFC 3549, linux/netlink.h). */
import { KernelError } from "../errno.ts";
import type { Socket } from "../world.ts";
import { attributes, concat, s32, struct, text, u16, u32 } from "./codec.ts";

/** What is asked: `action` completes the sentence "Cannot ..." of its error. */
export interface Request {
  action: string;
  type: number;
  flags: number;
  payload: Uint8Array;
}

/** One message of the kernel's. */
export interface Message {
  type: number;
  flags: number;
  sequence: number;
  payload: Uint8Array;
}

/** What became of a request: what the kernel answered, or why it did not. */
export type Outcome = { replies: Uint8Array[] } | { error: KernelError };

/** A conversation over one socket. */
export interface Conversation {
  /** Sends all requests in one datagram; the kernel takes them in order and goes on after one that fails. */
  batch(requests: readonly Request[]): Outcome[];
  /** Sends one request and returns the payloads of its replies; throws KernelError. */
  execute(request: Request): Uint8Array[];
}

export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_DUMP = 0x300;
const NLM_F_MULTI = 0x2;
const NLM_F_DUMP_INTR = 0x10;
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;

/** A dump that changes while it is read is read again, at most this often. */
const DUMP_ATTEMPTS = 20;

/** `struct nlmsghdr`: 16 bytes. */
const header = struct({ length: u32, type: u16, flags: u16, sequence: u32, port: u32 });
/** NLMSGERR_ATTR_*: the kernel's own words. */
const acknowledgement = attributes({ words: [1, text] });

export function encodeMessage(message: Message): Uint8Array {
  const { type, flags, sequence, payload } = message;
  const head = header.encode({ length: 16 + payload.length, type, flags, sequence });
  return concat([head, payload, new Uint8Array(-payload.length & 3)]);
}

/** All messages of a datagram; throws RangeError when one claims more bytes than there are. */
export function decodeMessages(datagram: Uint8Array): Message[] {
  const out: Message[] = [];
  for (let at = 0; at + 16 <= datagram.length;) {
    const { length = 0, type = 0, flags = 0, sequence = 0 } = header.decode(datagram.subarray(at));
    if (length < 16 || at + length > datagram.length) {
      throw new RangeError(`Cannot decode netlink message: length ${length} with ${datagram.length - at} bytes left`);
    }
    out.push({ type, flags, sequence, payload: datagram.subarray(at + 16, at + length) });
    at += length + 3 & ~3;
  }
  return out;
}

export function conversation(socket: Socket): Conversation {
  let sequence = 0;

  function exchange(requests: readonly Request[]): (Outcome | "interrupted")[] {
    const first = sequence + 1;
    socket.send(concat(requests.map(({ type, flags, payload }) =>
      encodeMessage({
        type,
        flags: flags | NLM_F_REQUEST | ((flags & NLM_F_DUMP) === NLM_F_DUMP ? 0 : NLM_F_ACK),
        sequence: ++sequence,
        payload,
      })
    )));
    const replies = requests.map((): Uint8Array[] => []);
    const broken = requests.map(() => false);
    const outcomes: (Outcome | "interrupted" | undefined)[] = requests.map(() => undefined);
    while (outcomes.includes(undefined)) {
      const datagram = socket.receive(true);
      if (datagram === undefined) throw new Error("Cannot read the kernel's answer: none came within 5 s");
      for (const message of decodeMessages(datagram)) {
        const index = message.sequence - first;
        const request = requests[index];
        // An answer to an earlier question that was given up: not ours.
        if (request === undefined) continue;
        if ((message.flags & NLM_F_DUMP_INTR) !== 0 && (message.flags & NLM_F_MULTI) !== 0) broken[index] = true;
        if (message.type !== NLMSG_ERROR && message.type !== NLMSG_DONE) {
          replies[index]?.push(message.payload);
          continue;
        }
        const error = failure(request.action, message);
        outcomes[index] = error !== undefined
          ? { error }
          : broken[index]
          ? "interrupted"
          : { replies: replies[index] ?? [] };
      }
    }
    return outcomes.filter((outcome) => outcome !== undefined);
  }

  function batch(requests: readonly Request[]): Outcome[] {
    if (requests.length === 0) return [];
    return exchange(requests).map((outcome, index) => {
      for (let attempt = 1; outcome === "interrupted" && attempt < DUMP_ATTEMPTS; attempt++) {
        [outcome = "interrupted"] = exchange(requests.slice(index, index + 1));
      }
      if (outcome !== "interrupted") return outcome;
      throw new Error(`Cannot ${requests[index]?.action}: the list changed during each of ${DUMP_ATTEMPTS} readings`);
    });
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

/** The error in an NLMSG_ERROR or at the end of a dump; undefined for an acknowledgement. */
function failure(action: string, message: Message): KernelError | undefined {
  const errno = message.payload.length < 4 ? 0 : -s32.decode(message.payload);
  if (errno === 0) return undefined;
  if ((message.flags & NLM_F_ACK_TLVS) === 0) return new KernelError(action, errno);
  // struct nlmsgerr {error, nlmsghdr}, then our request unless it is capped, then attributes; NLMSG_DONE has only the number.
  const skipped = message.type === NLMSG_DONE
    ? 4
    : 20 + ((message.flags & NLM_F_CAPPED) !== 0 ? 0 : (u32.decode(message.payload.subarray(4)) - 16 + 3 & ~3));
  return new KernelError(action, errno, acknowledgement.decode(message.payload.subarray(skipped)).words);
}
