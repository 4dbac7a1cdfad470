/**
 * Cuts a byte stream into lines at LF, whatever the chunk borders; a character split over two chunks stays whole
 * because decoding happens per line. Holds at most one line of `maxBytes`.
 */
const LF = 0x0a;

export interface LineSplitter {
  /** The lines completed by this chunk, without LF; undefined once a line exceeded the bound, and from then on. */
  push(chunk: Uint8Array): readonly string[] | undefined;
  /** Bytes of a line that has not ended. */
  pendingBytes(): number;
}

export function createLineSplitter(maxBytes: number): LineSplitter {
  const decoder = new TextDecoder();
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  let overflown = false;

  function take(tail: Uint8Array): string {
    if (pending.length === 0) return decoder.decode(tail);
    const whole = new Uint8Array(pendingBytes + tail.length);
    let offset = 0;
    for (const part of [...pending, tail]) {
      whole.set(part, offset);
      offset += part.length;
    }
    pending = [];
    pendingBytes = 0;
    return decoder.decode(whole);
  }

  function cut(chunk: Uint8Array): readonly string[] | undefined {
    const lines: string[] = [];
    let start = 0;
    for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, start)) {
      if (pendingBytes + end - start > maxBytes) return undefined;
      lines.push(take(chunk.subarray(start, end)));
      start = end + 1;
    }
    if (start < chunk.length) {
      pending.push(chunk.slice(start));
      pendingBytes += chunk.length - start;
    }
    return pendingBytes > maxBytes ? undefined : lines;
  }

  return {
    push(chunk) {
      const lines = overflown ? undefined : cut(chunk);
      if (lines === undefined) {
        overflown = true;
        pending = [];
      }
      return lines;
    },
    pendingBytes: () => pendingBytes,
  };
}
