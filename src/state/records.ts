/**
 * The ledger: what this program made, as JSON files of a few facts each, in the folder of the host's network namespace.
 *
 * The only place that parses a record. A mark, a locked file of its own, stands for what is being made or unmade: a mark that nobody
 * holds was left by a process that died.
 */
import { EOPNOTSUPP, KernelError } from "../errno.ts";
import type { Lock, Store } from "../world.ts";

/** Written into each record; a record without it is older than the number. */
const FORMAT = 1;
const BROKEN = "broken";
const MARKS = "making";

type Type = "string" | "number" | "boolean" | "list" | "object";

/** The type of each fact; with `?` it may be missing. */
type Shape<T> = { readonly [K in keyof T]-?: Type | `${Type}?` };

export interface Records<T> {
  /** Whether there is one, broken or not. */
  has(name: string): boolean;
  /** Undefined when there is none or when it is broken; a broken one is warned of, and still counts until it is forgotten. */
  read(name: string): T | undefined;
  /** Names in the folder, or in one below it; throws when it cannot be read: that is not the same as empty. */
  list(folder?: string): string[];
  /** Names of the folders below, also of those that hold marks only. */
  folders(): string[];
  write(name: string, record: T): void;
  /** Marks that this process makes or unmakes something; undefined while another process does. */
  begin(name: string): Lock | undefined;
  /** As begin(), but waits for the other process. */
  wait(name: string): Promise<Lock>;
  /** Takes the mark away and gives its lock back; what was recorded stays. */
  end(name: string, lock: Lock): void;
  /** Takes the mark away, for whoever still holds its lock. */
  unmark(name: string): void;
  /** Gives a record another name, in one step; false when there is none. */
  move(from: string, to: string): boolean;
  /** Removes the record; a broken one is kept under `broken/`, for whoever wants to know what happened. */
  forget(name: string): void;
  /** Marks in the folder that nobody holds, each with its lock. */
  abandoned(folder?: string): { name: string; lock: Lock }[];
  /** The file of a record, for links to it. */
  file(name: string): string;
}

/** The records of one folder. */
export function records<T extends object>(
  { store, warn }: { store: Store; warn(text: string): void },
  folder: string,
  shape: Shape<T>,
): Records<T> {
  const file = (name: string) => `${folder}/${name}.json`;
  const mark = (name: string) => `${MARKS}/${folder}/${name}`;
  const inside = (below?: string) => below === undefined ? folder : `${folder}/${below}`;

  return {
    file,
    has: (name) => store.read(file(name)) !== undefined,
    read(name) {
      const content = store.read(file(name));
      const record = content === undefined ? undefined : parsed(content, file(name), shape);
      if (content !== undefined && record === undefined) {
        warn(`Cannot read record "${file(name)}": it is broken; the next DEL of its container puts it aside`);
      }
      return record;
    },
    list: (below) => store.list(inside(below)).flatMap((entry) => entry.endsWith(".json") ? [entry.slice(0, -5)] : []),
    folders() {
      const entries = [folder, `${MARKS}/${folder}`].flatMap((one) => store.list(one));
      return [...new Set(entries)].filter((entry) => !entry.endsWith(".json"));
    },
    write: (name, record) => store.write(file(name), JSON.stringify({ format: FORMAT, ...record })),
    begin: (name) => store.tryLock(mark(name), true),
    wait: (name) => store.lock(mark(name)),
    end(name, lock) {
      store.remove(mark(name));
      lock[Symbol.dispose]();
    },
    unmark: (name) => void store.remove(mark(name)),
    move: (from, to) => store.rename(file(from), file(to)),
    forget(name) {
      const content = store.read(file(name));
      if (content === undefined || isReadable(content, file(name), shape)) store.remove(file(name));
      else store.rename(file(name), `${BROKEN}/${file(name).replaceAll("/", ":")}`);
    },
    abandoned: (below) =>
      store.list(`${MARKS}/${inside(below)}`).flatMap((entry) => {
        const name = below === undefined ? entry : `${below}/${entry}`;
        const lock = store.tryLock(mark(name), false);
        return lock === undefined ? [] : [{ name, lock }];
      }),
  };
}

/** Undefined when it is broken; throws when a newer program wrote it. */
function parsed<T>(content: string, file: string, shape: Shape<T>): T | undefined {
  const record = decoded(content);
  const { format = 0 } = record ?? {};
  if (typeof format === "number" && format > FORMAT) {
    throw new KernelError(`read record "${file}"`, EOPNOTSUPP, {
      words: `its format is ${format}, this program knows up to ${FORMAT}; use the program that wrote it`,
      file: true,
    });
  }
  const fits = record !== undefined &&
    Object.entries<Type | `${Type}?`>(shape).every(([key, type]) => hasType(record[key], type));
  return fits ? record as T : undefined;
}

/** A record of a newer program is not broken. */
function isReadable<T>(content: string, file: string, shape: Shape<T>): boolean {
  try {
    return parsed(content, file, shape) !== undefined;
  } catch (error) {
    if (error instanceof KernelError) return true;
    throw error;
  }
}

function decoded(content: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(content);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

function hasType(value: unknown, type: string): boolean {
  if (value === undefined) return type.endsWith("?");
  const name = type.replace("?", "");
  if (name === "list") return Array.isArray(value);
  return typeof value === name && value !== null && !Array.isArray(value);
}
