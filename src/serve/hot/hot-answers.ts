/**
 * Answers that no chain gives: hands a configuration's hot routes to the answer cache, and tells its plugins what was
 * answered, so that metrics and query log say what they would have said. It outlives configurations, as sockets do.
 */
import type { ListenerView } from '../../heartbeat/messages.ts';
import { openUdpService } from '../../packet/open-udp-service.ts';
import type { ShortcutAnswer, UdpCounts, UdpService } from '../../packet/udp-service.ts';
import { RECEIVE_BUFFER_BYTES } from '../../server/udp.ts';
import type { Clock, Timer } from '../../telemetry/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import type { Counter, Metrics } from '../../telemetry/metrics.ts';
import type { AnswerCache, Route } from '../../wirecache/contract.ts';
import { createPacketAnswerer } from '../../wirecache/packet-answerer.ts';
import type { Generation } from '../generation.ts';
import { type HotRoute, hotRoutes } from '../hot-routes.ts';
import type { BoundListener } from '../listener-set.ts';
import { ANSWERER } from './answerer-module.ts';
import type { KernelAnswers, KernelListener } from './kernel-answers.ts';
import { ListenerViews } from './listener-views.ts';
import { replayedQuery } from './replayed-query.ts';

/** How often totals are told when nobody scrapes. */
const TELL_MS = 1000;

/** How datagrams are read. */
export interface UdpSettings {
  /** Packet threads; 0: the main thread reads. */
  readonly threads: number;
  readonly receiveBufferBytes: number;
}

export const MAIN_THREAD: UdpSettings = { threads: 0, receiveBufferBytes: RECEIVE_BUFFER_BYTES };

export interface HotAnswersOptions extends UdpSettings {
  /** Absent: nothing is answered without a chain. */
  readonly cache: AnswerCache | undefined;
  readonly log: Log;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

interface LiveRoute {
  readonly server: string;
  readonly hot: HotRoute;
  readonly route: Route;
}

export class HotAnswers {
  readonly udp: UdpService;
  readonly #options: HotAnswersOptions;
  readonly #numbers = new Map<string, number>();
  readonly #counters: Readonly<Record<keyof UdpCounts, Counter>>;
  #told: UdpCounts = { answered: 0, overflows: 0, lostLogEntries: 0, unsent: 0 };
  /** By the answer cache's number. */
  #live: ReadonlyMap<number, LiveRoute> = new Map();
  /** Those before them: their last answers may still have to be logged. */
  #replaced: ReadonlyMap<number, LiveRoute> = new Map();
  #timer: Timer | undefined;
  readonly #views = new ListenerViews();
  #kernel: KernelAnswers | undefined;
  #forKernel: readonly KernelListener[] = [];
  #isClosed = false;

  constructor(options: HotAnswersOptions) {
    const { cache, metrics } = options;
    this.#options = options;
    this.#counters = udpCounters(metrics);
    const restarts = metrics
      .counter({
        name: 'zerohop_packet_thread_restarts_total',
        help: 'Packet threads that ended by themselves and were started again.',
        labels: [],
      })
      .with();
    this.udp = openUdpService({
      ...options,
      answers: cache && {
        module: ANSWERER,
        create: createPacketAnswerer,
        shared: cache.shared,
        openSeat: () => cache.openSeat(),
      },
      onAnswer: (answer) => this.#log(answer),
      onRestart: () => restarts.inc(),
    });
    metrics.beforeText(() => this.#tell());
    this.#tellRegularly();
  }

  /** What a listener is known by, as long as the process lives. */
  numberOf(server: string): number {
    const number = this.#numbers.get(server) ?? this.#numbers.size;
    this.#numbers.set(server, number);
    return number;
  }

  /** What the answer map of the kernel knows each listener by that is asked over UDP: since the last `publish`. */
  get views(): readonly ListenerView[] {
    return this.#views.told;
  }

  /**
   * What the kernel may answer for this server, from now on and with every configuration; the same each time. Loaded only when
   * there is an agent that might. Undefined: nothing is answered without a chain, or the server has ended.
   */
  async openKernelAnswers(): Promise<KernelAnswers | undefined> {
    const { KernelAnswers } = await import('./kernel-answers.ts');
    const { cache, clock, metrics } = this.#options;
    if (cache === undefined || this.#isClosed) return undefined;
    if (this.#kernel === undefined) {
      this.#kernel = new KernelAnswers({ cache, clock, metrics });
      this.#kernel.replaceListeners(this.#forKernel);
    }
    return this.#kernel;
  }

  /** `bound` is what its listeners are bound to. Resolves when no answer is given any more by what was in force before. */
  async publish(
    generation: Pick<Generation, 'listeners' | 'records'>,
    bound: readonly BoundListener[],
  ): Promise<void> {
    const { cache } = this.#options;
    if (cache === undefined) return;
    const listeners = hotRoutes(generation.listeners, generation.records);
    const wanted = new Map<number, readonly HotRoute[]>();
    for (const { server, routes } of listeners) wanted.set(this.numberOf(server), routes);
    // Before: a listener that is logged from now on must not give an answer that nobody hears of.
    for (const [number, routes] of wanted) if (hasLog(routes)) this.udp.setLogged(number, true);
    const tables = [...this.#numbers.values()].map((number) => wanted.get(number) ?? []);
    this.#views.replace(bound);
    this.#forKernel = listeners.flatMap(({ server, routes }, i) => {
      const { address, port = 0 } = generation.listeners[i] ?? {};
      const view = this.#views.of(server);
      return view === undefined ? [] : [{ view, server, address, port, routes }];
    });
    const published = cache.replaceRoutes(tables);
    this.#kernel?.replaceListeners(this.#forKernel);
    const live = new Map<number, LiveRoute>();
    for (const [server, number] of this.#numbers) {
      for (const [i, route] of (published[number] ?? []).entries()) {
        const hot = wanted.get(number)?.[i];
        if (hot) live.set(route.id, { server, hot, route });
      }
    }
    this.#replaced = this.#live;
    this.#live = live;
    await this.udp.passBatches();
    this.#tellTotals(this.#replaced);
    for (const [number, routes] of tables.entries()) this.udp.setLogged(number, hasLog(routes));
  }

  /** What the kernel answers for this server stays as it is from now on, whatever becomes of the cache. */
  leaveShelf(): void {
    this.#kernel?.leaveShelf();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    await this.udp.close();
    this.#tell();
    this.#kernel?.close();
  }

  #tellRegularly(): void {
    this.#timer = this.#options.clock.after(TELL_MS, () => {
      this.#tell();
      this.#tellRegularly();
    });
  }

  #tellTotals(routes: ReadonlyMap<number, LiveRoute>): void {
    for (const { server, hot, route } of routes.values()) {
      const totals = route.takeTotals();
      if (totals === undefined) continue;
      for (const add of hot.counts) add(server, hot.zone, totals);
      for (const add of hot.keeps) add(server, totals);
    }
  }

  #tell(): void {
    this.#tellTotals(this.#live);
    if (!this.#isClosed) this.#kernel?.tell();
    const counts = this.udp.counts();
    for (const key of ['answered', 'overflows', 'lostLogEntries', 'unsent'] as const) {
      // A thread counts modulo 2^32.
      this.#counters[key].inc((counts[key] - this.#told[key]) >>> 0);
    }
    const lost = (counts.lostLogEntries - this.#told.lostLogEntries) >>> 0;
    this.#told = counts;
    if (lost > 0)
      this.#options.log.warning(
        `${lost} lines of the query log were lost: queries came faster than they could be written`,
      );
  }

  #log({ arrival, route, reply, durationMs }: ShortcutAnswer): void {
    const live = this.#live.get(route) ?? this.#replaced.get(route);
    if (live === undefined || live.hot.logs.length === 0) return;
    const query = replayedQuery(arrival, live.server);
    if (query === undefined) return;
    for (const write of live.hot.logs) write({ ...query, zone: live.hot.zone }, reply, durationMs / 1000);
  }
}

function hasLog(routes: readonly HotRoute[]): boolean {
  return routes.some(({ logs, replay }) => replay !== undefined && logs.length > 0);
}

function udpCounters(metrics: Metrics): Readonly<Record<keyof UdpCounts, Counter>> {
  const counter = (name: string, help: string) => metrics.counter({ name, help, labels: [] }).with();
  return {
    answered: counter(
      'zerohop_udp_shortcut_answers_total',
      'Queries answered from the cache without the chain.',
    ),
    overflows: counter(
      'zerohop_udp_overflows_total',
      'Queries dropped because the main thread did not keep up.',
    ),
    lostLogEntries: counter('zerohop_query_log_lost_total', 'Lines of the query log that were lost.'),
    unsent: counter('zerohop_udp_unsent_total', 'Replies by UDP that the kernel would not take.'),
  };
}
