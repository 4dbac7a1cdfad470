/**
 * The cache's end of the heartbeat: finds the agent, gets a seat, beats for the main thread, and finds the agent again
 * when it comes back. An agent that is not there, or goes away, changes nothing: a seat is kept and beaten at for as long
 * as the process lives, because the kernel goes on reading it. Nothing here is needed for answering queries, so nothing
 * here may fail them: what goes wrong is told once and tried again later.
 */
import { closeSync } from 'node:fs';
import { errorText } from '../fault/app-error.ts';
import { type Ip, ipBytes } from '../net/ip.ts';
import { connectForDescriptors, type DescriptorChannel } from '../sys/descriptor-channel.ts';
import type { Clock, Timer } from '../telemetry/clock.ts';
import type { Log } from '../telemetry/log.ts';
import { BeatMap, type BeatRow } from './beat-map.ts';
import {
  BEATING,
  decodeAgentMessage,
  encode,
  HEARTBEAT_VERSION,
  type Hello,
  LEAVING,
  type ListenerView,
  MAX_LISTENERS,
  type Presence,
  type Seated,
  type ShelfGrant,
} from './messages.ts';

/** Less than a quarter of the kernel's deadline (400 ms): three late ones in a row are forgiven. */
const BEAT_MS = 80;
/** While an answer is expected, which comes at once or late. */
const IMPATIENT_MS = 10;
const PATIENT_AFTER_MS = 1000;
/** Between two looks for an agent, or whether it is there still: a connect to a path, some microseconds. */
const SEEK_MS = 1000;

/** How a process fills the answer map; what a shelf looks like is not the heartbeat's to know. */
export interface ShelfUser {
  /** ANSWER_LAYOUT of bpf/answer-abi.h. */
  readonly layout: number;
  readonly listeners: () => readonly ListenerView[];
  /**
   * Maps it: the descriptors (index, small and large slots, log) are closed afterwards. Called with each answer of an agent, so
   * the shelf may be the one that is in use already. Undefined: there is none. May throw, as `mmap` fails; then none is in use.
   */
  readonly useShelf: (shelf: ShelfGrant | undefined, fds: readonly number[]) => void;
}

export interface HeartbeatClientOptions {
  readonly path: string;
  readonly clock: Clock;
  /** CLOCK_MONOTONIC. */
  readonly nowNs: () => bigint;
  readonly log: Pick<Log, 'info' | 'warning'>;
  readonly presence: () => Presence;
  /** Packet threads. */
  readonly threads: number;
  /** Has packet threads beat there; resolves when none writes where it wrote before. */
  readonly useRow: (row: BeatRow) => Promise<void>;
  /** Absent: the process fills no answer map. */
  readonly answers?: ShelfUser;
}

const SHELF_DESCRIPTORS = 4;

interface Held {
  readonly seat: number;
  readonly map: BeatMap;
  readonly row: BeatRow;
}

export class HeartbeatClient {
  readonly #options: HeartbeatClientOptions;
  #channel: DescriptorChannel | undefined;
  #held: Held | undefined;
  /** Kept in use while there is no agent: its programs go on reading it. */
  #shelf: number | undefined;
  #timer: Timer | undefined;
  #phase: 'living' | 'leaving' | 'closed' = 'living';
  /** When something was sent whose answer has not come. */
  #askedMs: number | undefined;
  /** The agent says nothing unasked, but that it ends; a second later is soon enough to hear of that. */
  #listenAtMs = Number.NEGATIVE_INFINITY;
  #seekAtMs = Number.NEGATIVE_INFINITY;
  #lastSaid = '';
  #seating: Promise<void> | undefined;
  readonly #seated = Promise.withResolvers<void>();
  readonly #left = Promise.withResolvers<void>();

  constructor(options: HeartbeatClientOptions) {
    this.#options = options;
  }

  /** Resolves when the process beats at a seat that the agent knows of: never, where there is no agent. */
  get seated(): Promise<void> {
    return this.#seated.promise;
  }

  /** Undefined before there has been an agent. */
  get seat(): number | undefined {
    return this.#held?.seat;
  }

  start(): void {
    this.#turn();
  }

  /** What is served has changed. */
  announce(): void {
    if (this.#channel !== undefined && this.#phase === 'living') this.#hail();
  }

  /**
   * Packets stop coming: at once by way of the beat, and for good when the agent has heard of it, which is waited for
   * for at most `patienceMs`. The connection stays until `close`. False when there never was a seat.
   */
  async leave(patienceMs: number): Promise<boolean> {
    if (this.#phase !== 'living') return this.#held !== undefined;
    this.#phase = 'leaving';
    if (this.#held === undefined) {
      this.close();
      return false;
    }
    this.#held.row.retire();
    if (this.#channel === undefined) return true;
    this.#send(LEAVING);
    this.#turnSoon();
    const patience = this.#options.clock.after(patienceMs, () => this.#left.resolve());
    await this.#left.promise;
    patience.cancel();
    return true;
  }

  /** The kernel finds this process dead from now on. For the end of the process: nothing is unmapped. */
  close(): void {
    this.#phase = 'closed';
    this.#timer?.cancel();
    this.#held?.row.retire();
    this.#channel?.close();
    this.#channel = undefined;
    this.#left.resolve();
  }

  #turn(): void {
    if (this.#phase === 'closed') return;
    const { clock, nowNs } = this.#options;
    if (this.#phase === 'living') this.#held?.row.beat(nowNs());
    const nowMs = clock.monotonicMs();
    if (this.#channel !== undefined) {
      if (this.#askedMs !== undefined || nowMs >= this.#listenAtMs) this.#listen(this.#channel);
    } else if (this.#phase === 'living' && nowMs >= this.#seekAtMs) this.#seek();
    this.#timer?.cancel();
    this.#timer = clock.after(this.#restMs(), () => this.#turn());
  }

  #restMs(): number {
    const askedMs = this.#askedMs ?? Number.NEGATIVE_INFINITY;
    if (this.#options.clock.monotonicMs() - askedMs < PATIENT_AFTER_MS) return IMPATIENT_MS;
    return this.#held === undefined ? SEEK_MS : BEAT_MS;
  }

  #turnSoon(): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(IMPATIENT_MS, () => this.#turn());
  }

  #seek(): void {
    const { path, clock } = this.#options;
    this.#seekAtMs = clock.monotonicMs() + SEEK_MS;
    try {
      this.#channel = connectForDescriptors(path);
    } catch {
      // Nobody is there, which is no news: many nodes have no agent.
      return;
    }
    this.#hail();
  }

  #hail(): void {
    const { presence, threads, answers } = this.#options;
    const { addresses, ports } = presence();
    const seat = this.#held?.seat;
    const shelf = this.#shelf;
    const hello: Hello = {
      version: HEARTBEAT_VERSION,
      addresses,
      ports,
      threads,
      ...(seat !== undefined && { seat }),
      ...(answers && {
        answers: {
          layout: answers.layout,
          ...(shelf !== undefined && { shelf }),
          listeners: toTell(answers.listeners()),
        },
      }),
    };
    this.#send(encode(hello));
  }

  #send(bytes: Uint8Array): void {
    try {
      this.#channel?.send(bytes);
      this.#askedMs = this.#options.clock.monotonicMs();
    } catch {
      this.#lost();
    }
  }

  #listen(channel: DescriptorChannel): void {
    this.#listenAtMs = this.#options.clock.monotonicMs() + SEEK_MS;
    while (channel.isReady()) {
      const heard = channel.receive();
      if (heard === 'nothing') return;
      if (heard === 'closed') {
        this.#lost();
        return;
      }
      this.#askedMs = undefined;
      this.#hear(heard.bytes, heard.fds);
      if (this.#channel !== channel) return;
    }
  }

  #hear(bytes: Uint8Array, fds: readonly number[]): void {
    const message = decodeAgentMessage(bytes);
    const [fd, ...shelfFds] = fds;
    if (message.ok && message.value.kind === 'seated' && fd !== undefined) {
      this.#take(message.value.seated, fd, shelfFds);
    } else if (message.ok && message.value.kind === 'left') this.#left.resolve();
    else {
      const said = message.ok && message.value.kind === 'error' ? message.value.error : 'it makes no sense';
      this.#sayOnce(`The agent gives no seat: ${said}`);
      this.#lost();
    }
    for (const each of fds) closeSync(each);
  }

  /** Maps it before the descriptor is closed; the rest takes until every packet thread has turned. */
  #take(seated: Seated, fd: number, shelfFds: readonly number[]): void {
    if (this.#phase !== 'living') return;
    this.#takeShelf(seated.shelf, shelfFds);
    try {
      const map = new BeatMap(fd, seated);
      const previous = this.#seating ?? Promise.resolve();
      this.#seating = previous.then(() => this.#sit(seated.seat, map));
    } catch (error) {
      this.#sayOnce(`Cannot beat for the agent: ${errorText(error)}`);
      this.#lost();
    }
  }

  /** Beside the seat, not a condition of it: queries are answered without a shelf as well. */
  #takeShelf(shelf: ShelfGrant | undefined, fds: readonly number[]): void {
    const { answers } = this.#options;
    if (answers === undefined) return;
    const granted = fds.length === SHELF_DESCRIPTORS ? shelf : undefined;
    this.#shelf = undefined;
    try {
      answers.useShelf(granted, fds);
      this.#shelf = granted?.number;
    } catch (error) {
      this.#options.log.warning(`Cannot fill the answer map: ${errorText(error)}`);
    }
  }

  async #sit(seat: number, map: BeatMap): Promise<void> {
    const { useRow, nowNs, log } = this.#options;
    const old = this.#held;
    const row = map.row(seat);
    // In our own seat what other threads wrote is true until they write the next one.
    if (old?.seat !== seat) row.clear();
    if (this.#phase === 'living') row.beat(nowNs());
    else row.retire();
    this.#held = { seat, map, row };
    await useRow(row);
    old?.map.close();
    if (this.#phase !== 'living') return;
    if (old?.seat !== seat) log.info(`The agent watches this process: seat ${seat}`);
    this.#lastSaid = '';
    this.#tell(BEATING);
    this.#seated.resolve();
    this.#turn();
  }

  /** What has no answer. */
  #tell(bytes: Uint8Array): void {
    const askedMs = this.#askedMs;
    this.#send(bytes);
    this.#askedMs = askedMs;
  }

  #lost(): void {
    this.#channel?.close();
    this.#channel = undefined;
    this.#askedMs = undefined;
    this.#left.resolve();
  }

  #sayOnce(text: string): void {
    if (text !== this.#lastSaid) this.#options.log.warning(text);
    this.#lastSaid = text;
  }
}

/**
 * As many as an agent takes. The place of one that is left out would be taken for that of a wildcard, and get its answers:
 * so no wildcard is told of then.
 */
function toTell(listeners: readonly ListenerView[]): readonly ListenerView[] {
  if (listeners.length <= MAX_LISTENERS) return listeners;
  return listeners.filter(({ address }) => !isWildcard(address)).slice(0, MAX_LISTENERS);
}

function isWildcard(address: Ip | undefined): boolean {
  return address === undefined || ipBytes(address).every((byte) => byte === 0);
}
