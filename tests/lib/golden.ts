/** Golden bytes: what `scripts/record_fixtures.ts` recorded of `ip` and of the kernel. */
import { decodeMessages, type Message } from "../../src/netlink/message.ts";

/** Bytes from hexadecimal digits; blanks do not count. */
export function fromHex(text: string): Uint8Array {
  return Uint8Array.from(text.replaceAll(/\s/g, "").match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The datagrams of `fixtures/netlink/<name>.hex`; its first line is the command. */
export function datagrams(name: string): Uint8Array[] {
  const path = new URL(`../../fixtures/netlink/${name}.hex`, import.meta.url);
  return Deno.readTextFileSync(path).trim().split("\n").slice(1).map(fromHex);
}

/** The messages of `fixtures/netlink/<name>.hex`, in order. */
export function messages(name: string): Message[] {
  return datagrams(name).flatMap(decodeMessages);
}

/** `ip` sends the whole buffer of a question, zeros behind its one message. */
function onlyFirst(datagram: Uint8Array): Uint8Array {
  return datagram.subarray(0, new DataView(datagram.buffer, datagram.byteOffset).getUint32(0, true));
}

/** The only message of `fixtures/netlink/<name>.hex`. */
export function message(name: string): Message {
  const [first, ...more] = datagrams(name).map(onlyFirst).flatMap(decodeMessages);
  if (first === undefined || more.length > 0) throw new Error(`Cannot choose: "${name}" holds not exactly one message`);
  return first;
}

/** An attribute's payload as hexadecimal digits, or the attributes that it nests. */
interface Attributes {
  [type: number]: string | Attributes;
}

/**
 * Attributes by number, so that order does not matter; written apart from src/bytes.ts on purpose. `nested` names those
 * that hold others, e.g. IFLA_LINKINFO. Trailing NUL bytes of a nested name do not count: `ip` leaves them out.
 */
export function attributesOf(bytes: Uint8Array, nested: Record<number, Record<number, object>> = {}): Attributes {
  const out: Attributes = {};
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + 4 <= bytes.length;) {
    const length = view.getUint16(at, true);
    const type = view.getUint16(at + 2, true) & 0x3fff;
    if (length < 4) throw new Error(`Cannot read attribute ${type}: length ${length}`);
    const payload = bytes.subarray(at + 4, at + length);
    const inner = nested[type];
    out[type] = inner === undefined
      ? toHex(payload)
      : attributesOf(payload, inner as Record<number, Record<number, object>>);
    at += length + 3 & ~3;
  }
  return out;
}
