/**
 * Bytes <-> values: the few shapes that netlink messages, frames and socket addresses are made of (linux/netlink.h).
 *
 * The only place that touches a DataView. Host order is little-endian on every CPU that Deno runs on.
 */
import { type Ip, ipFromBytes, ipToBytes, type IpVersion } from "./ip.ts";

/** Writes a value into bytes and reads it back; methods, so that a codec of a narrow type fits a table of wide ones. */
export interface Codec<T> {
  /** Bytes that the value takes. */
  size(value: T): number;
  /** Writes the value at an offset; the bytes there are zero. */
  write(view: DataView, at: number, value: T): void;
  /** Reads what lies between two offsets; throws RangeError when that is too short. */
  read(view: DataView, at: number, end: number): T;
  /** Name of the attribute that holds an offset, e.g. `info.vxlan.portRange`; undefined outside of all, also before the first. */
  nameAt?(view: DataView, at: number, end: number, offset: number): string | undefined;
}

export type ValueOf<C> = C extends Codec<infer T> ? T : never;

/** A codec whose bytes always have the same length. */
export interface Fixed<T> extends Codec<T> {
  readonly bytes: number;
}

export function encode<T>(codec: Codec<T>, value: T): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(codec.size(value));
  codec.write(new DataView(bytes.buffer), 0, value);
  return bytes;
}

/** Throws RangeError when the bytes are too few. */
export function decode<T>(codec: Codec<T>, bytes: Uint8Array): T {
  return codec.read(viewOf(bytes), 0, bytes.length);
}

/** The attribute of encoded bytes that holds an offset; undefined when none does. */
export function attributeAt(codec: Codec<unknown>, bytes: Uint8Array, offset: number): string | undefined {
  return codec.nameAt?.(viewOf(bytes), 0, bytes.length, offset);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function need(bytes: number, at: number, end: number): void {
  if (end - at >= bytes) return;
  throw new RangeError(`Cannot decode bytes: wanted ${bytes}, got ${Math.max(0, end - at)}`);
}

function fixed<T>(
  bytes: number,
  write: (view: DataView, at: number, value: T) => void,
  get: (view: DataView, at: number) => T,
): Fixed<T> {
  return {
    bytes,
    size: () => bytes,
    write,
    read(view, at, end) {
      need(bytes, at, end);
      return get(view, at);
    },
  };
}

export const u8 = fixed<number>(1, (v, at, x) => v.setUint8(at, x), (v, at) => v.getUint8(at));
export const u16 = fixed<number>(2, (v, at, x) => v.setUint16(at, x, true), (v, at) => v.getUint16(at, true));
export const u32 = fixed<number>(4, (v, at, x) => v.setUint32(at, x, true), (v, at) => v.getUint32(at, true));
export const s16 = fixed<number>(2, (v, at, x) => v.setInt16(at, x, true), (v, at) => v.getInt16(at, true));
export const s32 = fixed<number>(4, (v, at, x) => v.setInt32(at, x, true), (v, at) => v.getInt32(at, true));
export const u64 = fixed<bigint>(8, (v, at, x) => v.setBigUint64(at, x, true), (v, at) => v.getBigUint64(at, true));
/** Network order: EtherTypes and UDP ports. */
export const be16 = fixed<number>(2, (v, at, x) => v.setUint16(at, x), (v, at) => v.getUint16(at));

/** One byte, 0 or 1. */
export const bool = fixed<boolean>(1, (v, at, x) => v.setUint8(at, x ? 1 : 0), (v, at) => v.getUint8(at) !== 0);

/** An attribute without a payload: it is there or it is not. */
export const flag: Codec<true> = { size: () => 0, write() {}, read: () => true };

/** Exactly so many bytes as they are. */
export function block(bytes: number): Fixed<Uint8Array> {
  return fixed(bytes, put, (view, at) => new Uint8Array(view.buffer, view.byteOffset + at, bytes).slice());
}

/** All the bytes that there are. */
const raw: Codec<Uint8Array> = {
  size: (value) => value.length,
  write: put,
  read: (view, at, end) => new Uint8Array(view.buffer, view.byteOffset + at, end - at).slice(),
};

function put(view: DataView, at: number, value: Uint8Array): void {
  new Uint8Array(view.buffer, view.byteOffset + at, value.length).set(value);
}

const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder();

/** Text with a NUL at its end. */
export const text: Codec<string> = {
  size: (value) => utf8.encode(value).length + 1,
  write: (view, at, value) => put(view, at, utf8.encode(value)),
  read(view, at, end) {
    const bytes = new Uint8Array(view.buffer, view.byteOffset + at, end - at);
    const nul = bytes.indexOf(0);
    return fromUtf8.decode(nul < 0 ? bytes : bytes.subarray(0, nul));
  },
};

/** 4 or 16 bytes in network order: whichever family the address is of. */
export const ip: Codec<Ip> = {
  size: ({ version }) => version === 4 ? 4 : 16,
  write: (view, at, value) => put(view, at, ipToBytes(value)),
  read: (view, at, end) => ipFromBytes(new Uint8Array(view.buffer, view.byteOffset + at, end - at)),
};

const ipOf = (version: IpVersion): Codec<Ip> => ({
  ...ip,
  size(value) {
    if (value.version === version) return ip.size(value);
    throw new RangeError(`Cannot encode address: wanted IPv${version}, got IPv${value.version}`);
  },
});

export const ip4 = ipOf(4);
export const ip6 = ipOf(6);

/** A hardware address as `02:00:5e:10:00:01`. */
export const mac: Codec<string> = {
  size: (value) => (value.length + 1) / 3,
  write: (view, at, value) => put(view, at, macToBytes(value)),
  read: (view, at, end) => macFromBytes(new Uint8Array(view.buffer, view.byteOffset + at, end - at)),
};

export function macToBytes(text: string): Uint8Array {
  return Uint8Array.from(text.split(":"), (part) => Number.parseInt(part, 16));
}

export function macFromBytes(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(":");
}

/** Fields one after another, without padding, structs among them; a field that is not given is zero. */
export function struct<F extends Record<string, Fixed<unknown>>>(fields: F): Fixed<{ [K in keyof F]?: ValueOf<F[K]> }> {
  let bytes = 0;
  const placed = Object.entries(fields).map(([name, codec]) => {
    const offset = bytes;
    bytes += codec.bytes;
    return { name, codec, offset };
  });
  return fixed(
    bytes,
    (view, at, value) => {
      for (const { name, codec, offset } of placed) {
        if (value[name] !== undefined) codec.write(view, at + offset, value[name]);
      }
    },
    (view, at) => {
      const out: Record<string, unknown> = {};
      for (const { name, codec, offset } of placed) {
        out[name] = codec.read(view, at + offset, at + offset + codec.bytes);
      }
      return out as { [K in keyof F]?: ValueOf<F[K]> };
    },
  );
}

/** A table of attributes: the name that we use, the kernel's number, the codec of its payload. */
type Table = Readonly<Record<string, readonly [type: number, codec: Codec<unknown>]>>;

type AttributesOf<T extends Table> = { [K in keyof T]?: ValueOf<T[K][1]> };

/** #define NLA_TYPE_MASK ~(NLA_F_NESTED | NLA_F_NET_BYTEORDER) */
const NLA_TYPE_MASK = 0x3fff;
/** `struct nlattr` {len, type}. */
const NLA_HDRLEN = 4;

/** #define NLA_ALIGN(len) (((len) + NLA_ALIGNTO - 1) & ~(NLA_ALIGNTO - 1)) */
export function aligned(length: number): number {
  return length + 3 & ~3;
}

/** Attributes, aligned to 4 bytes: only those given are sent, unknown ones are passed over. */
export function attributes<T extends Table>(table: T): Codec<AttributesOf<T>> {
  const known = Object.entries(table).map(([name, [type, codec]]) => ({ name, type, codec }));
  const byType: (typeof known[number] | undefined)[] = [];
  for (const one of known) byType[one.type] = one;

  /** The attribute at an offset, and where its payload ends; throws RangeError when it does not fit. */
  function next(view: DataView, at: number, end: number) {
    const length = view.getUint16(at, true);
    if (length < NLA_HDRLEN || at + length > end) {
      throw new RangeError(`Cannot decode netlink attribute: length ${length} with ${end - at} bytes left`);
    }
    return { attribute: byType[view.getUint16(at + 2, true) & NLA_TYPE_MASK], end: at + length };
  }

  return {
    size(value) {
      let sum = 0;
      for (const { name, codec } of known) {
        if (value[name] !== undefined) sum += NLA_HDRLEN + aligned(codec.size(value[name]));
      }
      return sum;
    },
    write(view, at, value) {
      for (const { name, type, codec } of known) {
        if (value[name] === undefined) continue;
        const size = codec.size(value[name]);
        view.setUint16(at, size + NLA_HDRLEN, true);
        view.setUint16(at + 2, type, true);
        codec.write(view, at + NLA_HDRLEN, value[name]);
        at += NLA_HDRLEN + aligned(size);
      }
    },
    read(view, at, end) {
      const out: Record<string, unknown> = {};
      while (at + NLA_HDRLEN <= end) {
        const found = next(view, at, end);
        if (found.attribute !== undefined) {
          out[found.attribute.name] = found.attribute.codec.read(view, at + NLA_HDRLEN, found.end);
        }
        at = aligned(found.end);
      }
      return out as AttributesOf<T>;
    },
    nameAt(view, at, end, offset) {
      while (at <= offset && at + NLA_HDRLEN <= end) {
        const { attribute, end: after } = next(view, at, end);
        if (offset < after) {
          const inner = attribute?.codec.nameAt?.(view, at + NLA_HDRLEN, after, offset);
          return inner === undefined ? attribute?.name : `${attribute?.name}.${inner}`;
        }
        at = aligned(after);
      }
      return undefined;
    },
  };
}

/** A name and the attributes that depend on it, e.g. IFLA_LINKINFO: `{ kind: "vxlan", vxlan: { id: 101 } }`. */
export function byKind<K extends Record<string, Codec<unknown>>>(
  kinds: K,
): Codec<{ kind: string } & { [N in keyof K]?: ValueOf<K[N]> }> {
  const bytes = attributes({ kind: [1, text], data: [2, raw] });
  const dataOf = (value: { kind: string }) => {
    const codec = Object.hasOwn(kinds, value.kind) ? kinds[value.kind] : undefined;
    const data: unknown = Reflect.get(value, value.kind);
    return { kind: value.kind, data: codec === undefined || data === undefined ? undefined : encode(codec, data) };
  };
  return {
    size: (value) => bytes.size(dataOf(value)),
    write: (view, at, value) => bytes.write(view, at, dataOf(value)),
    read(view, at, end) {
      const { kind = "", data = new Uint8Array(0) } = bytes.read(view, at, end);
      const codec = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
      return { kind, ...(codec === undefined ? {} : { [kind]: decode(codec, data) }) } as
        & { kind: string }
        & { [N in keyof K]?: ValueOf<K[N]> };
    },
    nameAt(view, at, end, offset) {
      const name = bytes.nameAt?.(view, at, end, offset);
      const { kind = "", data = new Uint8Array(0) } = bytes.read(view, at, end);
      const codec = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
      if (name !== "data" || codec === undefined) return name;
      // The data comes last.
      const inner = attributeAt(codec, data, offset - (end - aligned(data.length)));
      return inner === undefined ? kind : `${kind}.${inner}`;
    },
  };
}

/** A fixed header and the attributes behind it, read and written as one flat value. */
export function family<H, A>(header: Fixed<H>, table: Codec<A>): Codec<H & A> {
  return {
    size: (value) => header.bytes + table.size(value),
    write(view, at, value) {
      header.write(view, at, value);
      table.write(view, at + header.bytes, value);
    },
    read: (view, at, end) => ({
      ...header.read(view, at, end),
      ...table.read(view, at + header.bytes, end),
    }),
    nameAt: (view, at, end, offset) => table.nameAt?.(view, at + header.bytes, end, offset),
  };
}

export function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}
