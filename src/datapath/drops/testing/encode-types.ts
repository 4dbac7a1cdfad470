/** Test support: type information as a kernel would have it (kernel documentation, bpf/btf), of a few types. */

interface StructShape {
  readonly name: string;
  readonly size: number;
  /** Name and bytes from the beginning; a struct's name for one inside, '' for a nameless member. */
  readonly members: readonly { readonly name: string; readonly offset: number; readonly of?: string }[];
}

export interface TypesShape {
  readonly enums: readonly {
    readonly name: string;
    readonly words: readonly (readonly [string, number])[];
  }[];
  /** Those that others have inside come first. */
  readonly structs: readonly StructShape[];
  readonly tracepoint?: { readonly name: string; readonly parameters: number };
}

const [INT, POINTER, STRUCT, ENUM, TYPEDEF, FUNC_PROTO] = [1, 2, 4, 6, 8, 13];

export function encodeTypes({ enums, structs, tracepoint }: TypesShape): Buffer {
  const strings: string[] = [''];
  const offsets = new Map<string, number>([['', 0]]);
  let length = 1;
  const text = (name: string): number => {
    const known = offsets.get(name);
    if (known !== undefined) return known;
    offsets.set(name, length);
    strings.push(name);
    length += name.length + 1;
    return length - name.length - 1;
  };
  const words: number[] = [];
  const ids = new Map<string, number>();
  let last = 0;
  const type = (
    name: string,
    kind: number,
    count: number,
    sizeOrType: number,
    ...more: readonly number[]
  ) => {
    words.push(text(name), kind * 2 ** 24 + count, sizeOrType, ...more);
    ids.set(`${kind} ${name}`, ++last);
    return last;
  };
  const int = type('int', INT, 0, 4, 32);
  for (const each of enums) {
    type(
      each.name,
      ENUM,
      each.words.length,
      4,
      ...each.words.flatMap(([word, value]) => [text(word), value]),
    );
  }
  for (const { name, size, members } of structs) {
    const encoded = members.flatMap((member) => {
      const of = member.of === undefined ? int : (ids.get(`${STRUCT} ${member.of}`) ?? 0);
      return [text(member.name), of, member.offset * 8];
    });
    type(name, STRUCT, members.length, size, ...encoded);
  }
  if (tracepoint !== undefined) {
    const parameters = Array.from({ length: tracepoint.parameters + 1 }, () => [0, int]).flat();
    const prototype = type('', FUNC_PROTO, tracepoint.parameters + 1, 0, ...parameters);
    const pointer = type('', POINTER, 0, prototype);
    type(`btf_trace_${tracepoint.name}`, TYPEDEF, 0, pointer);
  }
  const names = Buffer.from(`${strings.join('\0')}\0`, 'latin1');
  const head = Buffer.alloc(24);
  head.writeUInt16LE(0xeb9f, 0);
  head.writeUInt8(1, 2);
  const sizes = [24, 0, words.length * 4, words.length * 4, names.length];
  sizes.forEach((value, i) => {
    head.writeUInt32LE(value, 4 + 4 * i);
  });
  return Buffer.concat([head, Buffer.from(Uint32Array.from(words).buffer), names]);
}
