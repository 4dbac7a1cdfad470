/** Names as bytes, between `Name` and what lies in the shared memory. */
import { canonicalName, type Name, nameBytes } from '../dns/name.ts';
import { readerOf, readName } from '../dns/reader.ts';
import { encodeName } from '../dns/writer.ts';

/** On the wire, uncompressed. */
export function encodeLowerName(name: Name): Uint8Array {
  return encodeName(canonicalName(name), nameBytes(name));
}

export function decodeName(bytes: Uint8Array): Name {
  return readName(readerOf(bytes));
}
