/** Bytes <-> values: the few shapes that netlink messages are made of (linux/netlink.h; host order is little-endian on every CPU Deno has). */
import { type Ip, ipFromBytes, ipToBytes } from "../ip.ts";

/** Turns a value into bytes and back; methods, so that a codec of a narrow type fits a table of wide ones. */
export interface Codec<T> {
  encode(value: T): Uint8Array;
  decode(bytes: Uint8Array): T;
}

export type ValueOf<C> = C extends Codec<infer T> ? T : never;

/** A codec whose bytes always have the same length. */
export interface Fixed<T> extends Codec<T> {
  readonly size: number;
}

function view(bytes: Uint8Array, size: number): DataView {
  if (bytes.length < size) {
    throw new RangeError(`Cannot decode netlink value: wanted ${size} bytes, got ${bytes.length}`);
  }
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function fixed(
  size: number,
  set: (view: DataView, value: number) => void,
  get: (view: DataView) => number,
): Fixed<number> {
  return {
    size,
    encode(value) {
      const bytes = new Uint8Array(size);
      set(view(bytes, size), value);
      return bytes;
    },
    decode: (bytes) => get(view(bytes, size)),
  };
}

export const u8 = fixed(1, (v, x) => v.setUint8(0, x), (v) => v.getUint8(0));
export const u16 = fixed(2, (v, x) => v.setUint16(0, x, true), (v) => v.getUint16(0, true));
export const u32 = fixed(4, (v, x) => v.setUint32(0, x, true), (v) => v.getUint32(0, true));
export const s32 = fixed(4, (v, x) => v.setInt32(0, x, true), (v) => v.getInt32(0, true));
/** Network order: UDP ports. */
export const be16 = fixed(2, (v, x) => v.setUint16(0, x), (v) => v.getUint16(0));

/** One byte, 0 or 1. */
export const bool: Codec<boolean> = {
  encode: (value) => u8.encode(value ? 1 : 0),
  decode: (bytes) => u8.decode(bytes) !== 0,
};

/** An attribute without a payload: it is there or it is not. */
export const flag: Codec<true> = { encode: () => new Uint8Array(0), decode: () => true };

/** Text with a NUL at its end. */
export const text: Codec<string> = {
  encode: (value) => new TextEncoder().encode(value + "\0"),
  decode(bytes) {
    const end = bytes.indexOf(0);
    return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
  },
};

/** 4 or 16 bytes in network order. */
export const ip: Codec<Ip> = { encode: ipToBytes, decode: ipFromBytes };

/** A hardware address as `02:00:5e:10:00:01`. */
export const mac: Codec<string> = {
  encode: (value) => Uint8Array.from(value.split(":"), (part) => Number.parseInt(part, 16)),
  decode: (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(":"),
};

/** Bytes as they are. */
export const raw: Codec<Uint8Array> = { encode: (value) => value, decode: (bytes) => bytes.slice() };

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}

/** Fields one after another, without padding; a field that is not given is 0. */
export function struct<F extends Record<string, Fixed<number>>>(fields: F): Fixed<{ [K in keyof F]?: number }> {
  const entries = Object.entries(fields);
  const size = entries.reduce((sum, [, codec]) => sum + codec.size, 0);
  return {
    size,
    encode: (value) => concat(entries.map(([name, codec]) => codec.encode(value[name] ?? 0))),
    decode(bytes) {
      view(bytes, size);
      let offset = 0;
      const out: Record<string, number> = {};
      for (const [name, codec] of entries) {
        out[name] = codec.decode(bytes.subarray(offset, offset + codec.size));
        offset += codec.size;
      }
      return out as { [K in keyof F]?: number };
    },
  };
}

/** A table of attributes: the name that we use, the kernel's number, the codec of its payload. */
export type Table = Readonly<Record<string, readonly [type: number, codec: Codec<unknown>]>>;

export type AttributesOf<T extends Table> = { [K in keyof T]?: ValueOf<T[K][1]> };

/** #define NLA_TYPE_MASK ~(NLA_F_NESTED | NLA_F_NET_BYTEORDER) */
const NLA_TYPE_MASK = 0x3fff;

/** Attributes (`struct nlattr` {len, type} + payload, aligned to 4): only those given are sent, unknown ones are passed over. */
export function attributes<T extends Table>(table: T): Codec<AttributesOf<T>> {
  const names = new Map(Object.entries(table).map(([name, [type, codec]]) => [type, { name, codec }]));
  return {
    encode(value) {
      const parts: Uint8Array[] = [];
      for (const [name, [type, codec]] of Object.entries(table)) {
        const given: unknown = value[name];
        if (given === undefined) continue;
        const payload = codec.encode(given);
        parts.push(u16.encode(payload.length + 4), u16.encode(type), payload, new Uint8Array(-payload.length & 3));
      }
      return concat(parts);
    },
    decode(bytes) {
      const out: Record<string, unknown> = {};
      for (let at = 0; at + 4 <= bytes.length;) {
        const length = u16.decode(bytes.subarray(at));
        if (length < 4 || at + length > bytes.length) {
          throw new RangeError(
            `Cannot decode netlink attribute: length ${length} with ${bytes.length - at} bytes left`,
          );
        }
        const known = names.get(u16.decode(bytes.subarray(at + 2)) & NLA_TYPE_MASK);
        if (known !== undefined) out[known.name] = known.codec.decode(bytes.subarray(at + 4, at + length));
        at += length + 3 & ~3;
      }
      return out as AttributesOf<T>;
    },
  };
}

/** A fixed header and the attributes behind it, read and written as one flat value. */
export function family<H, A>(header: Fixed<H>, table: Codec<A>): Codec<H & A> {
  return {
    encode: (value) => concat([header.encode(value), table.encode(value)]),
    decode: (bytes) => ({ ...header.decode(bytes), ...table.decode(bytes.subarray(header.size)) }),
  };
}
