/**
 * The main thread's side of one packet thread: starts it, tells it which descriptors to read, takes what it hands over,
 * and starts it again when it dies. What it was told last is what its successor begins with; the descriptors stay open
 * meanwhile, so the kernel keeps the packets. Owns no descriptors.
 */
import type { Worker } from 'node:worker_threads';
import { errorText } from '../fault/app-error.ts';
import type { Clock, Timer } from '../telemetry/clock.ts';
import type { Log } from '../telemetry/log.ts';
import type { Seat } from '../wirecache/contract.ts';
import { RingReader, ringMemory } from './byte-ring.ts';
import { startWorker, takeEarlyWorker } from './early-worker.ts';
import { type RingRecord, takeRecord } from './ring-record.ts';
import { BATCHES, BUSY, COMMANDS, ENDED, LIFE, SERVING, setLogged, stateMemory } from './shared-state.ts';
import { clockOffsetMs } from './thread-clock.ts';
import {
  type Command,
  type ThreadData,
  type ThreadReport,
  type ThreadSocket,
  WAKE,
} from './thread-messages.ts';
import type { AnswerSource } from './udp-service.ts';

/** Some thousands of packets: what the main thread answers in a few tens of milliseconds. More would only be later. */
const RING_BYTES = 1 << 19;
/** Handed over in one turn of the event loop; upstreams and timers have their turn in between. */
const RECORDS_PER_TURN = 256;
/** How long a read blocks at most: how late a thread hears what it is told. */
export const DEAF_MS = 100;
/** How long the end of the process waits for a thread that starts, or serves: several times what either takes. */
const MOST_START_MS = 2000;
const MOST_STOP_MS = 500;
const FIRST_RESTART_MS = 50;
const MAX_RESTART_MS = 5000;
/** One that has worked for so long has not died of what its predecessor died of. */
const HEALTHY_MS = 60_000;

export interface PacketThreadOptions {
  readonly log: Log;
  /** Nice value, of later lives too. */
  readonly priority: number;
  readonly clock: Clock;
  /** Absent: everything is handed over. */
  readonly answers: AnswerSource | undefined;
  readonly onRecord: (record: RingRecord) => void;
  /** After a turn's last record. */
  readonly onTurn: () => void;
  readonly onRestart: () => void;
}

interface Order {
  readonly command: Command;
  readonly obeyed: () => void;
}

type CommandSpec = Command extends infer C ? (C extends Command ? Omit<C, 'token'> : never) : never;

export class PacketThread {
  /** See `shared-state.ts`. */
  readonly state: Int32Array;
  readonly #options: PacketThreadOptions;
  readonly #stateMemory: SharedArrayBuffer;
  readonly #ringMemory = ringMemory(RING_BYTES);
  readonly #ring = new RingReader(this.#ringMemory);
  readonly #orders = new Map<number, Order>();
  #sockets: readonly ThreadSocket[] = [];
  #beatAt: bigint | undefined;
  #worker: Worker | undefined;
  #seat: Seat | undefined;
  #lastToken = 0;
  #startedMs = 0;
  #restartMs = FIRST_RESTART_MS;
  #restart: Timer | undefined;
  #isStopping = false;
  #isDraining = false;

  constructor(options: PacketThreadOptions) {
    this.#options = options;
    const early = takeEarlyWorker(options.answers?.module);
    this.#stateMemory = early?.state ?? stateMemory();
    this.state = new Int32Array(this.#stateMemory);
    this.#ring.sleep();
    this.#start(early?.worker);
  }

  /** From now on the thread reads it; packets wait in the kernel until it does. */
  open(socket: ThreadSocket): void {
    this.#sockets = [...this.#sockets, socket];
    void this.#order({ do: 'open', socket });
  }

  /** Resolves when what had arrived has been answered or handed to `onRecord`. */
  drain(id: number): Promise<void> {
    return this.#order({ do: 'drain', id });
  }

  /** As `drain`; then the thread has let go of the descriptor. */
  close(id: number): Promise<void> {
    this.#sockets = this.#sockets.filter((socket) => socket.id !== id);
    return this.#order({ do: 'close', id });
  }

  /** Whether answers to this listener's queries are handed over as well. */
  setLogged(listener: number, isLogged: boolean): void {
    setLogged(this.state, listener, isLogged);
  }

  /** Resolves when it writes nowhere else any more; its later lives do not either. */
  beat(beatAt: bigint): Promise<void> {
    this.#beatAt = beatAt;
    return this.#order({ do: 'beat', beatAt });
  }

  /** Resolves when the batch in hand, if there is one, has been answered. */
  async passBatch(): Promise<void> {
    const batch = Atomics.load(this.state, BATCHES);
    while (Atomics.load(this.state, BUSY) === 1 && Atomics.load(this.state, BATCHES) === batch) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Resolves when the thread has ended; afterwards nothing is called any more. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#restart?.cancel();
    const worker = this.#worker;
    if (worker === undefined) return this.#forgetOrders();
    const gone = new Promise((resolve) => worker.once('exit', resolve));
    void this.#order({ do: 'stop' });
    await gone;
  }

  /**
   * For a process that ends without having stopped the thread: waits, within bounds, until it calls into nothing. Node
   * ends threads where they are, and one that is calling into libc at that moment would abort the process.
   */
  settle(): void {
    if (this.#worker === undefined) return;
    this.#waitWhileStarting();
    this.#post({ do: 'stop', token: ++this.#lastToken });
    Atomics.wait(this.state, LIFE, SERVING, MOST_STOP_MS);
  }

  #waitWhileStarting(): void {
    const until = performance.now() + MOST_START_MS;
    for (let left = MOST_START_MS; left > 0; left = until - performance.now()) {
      const life = Atomics.load(this.state, LIFE);
      if (life === SERVING || life === ENDED) return;
      Atomics.wait(this.state, LIFE, life, left);
    }
  }

  #order(spec: CommandSpec): Promise<void> {
    // Between two lives nobody reads anything; the next one begins with the sockets that are left.
    if (this.#worker === undefined) return Promise.resolve();
    const command: Command = { ...spec, token: ++this.#lastToken };
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#orders.set(command.token, { command, obeyed: resolve });
    this.#post(command);
    return promise;
  }

  #post(command: Command | ThreadData): void {
    this.#worker?.postMessage(command);
    Atomics.add(this.state, COMMANDS, 1);
    Atomics.notify(this.state, COMMANDS);
  }

  #start(early?: Worker): void {
    const { answers, clock, log } = this.#options;
    this.#startedMs = clock.monotonicMs();
    this.#seat = answers?.openSeat();
    if (answers !== undefined && this.#seat === undefined) {
      log.warning('A packet thread has no seat at the answer cache: it hands every packet over');
    }
    const worker = early ?? startWorker(this.#stateMemory, answers?.module);
    worker.on('message', (report: ThreadReport) => this.#hear(report));
    worker.on('error', (error) => log.error(`A packet thread has failed: ${errorText(error)}`));
    worker.on('exit', () => this.#ended());
    this.#worker = worker;
    this.#post(this.#threadData());
    for (const { command } of this.#orders.values()) if (command.do !== 'open') this.#post(command);
    // What it opens is in its data already.
    for (const { command } of [...this.#orders.values()])
      if (command.do === 'open') this.#obeyed(command.token);
  }

  /** The system may have no thread to give: that must not end the process, which has others. */
  #startAgain(): void {
    try {
      this.#start();
    } catch (error) {
      this.#options.log.error(`A packet thread cannot be started: ${errorText(error)}`);
      this.#ended();
    }
  }

  #threadData(): ThreadData {
    const { answers } = this.#options;
    return {
      ring: this.#ringMemory,
      sockets: this.#sockets,
      answerer: answers && this.#seat && { shared: answers.shared, seat: this.#seat.number },
      clockOffsetMs: clockOffsetMs(),
      deafMs: DEAF_MS,
      beatAt: this.#beatAt,
      priority: this.#options.priority,
    };
  }

  #hear(report: ThreadReport): void {
    if (report === WAKE) {
      this.#takeTurn();
      return;
    }
    // What was handed over before the report was made is in the ring.
    this.#takeAll();
    this.#obeyed(report);
  }

  #obeyed(token: number): void {
    const order = this.#orders.get(token);
    this.#orders.delete(token);
    order?.obeyed();
  }

  #takeTurn(): void {
    if (this.#isDraining) return;
    let taken = 0;
    while (taken < RECORDS_PER_TURN && this.#takeOne()) taken++;
    this.#options.onTurn();
    if (taken < RECORDS_PER_TURN && this.#ring.sleep()) return;
    this.#isDraining = true;
    setImmediate(() => {
      this.#isDraining = false;
      this.#takeTurn();
    });
  }

  #takeAll(): void {
    while (this.#takeOne());
    this.#options.onTurn();
  }

  #takeOne(): boolean {
    const record = takeRecord(this.#ring);
    if (record === undefined) return false;
    this.#options.onRecord(record);
    return true;
  }

  #ended(): void {
    const { clock, log, onRestart } = this.#options;
    this.#worker = undefined;
    this.#seat?.close();
    this.#seat = undefined;
    Atomics.store(this.state, BUSY, 0);
    this.#takeAll();
    if (this.#isStopping) {
      this.#forgetOrders();
      return;
    }
    if (clock.monotonicMs() - this.#startedMs > HEALTHY_MS) this.#restartMs = FIRST_RESTART_MS;
    log.warning(`A packet thread has ended and is started again in ${this.#restartMs} ms`);
    onRestart();
    // It may have died between waking this thread and saying so: nobody would ever be woken again.
    this.#takeTurn();
    this.#restart = clock.after(this.#restartMs, () => this.#startAgain());
    this.#restartMs = Math.min(this.#restartMs * 2, MAX_RESTART_MS);
  }

  #forgetOrders(): void {
    for (const token of [...this.#orders.keys()]) this.#obeyed(token);
  }
}
