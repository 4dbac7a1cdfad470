/**
 * Moves packets from the ring to one sink, on a timer: an empty look costs nanoseconds, waking a thread costs
 * microseconds. While nobody listens the programs write nothing.
 */
import { errorText } from '../../fault/app-error.ts';
import { type BpfMap, u32Bytes } from '../../sys/bpf-map.ts';
import { RingBuffer, type TakeRecord } from '../../sys/ring/ring-buffer.ts';
import { type Clock, type Timer, untilTick } from '../../telemetry/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import type { PacketSink } from '../packet-record.ts';
import { encodeConfig } from './abi.gen.ts';

export interface EventReaderOptions {
  readonly ring: { readonly fd: number; readonly size: number };
  readonly config: BpfMap;
  readonly clock: Clock;
  readonly log: Pick<Log, 'error'>;
  /** How many events the programs had no room for, ever. */
  readonly countLost: () => bigint;
}

/** Each look wakes the process up, so there are few; while somebody waits for packets, as many as people notice. */
const POLL_MS = 250;
const AWAITED_POLL_MS = 100;
/** The fewer the more the programs tell: a look that finds more than a quarter of the ring comes late. */
const BUSY_POLL_MS = 25;
const BUSY_PART = 0.25;
/** Some milliseconds of the main thread at a time; when there is more, the next look follows at once. */
const MOST_PER_POLL = 5000;

export class EventReader {
  readonly #options: EventReaderOptions;
  #ring: RingBuffer | undefined;
  #timer: Timer | undefined;
  #sink: PacketSink | undefined;
  #lostSoFar = 0n;
  /** Bytes that the last look found. */
  #lastFilled = 0;
  readonly #take: TakeRecord = (memory, at, length) => this.#sink?.packet(memory, at, length);
  readonly #room = (bytes: number) => this.#sink?.room?.(bytes);

  /** Tells the programs that nobody listens, whatever a crashed process left behind. */
  constructor(options: EventReaderOptions) {
    this.#options = options;
    this.#setListening(0);
  }

  listen(sink: PacketSink): void {
    this.#sink = sink;
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
    this.#sink = undefined;
    if (this.#ring !== undefined) this.#setListening(0);
    this.#ring?.close();
    this.#ring = undefined;
  }

  #schedule(hasMore = false): void {
    const { clock } = this.#options;
    this.#timer = clock.after(hasMore ? 0 : untilTick(clock, this.#periodMs()), () => {
      let drained = 0;
      try {
        this.#lastFilled = this.#ring?.filled ?? 0;
        drained = this.#poll();
      } catch (error) {
        // Whatever a packet made the sink do wrong, the next packet is another one.
        this.#options.log.error(`datapath: a packet could not be taken: ${errorText(error)}`);
      }
      // The sink may have closed us.
      if (this.#ring !== undefined) this.#schedule(drained === MOST_PER_POLL);
    });
  }

  /** How many there were. */
  #poll(): number {
    const sink = this.#sink;
    if (sink === undefined || this.#ring === undefined) return 0;
    // Those that were lost had no room behind these.
    const drained = this.#ring.drain(this.#take, MOST_PER_POLL, this.#room);
    const lost = this.#newlyLost();
    if (lost > 0) sink.lost(lost);
    return drained;
  }

  #periodMs(): number {
    if (this.#lastFilled > this.#options.ring.size * BUSY_PART) return BUSY_POLL_MS;
    return this.#sink?.wasAwaited?.() === false ? POLL_MS : AWAITED_POLL_MS;
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
