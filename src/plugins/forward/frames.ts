/**
 * DNS messages on a stream: each behind its length in two bytes (RFC 1035 section 4.2.2). A reader holds at most one
 * unfinished message, so its memory is bounded by the 65535 bytes a length can say.
 */
import { readerOf, readU16 } from '../../dns/reader.ts';
import { writeBytes, writerOf, writeU16 } from '../../dns/writer.ts';

const PREFIX_BYTES = 2;

export function frame(message: Uint8Array): Uint8Array {
  const writer = writerOf(PREFIX_BYTES + message.length);
  writeU16(writer, message.length);
  writeBytes(writer, message);
  return writer.bytes;
}

export class FrameReader {
  #rest: Uint8Array = new Uint8Array(0);

  /** The messages that this chunk completes. They may alias the chunk, which the caller must not change. */
  push(chunk: Uint8Array): Uint8Array[] {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const messages: Uint8Array[] = [];
    while (bytes.length >= PREFIX_BYTES) {
      const length = readU16(readerOf(bytes));
      if (bytes.length < PREFIX_BYTES + length) break;
      messages.push(bytes.subarray(PREFIX_BYTES, PREFIX_BYTES + length));
      bytes = bytes.subarray(PREFIX_BYTES + length);
    }
    this.#rest = bytes;
    return messages;
  }
}
