/**
 * Finds fields of a message that `proto/` does not name. Decoders pass over them, as protobuf wants it; but a filter that a
 * newer client set and nobody looked at would make an answer look right and be wrong (spec hubble 13 rule 6).
 */
import { fieldsOf, type MessageField } from './grpc.ts';

/** Wire types (protobuf.dev, encoding). */
const VARINT = 0;
const FIXED64 = 1;
const LENGTH = 2;
const FIXED32 = 5;

type Fields = ReadonlyMap<number, MessageField>;

/** The fields of a message and of all that stand in it, by the messages' names: looked up for each of thousands of filters. */
function reachableFrom(messageName: string, found = new Map<string, Fields>()): ReadonlyMap<string, Fields> {
  if (found.has(messageName)) return found;
  const fields = fieldsOf(messageName);
  found.set(messageName, new Map(fields.map((field) => [field.number, field])));
  for (const { inner } of fields) if (inner !== undefined) reachableFrom(inner, found);
  return found;
}

const REQUEST = 'observer.GetFlowsRequest';
const KNOWN = reachableFrom(REQUEST);

/**
 * The first field of a GetFlowsRequest that nobody here knows, as `flow.FlowFilter 41`; undefined when there is none. `bytes`
 * have been decoded as one already, so they are well formed; where they are not, the search ends.
 */
export function findUnknownField(bytes: Uint8Array, messageName = REQUEST): string | undefined {
  const known = KNOWN.get(messageName);
  if (known === undefined) return undefined;
  for (let at = 0; at < bytes.length; ) {
    const tag = readVarint(bytes, at);
    const number = Math.floor(tag.value / 8);
    if (!known.has(number)) return `${messageName} ${number}`;
    const field = fieldAt(bytes, tag.end, tag.value % 8);
    if (field === undefined) return undefined;
    const inner = known.get(number)?.inner;
    if (inner !== undefined && field.length !== undefined) {
      const below = findUnknownField(bytes.subarray(field.end - field.length, field.end), inner);
      if (below !== undefined) return below;
    }
    at = field.end;
  }
  return undefined;
}

interface FieldPlace {
  readonly end: number;
  /** Of what has one. */
  readonly length?: number;
}

function fieldAt(bytes: Uint8Array, at: number, wireType: number): FieldPlace | undefined {
  switch (wireType) {
    case VARINT:
      return { end: readVarint(bytes, at).end };
    case FIXED64:
      return { end: at + 8 };
    case FIXED32:
      return { end: at + 4 };
    case LENGTH: {
      const length = readVarint(bytes, at);
      return { end: length.end + length.value, length: length.value };
    }
    default:
      // Groups: proto3 has none.
      return undefined;
  }
}

/** Exact up to 2^53: tags and lengths have 32 bits, and the value of anything else is not asked for. */
function readVarint(bytes: Uint8Array, at: number): { readonly value: number; readonly end: number } {
  let value = 0;
  let end = at;
  for (let scale = 1; end < bytes.length; scale *= 128) {
    const byte = bytes[end++] ?? 0;
    value += (byte & 127) * scale;
    if (byte < 128) break;
  }
  return { value, end };
}
