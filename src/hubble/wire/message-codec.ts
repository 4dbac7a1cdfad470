/**
 * Messages to bytes and back, for those that come by the ten thousand: the library makes each twice on its way, which costs
 * five times as much. Values are as the library's (spec hubble 6.5): the protos' names, enums as words, 64-bit numbers as
 * decimal text, what is not set absent. Only the kinds of fields that flows have are here.
 */
import type { Codec, MessageField, WireMessage } from '../grpc.ts';
import { LENGTH, VARINT, WireReader } from './wire-reader.ts';
import { WireWriter } from './wire-writer.ts';

/** Fields of a message by its name. */
export type Describe = (messageName: string) => readonly MessageField[];

/** How one kind of value is written and read. */
interface Kind {
  readonly wireType: number;
  write(writer: WireWriter, value: unknown): void;
  read(reader: WireReader): unknown;
  /** What proto3 does not write. */
  isEmpty(value: unknown): boolean;
}

interface Field {
  readonly name: string;
  readonly tag: number;
  readonly repeated: boolean;
  readonly kind: Kind;
}

/** Throws for a message with kinds of fields that are not here: our own mistake. */
export function createMessageCodec(messageName: string, describe: Describe): Codec {
  const message = messageKind(messageName, describe, new Map());
  const writer = new WireWriter();
  return {
    serialize(value) {
      // A message before this one may have thrown half way.
      writer.reset();
      message.writeFields(writer, value);
      return writer.take();
    },
    deserialize: (bytes) => message.readFields(new WireReader(bytes), bytes.length),
  };
}

class MessageKind implements Kind {
  readonly wireType = LENGTH;
  #fields: readonly Field[] = [];
  readonly #byTag = new Map<number, Field>();

  set fields(fields: readonly Field[]) {
    this.#fields = fields;
    for (const field of fields) this.#byTag.set(field.tag, field);
  }

  isEmpty(): boolean {
    return false;
  }

  write(writer: WireWriter, value: unknown): void {
    writer.nested(() => this.writeFields(writer, value as WireMessage));
  }

  read(reader: WireReader): WireMessage {
    return this.readFields(reader, reader.length());
  }

  writeFields(writer: WireWriter, message: WireMessage): void {
    for (const { name, tag, repeated, kind } of this.#fields) {
      const value = message[name];
      if (value === undefined || value === null) continue;
      if (repeated) {
        for (const each of value as readonly unknown[]) {
          writer.varint(tag);
          kind.write(writer, each);
        }
      } else if (!kind.isEmpty(value)) {
        writer.varint(tag);
        kind.write(writer, value);
      }
    }
  }

  readFields(reader: WireReader, end: number): WireMessage {
    const message: Record<string, unknown> = {};
    while (reader.at < end) {
      const tag = reader.varint();
      const field = this.#byTag.get(tag);
      if (field === undefined) {
        reader.skip(tag % 8);
        continue;
      }
      const value = field.kind.read(reader);
      const before = message[field.name];
      if (!field.repeated) message[field.name] = value;
      else if (Array.isArray(before)) before.push(value);
      else message[field.name] = [value];
    }
    if (reader.at !== end) throw new Error('a field beyond the end of its message');
    return message;
  }
}

function messageKind(name: string, describe: Describe, known: Map<string, MessageKind>): MessageKind {
  const found = known.get(name);
  if (found !== undefined) return found;
  const kind = new MessageKind();
  known.set(name, kind);
  kind.fields = describe(name).map((field) => {
    const inner = field.inner === undefined ? scalarKind(field) : messageKind(field.inner, describe, known);
    return {
      name: field.name,
      repeated: field.repeated,
      kind: inner,
      tag: field.number * 8 + inner.wireType,
    };
  });
  return kind;
}

const TEXT: Kind = {
  wireType: LENGTH,
  write: (writer, value) => writer.text(String(value)),
  read: (reader) => reader.text(),
  isEmpty: (value) => value === '',
};
const BOOLEAN: Kind = {
  wireType: VARINT,
  write: (writer, value) => writer.varint(value === true ? 1 : 0),
  read: (reader) => reader.varint() !== 0,
  isEmpty: (value) => value === false,
};
const UINT32: Kind = {
  wireType: VARINT,
  write: (writer, value) => writer.varint(Number(value) >>> 0),
  read: (reader) => reader.varint() >>> 0,
  isEmpty: (value) => value === 0,
};
const INT32: Kind = {
  wireType: VARINT,
  write: (writer, value) => writer.varint64(Number(value) | 0),
  read: (reader) => Number(BigInt.asIntN(32, BigInt(reader.varint64(true)))),
  isEmpty: (value) => value === 0,
};

function long(signed: boolean): Kind {
  return {
    wireType: VARINT,
    write: (writer, value) => writer.varint64(value as string | number),
    read: (reader) => reader.varint64(signed),
    isEmpty: (value) => Number(value) === 0,
  };
}

const SCALARS: Readonly<Record<string, Kind>> = {
  TYPE_STRING: TEXT,
  TYPE_BOOL: BOOLEAN,
  TYPE_UINT32: UINT32,
  TYPE_INT32: INT32,
  TYPE_UINT64: long(false),
  TYPE_INT64: long(true),
};

function scalarKind({ name, type, words, repeated }: MessageField): Kind {
  const kind = words === undefined ? SCALARS[type] : enumKind(words);
  // Repeated numbers may come packed, which no flow has.
  if (kind === undefined || (repeated && kind !== TEXT)) throw new Error(`No codec for ${type} of ${name}`);
  return kind;
}

function enumKind(words: ReadonlyMap<string, number>): Kind {
  const byNumber = new Map([...words].map(([word, number]) => [number, word]));
  const numberOf = (value: unknown) => (typeof value === 'number' ? value : (words.get(String(value)) ?? 0));
  return {
    wireType: VARINT,
    write: (writer, value) => writer.varint64(numberOf(value)),
    read(reader) {
      const number = reader.varint();
      return byNumber.get(number) ?? number | 0;
    },
    isEmpty: (value) => numberOf(value) === 0,
  };
}
