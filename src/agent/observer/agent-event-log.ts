/**
 * What this agent did lately, newest kept: so many events and no more, whoever makes it do things. Answers Hubble's
 * GetAgentEvents with the bounds that flows have (spec hubble 6.4); a reader that was overtaken is told how many it missed.
 */
import { AppError } from '../../fault/app-error.ts';
import { type FlowQuery, parseFlowsRequest } from '../../flow/read-flows.ts';
import { formatTime } from '../../flow/time.ts';
import type { EventsWindow, NodeEvent, NodeEventResponse } from '../../hubble/event-messages.ts';
import type { Clock } from '../../telemetry/clock.ts';

export interface AgentEventLogOptions {
  readonly nodeName: string;
  readonly clock: Pick<Clock, 'nowMs'>;
  /** How many are kept; default 1023. */
  readonly capacity?: number;
}

interface Entry {
  readonly timeNs: bigint;
  readonly event: NodeEvent;
}

type Query = Omit<FlowQuery, 'matches'>;

const CAPACITY = 1023;
const NS_PER_MS = 1_000_000n;

export class AgentEventLog {
  readonly #options: AgentEventLogOptions;
  readonly #capacity: number;
  /** Oldest first. */
  readonly #entries: Entry[] = [];
  readonly #waiting = new Set<() => void>();
  /** The number that the next event gets. */
  #next = 0;
  #lastNs = 0n;

  constructor(options: AgentEventLogOptions) {
    this.#options = options;
    this.#capacity = options.capacity ?? CAPACITY;
  }

  add(event: NodeEvent): void {
    this.#entries.push({ timeNs: this.#now(), event });
    this.#next++;
    if (this.#entries.length > this.#capacity) this.#entries.shift();
    for (const wake of [...this.#waiting]) wake();
  }

  /** RFC 3339. */
  time(): string {
    return formatTime(this.#now());
  }

  /** Throws `AppError` for a request that cannot be served. Ends with the signal. */
  async *read(request: EventsWindow, signal: AbortSignal): AsyncGenerator<NodeEventResponse, void, void> {
    const query = parseFlowsRequest(request);
    if (!query.ok)
      throw new AppError(query.code, `Cannot answer the request for events: ${query.reason ?? query.code}`);
    const end = query.value.follow ? Number.POSITIVE_INFINITY : this.#next;
    let { cursor, left } = this.#start(query.value);
    while (!signal.aborted && cursor < end && left > 0) {
      if (cursor >= this.#next) {
        await this.#another(signal);
        continue;
      }
      if (cursor < this.#oldest) {
        yield this.#missed(this.#oldest - cursor);
        cursor = this.#oldest;
      }
      const entry = this.#entries[cursor - this.#oldest];
      cursor++;
      if (entry === undefined || !isWithin(entry, query.value)) continue;
      left--;
      yield this.#response(entry);
    }
  }

  get #oldest(): number {
    return this.#next - this.#entries.length;
  }

  /** Two events have two times, so that whoever asks for what came since then misses none. */
  #now(): bigint {
    const nowNs = BigInt(Math.round(this.#options.clock.nowMs() * 1000)) * 1000n;
    this.#lastNs = nowNs > this.#lastNs ? nowNs : this.#lastNs + 1n;
    return this.#lastNs;
  }

  #start(query: Query): { readonly cursor: number; readonly left: number } {
    const all = { cursor: this.#oldest, left: Number.POSITIVE_INFINITY };
    const { number, first, follow, sinceNs } = query;
    const counted = number === 0 || follow ? all : { ...all, left: number };
    if (first || sinceNs !== undefined) return counted;
    if (number === 0) return follow ? { ...all, cursor: this.#next } : all;
    const within = this.#entries.flatMap((entry, i) => (isWithin(entry, query) ? [this.#oldest + i] : []));
    return { ...all, cursor: within.at(-Math.min(number, within.length)) ?? this.#next };
  }

  #another(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#waiting.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#waiting.add(done);
      signal.addEventListener('abort', done, { once: true });
      if (signal.aborted) done();
    });
  }

  /** Hubble's API has no word for it here. */
  #missed(count: number): NodeEventResponse {
    const event: NodeEvent = {
      type: 'AGENT_EVENT_UNKNOWN',
      unknown: { type: 'lost', notification: `${count} events were overwritten before they were read` },
    };
    return this.#response({ timeNs: BigInt(Math.round(this.#options.clock.nowMs())) * NS_PER_MS, event });
  }

  #response({ timeNs, event }: Entry): NodeEventResponse {
    return { agent_event: event, node_name: this.#options.nodeName, time: formatTime(timeNs) };
  }
}

function isWithin({ timeNs }: Entry, { sinceNs, untilNs }: Query): boolean {
  return (sinceNs === undefined || timeNs >= sinceNs) && (untilNs === undefined || timeNs <= untilNs);
}
