/**
 * One reader of server-sent events (HTML Standard, section 9.2). What it does not take stays in memory only up to a bound:
 * beyond it messages are dropped and counted, and the next one that gets through says how many.
 */
import type { ServerResponse } from 'node:http';

/** A snapshot is some 20 KB; a browser that is this much behind shows the past. */
const MAX_WAITING_BYTES = 256 * 1024;

export class EventStream {
  readonly #response: ServerResponse;
  /** Messages that were not sent, since the reader connected. */
  dropped = 0;

  constructor(response: ServerResponse, headers: Readonly<Record<string, string>>) {
    this.#response = response;
    response.writeHead(200, { ...headers, 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' });
    response.write('retry: 1000\n\n');
  }

  get isSlow(): boolean {
    return this.#response.writableLength > MAX_WAITING_BYTES;
  }

  /** False when the reader is too slow for it. */
  send(event: string, value: unknown): boolean {
    if (this.isSlow) {
      this.dropped++;
      return false;
    }
    // JSON has no line feed in it, and so no end of a message.
    this.#response.write(`event: ${event}\ndata: ${JSON.stringify(value)}\n\n`);
    return true;
  }

  onClose(listener: () => void): void {
    this.#response.on('close', listener);
  }

  close(): void {
    this.#response.destroy();
  }
}
