/**
 * Answers that the kernel gives for this server: hands a configuration's routes to what fills the answer map, and tells
 * plugins and metrics what was answered from it. The shelf belongs to this process, comes by way of the heartbeat, and
 * stays as it is when the process ends, but for what is logged: what has not expired is answered while a successor starts.
 * Queries are answered without any of this, so a shelf that cannot be had is no error of the server's.
 */
import { type AnswerMirror, createAnswerMirror } from '../../answermap/answer-mirror.ts';
import { mapShelf, type ShelfMemory } from '../../answermap/shelf-memory.ts';
import { isSubdomain, type Name } from '../../dns/name.ts';
import type { ShelfGrant } from '../../heartbeat/messages.ts';
import type { Ip } from '../../net/ip.ts';
import { RingBuffer } from '../../sys/ring/ring-buffer.ts';
import type { Clock } from '../../telemetry/clock.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { AnswerCache } from '../../wirecache/contract.ts';
import type { HotRoute } from '../hot-routes.ts';
import { AnswerLog, type AnswerRing, type LoggedAnswer } from './answer-log.ts';
import { replayedQuery } from './replayed-query.ts';

export interface KernelListener {
  /** 1 to 65535. */
  readonly view: number;
  /** Metric label. */
  readonly server: string;
  /** Absent for a wildcard. */
  readonly address: Ip | undefined;
  /** 0: the system chose. */
  readonly port: number;
  readonly routes: readonly HotRoute[];
}

export interface Shelf {
  readonly memory: ShelfMemory;
  readonly log: AnswerRing;
}

export interface KernelAnswersOptions {
  readonly cache: AnswerCache;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

type Views = ReadonlyMap<number, KernelListener>;

export class KernelAnswers {
  readonly #mirror: AnswerMirror;
  readonly #clock: Clock;
  readonly #log: AnswerLog;
  readonly #metrics: ReturnType<typeof ownMetrics>;
  #shelf: Shelf | undefined;
  #views: Views = new Map();
  /** Those before: what the kernel has counted and logged of them is told late. */
  #replaced: Views = new Map();
  #toldEvictions = 0;
  /** Nothing is written there any more, but the log is read. */
  #isLeft = false;

  constructor({ cache, clock, metrics }: KernelAnswersOptions) {
    this.#clock = clock;
    this.#mirror = createAnswerMirror({ cache, clock });
    this.#log = new AnswerLog({ clock, onAnswer: (answer) => this.#write(answer) });
    this.#metrics = ownMetrics(metrics);
  }

  /** When this returns, the kernel answers nothing any more that was allowed before and is not now. */
  replaceListeners(listeners: readonly KernelListener[]): void {
    if (this.#isLeft) return;
    this.tell();
    this.#mirror.replaceListeners(
      listeners.map(({ view, routes }) => ({ view, routes: routes.map(mirroredRoute) })),
    );
    this.#replaced = this.#views;
    this.#views = new Map(listeners.map((listener) => [listener.view, listener]));
    this.#log.want(listeners.some(({ routes }) => routes.some(isLogged)));
  }

  /**
   * From the agent, with each word of its: mostly the shelf that is in use already, which then stays as it is. Throws
   * SYS_CALL_FAILED and ANSWERMAP_LAYOUT; then there is none.
   */
  useGrant(grant: ShelfGrant | undefined, fds: readonly number[]): void {
    if (this.#isLeft) return;
    try {
      const shelf = grant && openShelf(grant, fds);
      if (shelf !== undefined && isSame(shelf.memory, this.#shelf?.memory)) closeShelf(shelf);
      else this.use(shelf);
    } catch (error) {
      this.use(undefined);
      throw error;
    }
  }

  /** Owned from now on. The one before is emptied and closed. */
  use(shelf: Shelf | undefined): void {
    const before = this.#shelf;
    if (before === undefined && shelf === undefined) return;
    if (this.#isLeft) return;
    this.tell();
    this.#shelf = shelf;
    this.#mirror.useShelf(shelf?.memory);
    this.#log.useRing(shelf?.log);
    if (before !== undefined) closeShelf(before);
  }

  /** Tells what the kernel answered since the last time. */
  tell(): void {
    if (this.#isLeft) return;
    let answered = 0;
    for (const { view, zone, totals } of this.#mirror.takeTotals()) {
      for (const { count } of totals.requests) answered += count;
      const found = this.#routeAt(view, zone);
      if (found === undefined) continue;
      const { server, route } = found;
      for (const add of route.counts) add(server, zone, totals);
      for (const add of route.keeps) add(server, totals);
    }
    const { entries, slots, largeSlots, evicted } = this.#mirror.stats;
    const metrics = this.#metrics;
    metrics.answers.inc(answered);
    metrics.entries.set(entries);
    metrics.slots.set(slots + largeSlots);
    // A new shelf counts from 0.
    metrics.evictions.inc(evicted < this.#toldEvictions ? evicted : evicted - this.#toldEvictions);
    this.#toldEvictions = evicted;
  }

  /**
   * From now on the cache may be emptied: what is in the shelf goes on being answered until it expires, but for what is to be
   * logged, which nobody would do.
   */
  leaveShelf(): void {
    if (this.#isLeft) return;
    this.tell();
    this.#mirror.removeLogged();
    this.#isLeft = true;
    this.#mirror.close();
  }

  /** Leaves the shelf as it is. */
  close(): void {
    this.leaveShelf();
    this.#log.close();
    if (this.#shelf !== undefined) closeShelf(this.#shelf);
    this.#shelf = undefined;
  }

  #routeAt(view: number, zone: Name): { server: string; route: HotRoute } | undefined {
    for (const views of [this.#views, this.#replaced]) {
      const listener = views.get(view);
      const route = listener?.routes.find((each) => each.zone === zone && each.kernel === true);
      if (listener !== undefined && route !== undefined) return { server: listener.server, route };
    }
    return undefined;
  }

  /** What is in the ring was answered by a route with a log: by one that is in force, or by the one before. */
  #write(answer: LoggedAnswer): void {
    for (const views of [this.#views, this.#replaced]) {
      const listener = views.get(answer.view);
      if (listener !== undefined && this.#writeFor(listener, answer)) return;
    }
  }

  #writeFor(listener: KernelListener, { client, asked, query: bytes, reply }: LoggedAnswer): boolean {
    const { server, routes, address, port } = listener;
    const local = address === undefined ? asked : { address, port: port || asked.port };
    const query = replayedQuery({ bytes, client, local, receivedAtMs: this.#clock.monotonicMs() }, server);
    const route = query && longest(routes, query.question.name);
    if (query === undefined || route === undefined || !isLogged(route)) return false;
    for (const write of route.logs) write({ ...query, zone: route.zone }, reply, 0);
    return true;
  }
}

function longest(routes: readonly HotRoute[], name: Name): HotRoute | undefined {
  const found = routes.filter(({ zone }) => isSubdomain(zone, name));
  return found.toSorted((a, b) => b.zone.length - a.zone.length)[0];
}

function isLogged({ kernel, logs }: HotRoute): boolean {
  return kernel === true && logs.length > 0;
}

function mirroredRoute(route: HotRoute) {
  const { zone, replay, kernel } = route;
  if (replay === undefined || kernel !== true) return { zone };
  const { partition, shuffle, limitBytes } = replay;
  return { zone, copied: { partition, shuffle, limitBytes, logged: isLogged(route) } };
}

function openShelf(grant: ShelfGrant, fds: readonly number[]): Shelf {
  const [index, small, large, ring] = fds;
  if (index === undefined || small === undefined || large === undefined || ring === undefined) {
    throw new Error('a shelf came without its descriptors');
  }
  const memory = mapShelf([index, small, large], grant);
  try {
    return { memory, log: new RingBuffer(ring, grant.logBytes) };
  } catch (error) {
    memory.close();
    throw error;
  }
}

/** Its hash is drawn once in a shelf's life: two with the same one are the same memory, mapped twice. */
function isSame(one: ShelfMemory, other: ShelfMemory | undefined): boolean {
  return (['seed', 'multiplier', 'sets', 'smallSlots', 'largeSlots'] as const).every(
    (key) => one[key] === other?.[key],
  );
}

function closeShelf({ memory, log }: Shelf): void {
  memory.close();
  log.close();
}

function ownMetrics(metrics: Metrics) {
  const counter = (name: string, help: string) => metrics.counter({ name, help, labels: [] }).with();
  const gauge = (name: string, help: string) => metrics.gauge({ name, help, labels: [] }).with();
  return {
    answers: counter('zerohop_kernel_answers_total', 'Queries that the kernel answered for this server.'),
    entries: gauge(
      'zerohop_kernel_answers_entries',
      'Answers of this server that the kernel gives by itself.',
    ),
    slots: gauge('zerohop_kernel_answers_slots', 'How many answers this server may have the kernel give.'),
    evictions: counter(
      'zerohop_kernel_answers_evictions_total',
      'Answers that the kernel gives no longer because others needed their room.',
    ),
  };
}
