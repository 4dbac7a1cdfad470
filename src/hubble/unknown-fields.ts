/**
 * Finds fields of a message that `proto/` does not name. Decoders pass over them, as protobuf wants it; but a filter that a
 * newer client set and nobody looked at would make an answer look right and be wrong (spec hubble 13 rule 6).
 */
import { fieldsOf, type MessageField } from './grpc.ts';
import { LENGTH, WireReader } from './wire/wire-reader.ts';

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
 * The first field of a GetFlowsRequest that nobody here knows, as `flow.FlowFilter 41`; undefined when there is none. Where
 * bytes are no message the search ends: whoever decodes them says so.
 */
export function findUnknownField(bytes: Uint8Array): string | undefined {
  try {
    return unknownIn(new WireReader(bytes), bytes.length, REQUEST);
  } catch {
    // The reader throws for bytes that are no message.
    return undefined;
  }
}

function unknownIn(reader: WireReader, end: number, messageName: string): string | undefined {
  const known = KNOWN.get(messageName);
  while (reader.at < end) {
    const tag = reader.varint();
    const number = Math.floor(tag / 8);
    const field = known?.get(number);
    if (field === undefined) return `${messageName} ${number}`;
    if (field.inner === undefined || tag % 8 !== LENGTH) reader.skip(tag % 8);
    else {
      const below = unknownIn(reader, reader.length(), field.inner);
      if (below !== undefined) return below;
    }
  }
  return undefined;
}
