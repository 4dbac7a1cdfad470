/**
 * The parts of a relocatable ELF64 little-endian object that a BPF build needs: sections, symbols and relocations.
 * It trusts the compiler that wrote the file; a wrong magic is the only thing it refuses.
 */
export interface Section {
  readonly name: string;
  readonly type: number;
  readonly link: number;
  /** Section that a relocation section applies to. */
  readonly info: number;
  readonly data: Buffer;
}

export interface ElfSymbol {
  readonly name: string;
  readonly type: number;
  readonly section: number;
  readonly value: number;
  readonly size: number;
}

export interface Relocation {
  /** Bytes from the start of the section it applies to. */
  readonly offset: number;
  readonly symbol: ElfSymbol;
}

export interface Elf {
  readonly sections: readonly Section[];
  readonly symbols: readonly ElfSymbol[];
}

const SHT_SYMTAB = 2;
const SHT_NOBITS = 8;
const SHT_REL = 9;
export const STT_FUNC = 2;

export function decodeElf(file: Buffer): Elf {
  if (file.readUInt32BE(0) !== 0x7f454c46) throw new Error('Cannot read the object: not an ELF file');
  const start = Number(file.readBigUInt64LE(40));
  const entrySize = file.readUInt16LE(58);
  const count = file.readUInt16LE(60);
  const raw = Array.from({ length: count }, (_, i) => decodeHeader(file, start + i * entrySize));
  const names = raw[file.readUInt16LE(62)]?.data ?? Buffer.alloc(0);
  const sections = raw.map(({ nameOffset, ...section }) => ({ ...section, name: text(names, nameOffset) }));
  return { sections, symbols: decodeSymbols(sections) };
}

export function relocationsOf(elf: Elf, section: number): readonly Relocation[] {
  const table = elf.sections.find((entry) => entry.type === SHT_REL && entry.info === section);
  if (table === undefined) return [];
  return Array.from({ length: table.data.length / 16 }, (_, i) => {
    const symbol = elf.symbols[table.data.readUInt32LE(i * 16 + 12)];
    if (symbol === undefined) throw new Error(`Cannot relocate ${section}: symbol ${i} is missing`);
    return { offset: Number(table.data.readBigUInt64LE(i * 16)), symbol };
  });
}

/** A zero-terminated string. */
export function text(table: Buffer, offset: number): string {
  return table.toString('latin1', offset, table.indexOf(0, offset));
}

function decodeHeader(file: Buffer, at: number): Omit<Section, 'name'> & { nameOffset: number } {
  const type = file.readUInt32LE(at + 4);
  const offset = Number(file.readBigUInt64LE(at + 24));
  const size = Number(file.readBigUInt64LE(at + 32));
  return {
    nameOffset: file.readUInt32LE(at),
    type,
    link: file.readUInt32LE(at + 40),
    info: file.readUInt32LE(at + 44),
    data: type === SHT_NOBITS ? Buffer.alloc(size) : file.subarray(offset, offset + size),
  };
}

function decodeSymbols(sections: readonly Section[]): readonly ElfSymbol[] {
  const table = sections.find((section) => section.type === SHT_SYMTAB);
  const names = sections[table?.link ?? 0]?.data;
  if (table === undefined || names === undefined) return [];
  return Array.from({ length: table.data.length / 24 }, (_, i) => ({
    name: text(names, table.data.readUInt32LE(i * 24)),
    type: table.data.readUInt8(i * 24 + 4) & 15,
    section: table.data.readUInt16LE(i * 24 + 6),
    value: Number(table.data.readBigUInt64LE(i * 24 + 8)),
    size: Number(table.data.readBigUInt64LE(i * 24 + 16)),
  }));
}
