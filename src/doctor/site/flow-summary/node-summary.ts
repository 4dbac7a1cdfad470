/** The numbers of one node. Tables of what is under way are bounded; whoever falls out of one is judged by what was seen so far. */
import type { FlowSummary } from '../agent-facts.ts';
import type { AnsweredEvent, AskedEvent } from './dns-event.ts';
import type { FlowSummaryOptions } from './flow-summary.ts';
import { Latencies } from './latencies.ts';
import { Recent } from './recent.ts';
import { SearchMisses } from './search-misses.ts';
import { TopTexts } from './top-texts.ts';
import { TruncatedAnswers } from './truncated-answers.ts';
import { UpstreamPeaks } from './upstream-peaks.ts';

/** No resolver waits longer for its first try (resolv.conf(5): timeout, 5 s). */
const UNANSWERED_MS = 5_000;
/** Timers of resolvers are whole seconds, and packets are stamped a little later or earlier than they are sent. */
const RETRY_MS = 950;
/** After that the id is another query's. */
const LONGEST_MS = 30_000;
const PAIR_MS = 1;

const OPEN_PLACES = 8192;
const PAIR_PLACES = 1024;
const NAME_PLACES = 2048;
const POD_PLACES = 1024;

interface Open {
  readonly name: string;
  readonly server: string;
  readonly firstMs: number;
  lastMs: number;
}

export class NodeSummary {
  lost = 0;
  readonly #options: FlowSummaryOptions;
  #queries = 0;
  #searchMisses = 0;
  #retries = 0;
  #pairs = 0;
  #pairsToServices = 0;
  #parallel = 0;
  #forgottenUnanswered = 0;
  readonly #open: Recent<Open>;
  readonly #lastAsked = new Recent<AskedEvent>(PAIR_PLACES);
  readonly #search = new SearchMisses();
  readonly #truncated = new TruncatedAnswers();
  readonly #suffixes = new TopTexts(256);
  readonly #names = new TopTexts(NAME_PLACES);
  readonly #pods = new TopTexts(POD_PLACES);
  readonly #missesOfPods = new TopTexts(POD_PLACES);
  readonly #retrying = new TopTexts(POD_PLACES);
  readonly #peaks = new UpstreamPeaks();
  readonly #felt = new Latencies();
  readonly #comparedFelt = new Latencies();
  readonly #served = new Latencies();

  constructor(options: FlowSummaryOptions) {
    this.#options = options;
    this.#open = new Recent(OPEN_PLACES, ({ firstMs }) => {
      // Pushed out by younger ones: whether it was answered later nobody can say any more.
      if (this.#latestMs - firstMs > UNANSWERED_MS) this.#forgottenUnanswered++;
    });
  }

  #latestMs = 0;
  #firstMs: number | undefined;

  /** Of anything on the node: what it still has may begin long after what was asked for. */
  seenAt(atMs: number): void {
    this.#firstMs = Math.min(this.#firstMs ?? atMs, atMs);
    this.#latestMs = Math.max(this.#latestMs, atMs);
  }

  /** Of a server's own query: only where it went counts. */
  upstream({ toWorld, server, atMs }: AskedEvent): void {
    if (toWorld) this.#peaks.add(server, atMs);
  }

  asked(event: AskedEvent): void {
    this.upstream(event);
    if (event.udp) {
      if (this.#isAgain(event)) return;
      this.#pair(event);
    } else this.#truncated.askedByTcp(event);
    this.#queries++;
    this.#names.add(event.name);
    this.#pods.add(event.pod);
  }

  /** What the client felt, from the first time it asked; undefined when that was not seen. */
  answered(event: AnsweredEvent): number | undefined {
    const { traceId, atMs, name, pod, rcode } = event;
    const open = this.#open.get(traceId);
    this.#open.delete(traceId);
    const ofThis = open !== undefined && open.name === name && atMs - open.firstMs <= LONGEST_MS;
    // What the kernel answers is told as one packet: query and answer have one time, and the answer says how long it took.
    const wasLater = ofThis && atMs !== open.firstMs;
    const feltMs = wasLater
      ? Math.max(0, atMs - open.firstMs)
      : (event.latencyMs ?? (ofThis ? 0 : undefined));
    if (feltMs !== undefined) this.#felt.add(feltMs);
    if (event.truncated && event.udp) this.#truncated.answered(event);
    if (rcode === NAME_ERROR) {
      for (const suffix of this.#search.miss(event, this.#options.searchOf(pod))) {
        this.#searchMisses++;
        this.#suffixes.add(suffix);
        this.#missesOfPods.add(pod);
      }
    }
    return feltMs;
  }

  compared(feltMs: number, servedMs: number): void {
    this.#comparedFelt.add(feltMs);
    this.#served.add(servedMs);
  }

  /** `nowMs`: what has waited longer than it may is judged by it. */
  summary(nowMs: number): FlowSummary {
    const { sinceMs } = this.#options;
    const misses = new Map(this.#missesOfPods.list(POD_PLACES).map(({ text, count }) => [text, count]));
    const waiting = [...this.#open.values()].filter(({ firstMs }) => nowMs - firstMs > UNANSWERED_MS).length;
    return {
      ...{
        sinceMs: this.#firstMs ?? sinceMs,
        untilMs: Math.max(sinceMs, nowMs),
        queries: this.#queries,
        searchMisses: this.#searchMisses,
      },
      topSuffixes: this.#suffixes.list(8).map(({ text, count }) => ({ suffix: text, misses: count })),
      ...this.#truncated.summary(nowMs),
      retries: this.#retries,
      retryingPods: this.#retrying.list(5).map(({ text, count }) => ({ pod: text, retries: count })),
      ...(this.lost > 0 ? {} : { unanswered: waiting + this.#forgottenUnanswered }),
      ...{
        pairedQueries: this.#pairs,
        pairsToServices: this.#pairsToServices,
        parallelQueries: this.#parallel,
      },
      ...latency('latencyMs', this.#felt),
      ...latency('serverLatencyMs', this.#served),
      ...latency('comparedLatencyMs', this.#comparedFelt),
      topNames: this.#names.list(20).map(({ text, count }) => ({ name: text, queries: count })),
      topPods: this.#pods.list(20).map(({ text, count }) => {
        return { pod: text, queries: count, searchMisses: misses.get(text) ?? 0 };
      }),
      upstreamPeaks: this.#peaks.list(20),
      lost: this.lost,
    };
  }

  /** The same message once more; the first time it is remembered. */
  #isAgain({ traceId, name, server, atMs, pod }: AskedEvent): boolean {
    const before = this.#open.get(traceId);
    const isSame = before !== undefined && before.name === name && atMs - before.firstMs <= LONGEST_MS;
    if (!isSame) {
      this.#open.set(traceId, { name, server, firstMs: atMs, lastMs: atMs });
      return false;
    }
    if (server !== before.server && atMs - before.firstMs <= PAIR_MS) this.#parallel++;
    else if (atMs - before.lastMs > RETRY_MS) {
      this.#retries++;
      this.#retrying.add(pod);
    }
    before.lastMs = atMs;
    return true;
  }

  #pair(event: AskedEvent): void {
    const { client, clientPort, name, qtype, atMs } = event;
    if (qtype !== 'A' && qtype !== 'AAAA') return;
    const key = `${client} ${clientPort} ${name}`;
    const before = this.#lastAsked.get(key);
    this.#lastAsked.set(key, event);
    if (before === undefined || before.qtype === qtype || Math.abs(atMs - before.atMs) > PAIR_MS) return;
    this.#pairs++;
    if (event.toService) this.#pairsToServices++;
    this.#lastAsked.delete(key);
  }
}

const NAME_ERROR = 3;

function latency(
  key: 'latencyMs' | 'serverLatencyMs' | 'comparedLatencyMs',
  latencies: Latencies,
): Partial<FlowSummary> {
  const summary = latencies.summary();
  return summary === undefined ? {} : { [key]: summary };
}
