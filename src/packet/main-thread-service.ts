/**
 * UDP read by the main thread with `node:dgram`, for where no packet threads are to be had or none are wanted. Answers
 * come from the same cache in the same way, one packet at a time in a slot of its own.
 */
import { ipFamily } from '../net/ip.ts';
import { createDgramTransport } from '../server/dgram-transport.ts';
import type { Arrival } from '../server/serve-query.ts';
import type { OnArrival, Shortcut, UdpSocket, UdpSpec, UdpTransport } from '../server/udp.ts';
import { PACKET_SLOT_BYTES, type PacketAnswerer, type Seat } from '../wirecache/contract.ts';
import type { AnswerSource, ShortcutAnswer, UdpCounts, UdpService } from './udp-service.ts';

export interface MainThreadOptions {
  readonly answers: AnswerSource | undefined;
  readonly receiveBufferBytes: number;
  readonly onAnswer?: (answer: ShortcutAnswer) => void;
}

export class MainThreadService implements UdpService {
  readonly threads = 0;
  readonly #transport: UdpTransport;
  readonly #seat: Seat | undefined;
  readonly #shortcut: CacheShortcut | undefined;

  constructor({ answers, receiveBufferBytes, onAnswer }: MainThreadOptions) {
    this.#seat = answers?.openSeat();
    if (answers !== undefined && this.#seat !== undefined) {
      const packets = new ArrayBuffer(PACKET_SLOT_BYTES);
      const answerer = answers.create(answers.shared, { seat: this.#seat.number, packets });
      this.#shortcut = new CacheShortcut(answerer, packets, onAnswer);
    }
    this.#transport = createDgramTransport({
      receiveBufferBytes,
      ...(this.#shortcut && { shortcut: this.#shortcut }),
    });
  }

  open(spec: UdpSpec, onArrival: OnArrival): Promise<UdpSocket> {
    return this.#transport.open(spec, onArrival);
  }

  setLogged(listener: number, isLogged: boolean): void {
    if (isLogged) this.#shortcut?.logged.add(listener);
    else this.#shortcut?.logged.delete(listener);
  }

  /** Batches here begin and end between two looks of anyone. */
  async passBatches(): Promise<void> {
    return;
  }

  /** The main thread tells that for itself. */
  async useBeats(): Promise<void> {
    return;
  }

  counts(): UdpCounts {
    return { answered: this.#shortcut?.answered ?? 0, overflows: 0, lostLogEntries: 0, unsent: 0 };
  }

  async close(): Promise<void> {
    this.#seat?.close();
  }
}

class CacheShortcut implements Shortcut {
  readonly logged = new Set<number>();
  answered = 0;
  readonly #answerer: PacketAnswerer;
  readonly #slot: Uint8Array;
  readonly #onAnswer: MainThreadOptions['onAnswer'];

  constructor(answerer: PacketAnswerer, packets: ArrayBuffer, onAnswer: MainThreadOptions['onAnswer']) {
    this.#answerer = answerer;
    this.#slot = new Uint8Array(packets);
    this.#onAnswer = onAnswer;
  }

  begin(): void {
    this.#answerer.begin();
  }

  end(): void {
    this.#answerer.end(performance.now());
  }

  answer(arrival: Arrival, listener: number): Uint8Array | undefined {
    const { bytes, client, receivedAtMs } = arrival;
    if (bytes.length > this.#slot.length) return undefined;
    this.#slot.set(bytes);
    const length = this.#answerer.answer(0, bytes.length, listener, ipFamily(client.address), receivedAtMs);
    if (length === 0) return undefined;
    this.answered++;
    const reply = this.#slot.slice(0, length);
    if (this.logged.has(listener)) {
      const durationMs = performance.now() - receivedAtMs;
      this.#onAnswer?.({ arrival, route: this.#answerer.lastRoute, reply, durationMs });
    }
    return reply;
  }
}
