/**
 * Moves events from the ring to one listener, on a timer: an empty look costs nanoseconds, waking a thread costs
 * microseconds. While nobody listens the programs write nothing.
 */
import { errorText } from '../../fault/app-error.ts';
import { type BpfMap, u32Bytes } from '../../sys/bpf-map.ts';
import { type Clock, type Timer, untilTick } from '../../telemetry/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import type { PacketEvent } from '../datapath.ts';
import { encodeConfig } from './abi.gen.ts';
import { toPacketEvent } from './packet-event.ts';
import { RingBuffer } from './ring-buffer.ts';

export type EventListener = (event: PacketEvent, lost: number) => void;

export interface EventReaderOptions {
  readonly ring: { readonly fd: number; readonly size: number };
  readonly config: BpfMap;
  readonly clock: Clock;
  readonly log: Pick<Log, 'error'>;
  /** How many events the programs had no room for, ever. */
  readonly countLost: () => bigint;
}

/** While events come, and while none do: each look wakes the process up. */
const POLL_MS = { busy: 10, quiet: 50 } as const;
/** Enough for 200 000 events a second, and no more than some milliseconds of the main thread at a time. */
const MOST_PER_POLL = 2000;
/** In one look. A ring of some 3,000 that holds fewer does not fill up until the next quiet one. */
const BUSY_EVENTS = 100;

export class EventReader {
  readonly #options: EventReaderOptions;
  #ring: RingBuffer | undefined;
  #timer: Timer | undefined;
  #listener: EventListener | undefined;
  #lostSoFar = 0n;
  #isBusy = false;

  /** Tells the programs that nobody listens, whatever a crashed process left behind. */
  constructor(options: EventReaderOptions) {
    this.#options = options;
    this.#setListening(0);
  }

  listen(listener: EventListener): void {
    this.#listener = listener;
    if (this.#ring !== undefined) return;
    this.#ring = new RingBuffer(this.#options.ring.fd, this.#options.ring.size);
    this.#ring.skipAll();
    this.#lostSoFar = this.#options.countLost();
    this.#setListening(1);
    this.#schedule();
  }

  /** The config map must still be open. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#listener = undefined;
    if (this.#ring !== undefined) this.#setListening(0);
    this.#ring?.close();
    this.#ring = undefined;
  }

  #schedule(): void {
    const { clock } = this.#options;
    this.#timer = clock.after(untilTick(clock, this.#isBusy ? POLL_MS.busy : POLL_MS.quiet), () => {
      try {
        this.#isBusy = this.#poll() > BUSY_EVENTS;
      } catch (error) {
        // Whatever a packet made the listener do wrong, the next packet is another one.
        this.#options.log.error(`datapath: the listener failed on an event: ${errorText(error)}`);
      }
      // The listener may have closed us.
      if (this.#ring !== undefined) this.#schedule();
    });
  }

  /** How many there were. */
  #poll(): number {
    let lost = -1;
    const drained = this.#ring?.drain((record) => {
      const event = toPacketEvent(record);
      if (event === undefined) return;
      if (lost < 0) lost = this.#newlyLost();
      this.#listener?.(event, lost);
      lost = 0;
    }, MOST_PER_POLL);
    return drained ?? 0;
  }

  #newlyLost(): number {
    const total = this.#options.countLost();
    const lost = Number(total - this.#lostSoFar);
    this.#lostSoFar = total;
    return lost;
  }

  #setListening(listening: number): void {
    this.#options.config.update(u32Bytes(0), encodeConfig({ listening }));
  }
}
