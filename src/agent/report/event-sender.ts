/**
 * Sends events about policies, few at a time: a bucket per policy, a bounded queue, one request after the other. A second
 * event of the same words is counted on the first. Events are a courtesy: what cannot be sent is dropped and counted.
 */
import { errorCode, errorText } from '../../fault/app-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { recordOf } from '../../kube/json-fields.ts';
import type { Clock } from '../../telemetry/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import { formatSeconds } from './conditions.ts';
import { type EventSubject, eventName, eventObject, type PolicyEvent } from './policy-events.ts';

const QUEUE_MAX = 200;
/** Per policy: so many at once, then one in so long. */
const BURST = 10;
const REFILL_MS = 60_000;
/** Policies and events that are remembered. */
const REMEMBERED = 1_000;

export interface EventSenderSpec {
  readonly client: KubeClient;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly log: Pick<Log, 'warning'>;
}

export class EventSender {
  readonly #spec: EventSenderSpec;
  readonly #queue: { readonly subject: EventSubject; readonly event: PolicyEvent }[] = [];
  readonly #buckets = new Map<string, { tokens: number; atMs: number }>();
  /** How often each event was counted, by its name. */
  readonly #counts = new Map<string, number>();
  #sending = false;
  #closed = false;
  #dropped = 0;
  #trouble: string | undefined;

  constructor(spec: EventSenderSpec) {
    this.#spec = spec;
  }

  /** Events that were not sent: too many at once, or refused. */
  get dropped(): number {
    return this.#dropped;
  }

  send(subject: EventSubject, events: readonly PolicyEvent[]): void {
    for (const event of events) {
      if (this.#closed || this.#queue.length >= QUEUE_MAX || !this.#takeToken(subject.uid)) this.#dropped++;
      else this.#queue.push({ subject, event });
    }
    if (!this.#sending) void this.#drain();
  }

  close(): void {
    this.#closed = true;
    this.#queue.length = 0;
  }

  #takeToken(uid: string): boolean {
    const nowMs = this.#spec.clock.monotonicMs();
    const bucket = this.#buckets.get(uid) ?? { tokens: BURST, atMs: nowMs };
    const tokens = Math.min(BURST, bucket.tokens + (nowMs - bucket.atMs) / REFILL_MS);
    remember(this.#buckets, uid, { tokens: tokens < 1 ? tokens : tokens - 1, atMs: nowMs });
    return tokens >= 1;
  }

  async #drain(): Promise<void> {
    this.#sending = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      try {
        await this.#post(next.subject, next.event);
        this.#trouble = undefined;
      } catch (error) {
        this.#dropped++;
        this.#note(error);
      }
    }
    this.#sending = false;
  }

  async #post(subject: EventSubject, event: PolicyEvent): Promise<void> {
    const { client, clock, nodeName } = this.#spec;
    const path = `/api/v1/namespaces/${encodeURIComponent(subject.namespace)}/events`;
    const name = eventName(subject, event);
    if (!this.#counts.has(name)) {
      try {
        await client.create(path, eventObject(subject, event, { node: nodeName, nowMs: clock.nowMs() }));
        remember(this.#counts, name, 1);
        return;
      } catch (error) {
        // Somebody who led before us told of it; the server forgets events after an hour.
        if (errorCode(error) !== 'KUBE_CONFLICT') throw error;
      }
    }
    await this.#countAgain(subject, event, `${path}/${encodeURIComponent(name)}`);
  }

  async #countAgain(subject: EventSubject, event: PolicyEvent, path: string): Promise<void> {
    const { client, clock } = this.#spec;
    const name = eventName(subject, event);
    const count = this.#counts.get(name);
    const lastTimestamp = formatSeconds(clock.nowMs());
    try {
      const answer = await client.patch(path, {
        lastTimestamp,
        ...(count === undefined ? {} : { count: count + 1 }),
      });
      const told = recordOf(answer).count;
      remember(this.#counts, name, typeof told === 'number' ? told : 1);
    } catch (error) {
      if (errorCode(error) !== 'KUBE_NOT_FOUND') throw error;
      this.#counts.delete(name);
      const again = eventObject(subject, event, { node: this.#spec.nodeName, nowMs: clock.nowMs() });
      await client.create(path.slice(0, path.lastIndexOf('/')), again);
      remember(this.#counts, name, 1);
    }
  }

  #note(error: unknown): void {
    const code = errorCode(error) ?? 'unknown';
    if (code !== this.#trouble) this.#spec.log.warning(`Cannot send an event: ${errorText(error)}`);
    this.#trouble = code;
  }
}

/** The oldest goes when there are too many. */
function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= REMEMBERED) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}
