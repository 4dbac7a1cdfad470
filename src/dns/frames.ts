/**
 * DNS over a stream: each message behind its length in two bytes (RFC 1035 section 4.2.2, RFC 7766 section 8). Chunks
 * may cut a frame anywhere. What is held for an unfinished frame grows with the bytes that came, not with the length
 * that was announced: a stranger's two bytes must not cost 64 KB.
 */
const PREFIX_BYTES = 2;
/** Room for an ordinary query; doubled as bytes arrive. */
const FIRST_BUFFER_BYTES = 512;

/** The message behind its length, for one write. At most 65535 bytes long. */
export function frameMessage(message: Uint8Array): Uint8Array {
  const framed = new Uint8Array(PREFIX_BYTES + message.length);
  new DataView(framed.buffer).setUint16(0, message.length);
  framed.set(message, PREFIX_BYTES);
  return framed;
}

/** Holds the unfinished frame of one stream. */
export class FrameSplitter {
  #partial = new Uint8Array(0);
  #filled = 0;

  /** Whether the stream stands between two frames. */
  get isAtBoundary(): boolean {
    return this.#filled === 0;
  }

  /** Bytes of the unfinished frame so far, its length included. */
  get heldBytes(): number {
    return this.#filled;
  }

  /** The messages that `chunk` completes; they share its memory where they lie in it whole. */
  push(chunk: Uint8Array): Uint8Array[] {
    const frames: Uint8Array[] = [];
    let at = this.#filled === 0 ? 0 : this.#complete(chunk, frames);
    while (chunk.length - at >= PREFIX_BYTES) {
      const end = at + frameLength(chunk, at);
      if (end > chunk.length) break;
      frames.push(chunk.subarray(at + PREFIX_BYTES, end));
      at = end;
    }
    if (at < chunk.length) this.#hold(chunk.subarray(at));
    return frames;
  }

  /** Gives the unfinished frame what it lacks; returns how many bytes of `chunk` that took. */
  #complete(chunk: Uint8Array, frames: Uint8Array[]): number {
    let used = 0;
    if (this.#filled < PREFIX_BYTES) {
      used = Math.min(PREFIX_BYTES - this.#filled, chunk.length);
      this.#hold(chunk.subarray(0, used));
      if (this.#filled < PREFIX_BYTES) return used;
    }
    const total = frameLength(this.#partial, 0);
    const end = Math.min(chunk.length, used + total - this.#filled);
    this.#hold(chunk.subarray(used, end));
    if (this.#filled < total) return end;
    frames.push(this.#partial.subarray(PREFIX_BYTES, total));
    this.#partial = new Uint8Array(0);
    this.#filled = 0;
    return end;
  }

  #hold(bytes: Uint8Array): void {
    const needed = this.#filled + bytes.length;
    if (needed > this.#partial.length) {
      const grown = new Uint8Array(Math.max(FIRST_BUFFER_BYTES, needed, 2 * this.#partial.length));
      grown.set(this.#partial.subarray(0, this.#filled));
      this.#partial = grown;
    }
    this.#partial.set(bytes, this.#filled);
    this.#filled = needed;
  }
}

/** Prefix included. */
function frameLength(bytes: Uint8Array, at: number): number {
  return PREFIX_BYTES + new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint16(at);
}
