/**
 * Links a script into the deno executable (ELF, x86-64): the script is appended, and a segment with a few instructions
 * that run before deno's own first one and put arguments and variables into what deno gets to see.
 */

/** What the linked executable starts with. */
interface Start {
  /** Appended as it is; not mapped, to be read from the file. */
  readonly script: Uint8Array;
  /** Inserted behind argv[0], before the caller's own arguments; called with the script's position in the file. */
  readonly args: (position: number) => readonly string[];
  /** `NAME=value`, put in front of the caller's environment. */
  readonly env: readonly string[];
  /** The caller's variables that start with one of these are taken out. */
  readonly dropped: readonly string[];
}

const PAGE = 4096;
const PROGRAM_HEADER = 56;
const PT = { LOAD: 1, DYNAMIC: 2, NOTE: 4 };
const DT = { STRTAB: 5, SYMTAB: 6, RELA: 7, RELASZ: 8 };
const R_X86_64_GLOB_DAT = 6;
const READ_AND_EXECUTE = 5;
/** Room on the stack for the auxiliary vector, in bytes; the kernel's own limit is below 600. */
const AUXILIARY = 1024;

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly fileSize: number;
  readonly memorySize: number;
  readonly header: Uint8Array;
}

/** Returns the linked executable; throws when `deno` is not an ELF executable for x86-64 built like Deno's. */
export function link(deno: Uint8Array<ArrayBuffer>, start: Start): Uint8Array<ArrayBuffer> {
  const view = new DataView(deno.buffer, deno.byteOffset, deno.byteLength);
  requireX86(view);
  const segments = readSegments(deno, view);
  const loads = segments.filter((segment) => segment.type === PT.LOAD);
  const last = loads.at(-1);
  if (last === undefined) throw new Error("Cannot link into deno: its executable has no PT_LOAD program header");
  const address = roundUp(Math.max(...loads.map((segment) => segment.address + segment.memorySize)));
  const offset = roundUp(deno.length + start.script.length);
  const entry = Number(view.getBigUint64(24, true));
  const strings = { args: start.args(deno.length), env: start.env, dropped: start.dropped };
  const added = segment(strings, { base: address, environ: environSlot(view, segments), entry });

  const linked = new Uint8Array(offset + added.bytes.length);
  linked.set(deno);
  linked.set(start.script, deno.length);
  linked.set(added.bytes, offset);
  const out = new DataView(linked.buffer);
  const note = segments.findIndex((segment) => segment.type === PT.NOTE);
  if (note < 0) throw new Error("Cannot link into deno: its executable has no PT_NOTE program header to give up");
  // PT_LOAD headers must be in the order of their addresses: the new one goes behind the last of them.
  const headers = segments.filter((_, index) => index !== note).map((segment) => segment.header);
  headers.splice(headers.indexOf(last.header) + 1, 0, loadHeader(offset, address, added.bytes.length));
  headers.forEach((header, index) => linked.set(header, Number(out.getBigUint64(32, true)) + index * PROGRAM_HEADER));
  out.setBigUint64(24, BigInt(added.entry), true);
  return linked;
}

function requireX86(view: DataView): void {
  const isElf64 = view.byteLength > 64 && view.getUint32(0) === 0x7f454c46 && view.getUint8(4) === 2;
  const machine = isElf64 ? view.getUint16(18, true) : undefined;
  if (machine === 62) return;
  const found = machine === undefined ? "no 64-bit ELF file" : `ELF machine ${machine}`;
  throw new Error(
    `Cannot link into deno: its executable is ${found}, not x86-64; set DENORT_BIN to a denort executable`,
  );
}

function readSegments(deno: Uint8Array, view: DataView): Segment[] {
  const table = Number(view.getBigUint64(32, true));
  return Array.from({ length: view.getUint16(56, true) }, (_, index) => {
    const at = table + index * PROGRAM_HEADER;
    const word = (position: number) => Number(view.getBigUint64(at + position, true));
    const header = deno.slice(at, at + PROGRAM_HEADER);
    const [type, offset, address] = [view.getUint32(at, true), word(8), word(16)];
    return { type, offset, address, fileSize: word(32), memorySize: word(40), header };
  });
}

function loadHeader(offset: number, address: number, size: number): Uint8Array {
  const header = new DataView(new ArrayBuffer(PROGRAM_HEADER));
  header.setUint32(0, PT.LOAD, true);
  header.setUint32(4, READ_AND_EXECUTE, true);
  [offset, address, address, size, size, PAGE].forEach((value, index) =>
    header.setBigUint64(8 + index * 8, BigInt(value), true)
  );
  return new Uint8Array(header.buffer);
}

/** Address of the slot the loader fills with the address of libc's `environ`: libc took it from the stack before us. */
function environSlot(view: DataView, segments: readonly Segment[]): number {
  const fileOffset = (address: number) => {
    const home = segments.find((segment) =>
      segment.type === PT.LOAD && address >= segment.address && address < segment.address + segment.fileSize
    );
    if (home === undefined) throw new Error(`Cannot link into deno: no segment holds address ${address.toString(16)}`);
    return address - home.address + home.offset;
  };
  const word = (offset: number) => Number(view.getBigUint64(offset, true));
  const dynamic = segments.find((segment) => segment.type === PT.DYNAMIC);
  const tags = new Map<number, number>();
  for (let at = 0; at < (dynamic?.fileSize ?? 0); at += 16) {
    const entry = (dynamic?.offset ?? 0) + at;
    if (!tags.has(word(entry))) tags.set(word(entry), word(entry + 8));
  }
  const tag = (wanted: number) => tags.get(wanted) ?? 0;
  const [strings, symbols] = [fileOffset(tag(DT.STRTAB)), fileOffset(tag(DT.SYMTAB))];
  const relocations = fileOffset(tag(DT.RELA));
  const environ = cString("environ");
  for (let at = relocations; at < relocations + tag(DT.RELASZ); at += 24) {
    if (view.getUint32(at + 8, true) !== R_X86_64_GLOB_DAT) continue;
    const name = strings + view.getUint32(symbols + view.getUint32(at + 12, true) * 24, true);
    if (environ.every((byte, index) => view.getUint8(name + index) === byte)) return word(at);
  }
  throw new Error("Cannot link into deno: its executable does not import environ");
}

interface Strings {
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly dropped: readonly string[];
}

/** Addresses before relocation: of the appended segment, of the slot, of deno's own first instruction. */
interface Addresses {
  readonly base: number;
  readonly environ: number;
  readonly entry: number;
}

/** The appended segment: a table of string positions, the prefixes to drop, the strings, the instructions. */
function segment({ args, env, dropped }: Strings, addresses: Addresses): { bytes: Uint8Array; entry: number } {
  const strings = [...args, ...env].map(cString);
  const prefixes = [...dropped.map(cString), Uint8Array.of(0)];
  const table = new DataView(new ArrayBuffer(8 * strings.length));
  let position = table.byteLength + prefixes.reduce((sum, { length }) => sum + length, 0);
  strings.forEach((string, index) => {
    table.setBigUint64(8 * index, BigInt(position), true);
    position += string.length;
  });
  const at = addresses.base + position;
  const code = instructions(at, addresses.base + table.byteLength, [args.length, env.length], addresses);
  const parts = [new Uint8Array(table.buffer), ...prefixes, ...strings, Uint8Array.from(code)];
  const bytes = new Uint8Array(position + code.length);
  parts.reduce((end, part) => (bytes.set(part, end), end + part.length), 0);
  return { bytes, entry: at };
}

function cString(text: string): Uint8Array {
  if (text === "" || text.includes("\0")) throw new TypeError(`Cannot link: ${JSON.stringify(text)} is no C string`);
  return new TextEncoder().encode(`${text}\0`);
}

/**
 * Builds a second initial stack below the kernel's: argc, argv, environment, auxiliary vector. All addresses are
 * relative to the instruction (deno is position independent); rdx belongs to the loader and is left alone.
 */
function instructions(
  at: number,
  prefixes: number,
  [args, env]: readonly [number, number],
  { base, environ, entry }: Addresses,
): number[] {
  const code: number[] = [];
  const put = (...bytes: number[]) => code.push(...bytes);
  const number = (value: number) => [value, value >> 8, value >> 16, value >> 24].map((byte) => byte & 0xff);
  const putRelative = (target: number, ...opcode: number[]) =>
    put(...opcode, ...number(target - (at + code.length + opcode.length + 4)));
  const string = [0x49, 0x8b, 0x02, 0x49, 0x83, 0xc2, 8, 0x4c, 0x01, 0xd8, 0x48, 0xab, 0xe2, 0xf2];

  put(0x48, 0x89, 0xe6); //               mov   rsi, rsp             the kernel's stack
  put(0x48, 0x8b, 0x0e); //               mov   rcx, [rsi]           argc
  put(0x4c, 0x8d, 0x4c, 0xce, 16); //     lea   r9, [rsi+rcx*8+16]   its environment
  put(0x49, 0x83, 0xc1, 8); //         0: add   r9, 8
  put(0x49, 0x83, 0x79, 0xf8, 0); //      cmp   qword [r9-8], 0
  put(0x75, 0xf5); //                     jne   0b
  put(0x49, 0x29, 0xf1); //               sub   r9, rsi              bytes to copy at most
  put(0x49, 0x81, 0xc1, ...number(8 * (args + env) + AUXILIARY)); // add r9, room for what is added
  put(0x4c, 0x29, 0xcc); //               sub   rsp, r9
  put(0x48, 0x83, 0xe4, 0xf0); //         and   rsp, -16
  put(0x48, 0x89, 0xe7); //               mov   rdi, rsp             the new stack
  putRelative(base, 0x4c, 0x8d, 0x1d); // lea   r11, [segment]
  put(0x4d, 0x89, 0xda); //               mov   r10, r11             the table of strings
  put(0x48, 0xad); //                     lodsq
  put(0x48, 0x05, ...number(args)); //    add   rax, args
  put(0x48, 0xab); //                     stosq                      argc
  put(0x48, 0xa5); //                     movsq                      argv[0]
  put(0xb9, ...number(args)); //          mov   ecx, args
  put(...string); //                   1: mov   rax, [r10]; add r10, 8; add rax, r11; stosq; loop 1b
  put(0x48, 0xad); //                  2: lodsq                      the caller's arguments, and the 0
  put(0x48, 0xab); //                     stosq
  put(0x48, 0x85, 0xc0); //               test  rax, rax
  put(0x75, 0xf7); //                     jne   2b
  put(0x49, 0x89, 0xf8); //               mov   r8, rdi              the new environment
  put(0xb9, ...number(env)); //           mov   ecx, env
  put(...string); //                   3: mov   rax, [r10]; add r10, 8; add rax, r11; stosq; loop 3b
  put(0x48, 0xad); //                  4: lodsq                      one of the caller's variables
  put(0x48, 0x85, 0xc0); //               test  rax, rax
  put(0x74, 0x33); //                     je    9f
  putRelative(prefixes, 0x4c, 0x8d, 0x0d); // lea r9, [prefixes]
  put(0x41, 0x80, 0x39, 0); //         5: cmp   byte [r9], 0
  put(0x74, 0x22); //                     je    8f                   no prefix fits: keep it
  put(0x48, 0x89, 0xc1); //               mov   rcx, rax
  put(0x41, 0x8a, 0x19); //            6: mov   bl, [r9]
  put(0x49, 0xff, 0xc1); //               inc   r9
  put(0x84, 0xdb); //                     test  bl, bl
  put(0x74, 0xdf); //                     je    4b                   a prefix fits: drop it
  put(0x3a, 0x19); //                     cmp   bl, [rcx]
  put(0x75, 0x05); //                     jne   7f
  put(0x48, 0xff, 0xc1); //               inc   rcx
  put(0xeb, 0xed); //                     jmp   6b
  put(0x49, 0xff, 0xc1); //            7: inc   r9                   to the next prefix
  put(0x41, 0x80, 0x79, 0xff, 0); //      cmp   byte [r9-1], 0
  put(0x75, 0xf6); //                     jne   7b
  put(0xeb, 0xd8); //                     jmp   5b
  put(0x48, 0xab); //                  8: stosq
  put(0xeb, 0xc6); //                     jmp   4b
  put(0x48, 0xab); //                  9: stosq                      the 0 behind the environment
  put(0x48, 0xad); //                 10: lodsq                      auxiliary vector: pairs up to type 0
  put(0x48, 0xab); //                     stosq
  put(0x48, 0xa5); //                     movsq
  put(0x48, 0x85, 0xc0); //               test  rax, rax
  put(0x75, 0xf5); //                     jne   10b
  putRelative(environ, 0x48, 0x8b, 0x05); // mov rax, [slot]         address of environ
  put(0x4c, 0x89, 0x00); //               mov   [rax], r8
  putRelative(entry, 0xe9); //            jmp   deno
  return code;
}

function roundUp(value: number): number {
  return Math.ceil(value / PAGE) * PAGE;
}
