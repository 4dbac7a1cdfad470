/** One field of a record's data, between its words and its bytes. A format is a list of them (`formats.ts`). */
import type { Reader } from '../../dns/reader.ts';
import type { TokenCursor } from '../token-cursor.ts';

export interface Field {
  /** Takes its words and gives its bytes; what is wrong is left in the cursor. */
  readonly parse: (cursor: TokenCursor) => Uint8Array;
  /** Takes its bytes and gives its words; what is wrong is left in the reader. */
  readonly format: (reader: Reader) => string;
}

/** What a field gives that has left a failure. */
export const NO_BYTES: Uint8Array = new Uint8Array(0);
