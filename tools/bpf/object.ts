/**
 * A compiled BPF object as the value the loader wants: programs with their relocations, maps, and the globals.
 * Deliberately absent: sub-programs. Everything is inlined; a call relocation is refused rather than half supported.
 */
import { type Btf, bareType, decodeBtf, KIND, sizeOf, typeOf } from './btf.ts';
import { decodeElf, type Elf, relocationsOf, STT_FUNC } from './elf.ts';

export interface ObjectRelocation {
  /** Index of the 16-byte load instruction, counted in 8-byte units. */
  readonly instruction: number;
  /** A map's name, or `.rodata`. */
  readonly map: string;
  /** Bytes into `.rodata`. */
  readonly offset?: number;
}

export interface ObjectProgram {
  readonly name: string;
  readonly instructions: Buffer;
  readonly relocations: readonly ObjectRelocation[];
}

export interface ObjectMap {
  readonly name: string;
  readonly type: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly flags: number;
}

export interface BpfObject {
  readonly license: string;
  readonly programs: readonly ObjectProgram[];
  readonly maps: readonly ObjectMap[];
  readonly rodata: Buffer;
  readonly globals: Readonly<Record<string, { readonly offset: number; readonly size: number }>>;
}

export function btfOf(file: Buffer): Btf {
  const section = decodeElf(file).sections.find((entry) => entry.name === '.BTF');
  if (section === undefined)
    throw new Error('Cannot read the object: it has no .BTF section (compile with -g)');
  return decodeBtf(section.data);
}

export function decodeObject(file: Buffer): BpfObject {
  const elf = decodeElf(file);
  const find = (name: string) => elf.sections.findIndex((section) => section.name === name);
  const rodata = find('.rodata');
  const globals = elf.symbols.filter((symbol) => symbol.section === rodata && rodata > 0 && symbol.size > 0);
  return {
    license: (elf.sections[find('license')]?.data.toString('latin1') ?? '').replace(/\0.*$/, ''),
    programs: elf.symbols
      .filter((symbol) => symbol.type === STT_FUNC)
      .map((symbol) => decodeProgram(elf, symbol.name)),
    maps: decodeMaps(btfOf(file)),
    rodata: elf.sections[rodata]?.data ?? Buffer.alloc(0),
    globals: Object.fromEntries(globals.map(({ name, value, size }) => [name, { offset: value, size }])),
  };
}

function decodeProgram(elf: Elf, name: string): ObjectProgram {
  const symbol = elf.symbols.find((entry) => entry.name === name && entry.type === STT_FUNC);
  const section = symbol && elf.sections[symbol.section];
  if (symbol === undefined || section === undefined) throw new Error(`Cannot read program ${name}: no code`);
  const end = symbol.value + symbol.size;
  const relocations = relocationsOf(elf, symbol.section)
    .filter(({ offset }) => offset >= symbol.value && offset < end)
    .map(({ offset, symbol: target }) => {
      const map = elf.sections[target.section]?.name === '.maps' ? target.name : '.rodata';
      if (map === '.rodata' && elf.sections[target.section]?.name !== '.rodata') {
        throw new Error(
          `Cannot relocate ${name}: received symbol ${target.name}, neither a map nor a constant`,
        );
      }
      const instruction = (offset - symbol.value) / 8;
      const into = target.value + section.data.readInt32LE(offset + 4);
      return map === '.rodata' ? { instruction, map, offset: into } : { instruction, map };
    });
  return { name, instructions: section.data.subarray(symbol.value, end), relocations };
}

/** Each variable of `.maps` is a struct whose members are pointers: to arrays for numbers, to types for key and value. */
function decodeMaps(btf: Btf): readonly ObjectMap[] {
  const variables = btf.filter((type) => type.kind === KIND.VAR);
  return variables.flatMap((variable) => {
    const { members } = bareType(btf, variable.type);
    const pointee = (name: string) => {
      const member = members.find((entry) => entry.name === name);
      return member === undefined ? undefined : bareType(btf, member.type).type;
    };
    const number = (name: string) => {
      const id = pointee(name);
      return id === undefined ? 0 : typeOf(btf, id).length;
    };
    const size = (name: string) => {
      const id = pointee(name);
      return id === undefined ? 0 : sizeOf(btf, id);
    };
    if (!members.some((member) => member.name === 'max_entries')) return [];
    const [type, maxEntries, flags] = [number('type'), number('max_entries'), number('map_flags')];
    return [{ name: variable.name, type, keySize: size('key'), valueSize: size('value'), maxEntries, flags }];
  });
}
