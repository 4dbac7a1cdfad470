/**
 * Replies of the main thread, sent on the packet threads' descriptors: what one turn of the event loop brings goes out by
 * one call. A descriptor that is closed must not be named any more: its number may be somebody else's by then.
 */
import { DatagramBatch } from '../sys/datagram-batch.ts';

const BATCH = 64;

export interface Addressed {
  readonly fd: number;
  /** A kernel `sockaddr`. */
  readonly name: Uint8Array;
  /** Which of our addresses it leaves from. */
  readonly control: Uint8Array;
}

export class ReplySender {
  readonly #batch = new DatagramBatch(BATCH);
  #fd = -1;
  #isScheduled = false;
  /** Replies that the kernel would not take. */
  unsent = 0;

  /** Sent at the end of the turn, or by `flush`. */
  send({ fd, name, control }: Addressed, reply: Uint8Array): void {
    if (fd !== this.#fd) this.flush();
    this.#fd = fd;
    this.#batch.add(name, control, reply);
    if (this.#batch.replies === this.#batch.capacity) this.flush();
    else this.#schedule();
  }

  flush(): void {
    if (this.#batch.replies > 0) this.unsent += this.#batch.send(this.#fd);
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.flush();
    });
  }
}
