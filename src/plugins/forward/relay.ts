/**
 * From a query to an upstream's answer: which upstreams are tried, in which order and for how long (dns-server 3.6,
 * behaviours 2 to 11). Knows nothing of zones or of the chain.
 */
import { RCODE } from '../../dns/codes.ts';
import type { Message } from '../../dns/message.ts';
import type { Clock } from '../../telemetry/clock.ts';
import { answersQuestion } from './exchange.ts';
import type { Transport } from './go-error.ts';
import type { ForwardMetrics } from './metrics.ts';
import type { Policy } from './policy.ts';
import type { Upstream } from './upstream.ts';

export interface RelayOptions {
  readonly upstreams: readonly Upstream[];
  readonly policy: Policy;
  readonly random: () => number;
  readonly clock: Clock;
  readonly metrics: ForwardMetrics;
  /** 0 means as many as the deadline allows. */
  readonly maxAttempts: number;
  readonly failfast: boolean;
  /** A reply with one of these is passed over while another upstream is left. */
  readonly failover: ReadonlySet<number>;
  readonly preferUdp: boolean;
}

/** What came of it: a reply as the upstream sent it, or the rcode to give the client instead. */
export type Relayed =
  | { readonly ok: true; readonly reply: Message; readonly upstream: string }
  | { readonly ok: false; readonly rcode: number; readonly error: Error | undefined };

/** Looked at before each attempt, so the last one may end later by its own timeout. */
const DEADLINE_MS = 5000;

/** Never rejects. */
export async function relay(query: Message, transport: Transport, options: RelayOptions): Promise<Relayed> {
  const { clock, failover, maxAttempts, upstreams } = options;
  const order = options.policy(upstreams);
  const deadlineMs = clock.monotonicMs() + DEADLINE_MS;
  let passedOver = 0;
  let lastError: Error | undefined;
  let from = 0;
  for (let attempts = 0; clock.monotonicMs() < deadlineMs; attempts++) {
    if (maxAttempts > 0 && attempts >= maxAttempts) break;
    const { upstream, index, lastResort } = pick(order, from, options);
    if (upstream === undefined) break;
    from = index + 1;
    const outcome = await askWithFallback(upstream, query, { transport, preferUdp: options.preferUdp });
    if (!outcome.ok) {
      lastError = outcome.error;
      upstream.checkHealth();
      if (lastResort) break;
      continue;
    }
    const { reply } = outcome;
    // An answer to another question: nothing of it is believed.
    if (!answersQuestion(query, reply)) return { ok: false, rcode: RCODE.FORMERR, error: undefined };
    if (!failover.has(reply.rcode) || ++passedOver >= order.length) {
      return { ok: true, reply, upstream: upstream.text };
    }
  }
  return { ok: false, rcode: RCODE.SERVFAIL, error: lastError ?? new Error('no healthy proxies') };
}

interface Pick {
  readonly upstream: Upstream | undefined;
  readonly index: number;
  /** All are down: the one drawn at random gets a single chance. */
  readonly lastResort: boolean;
}

/** The next upstream that is up, from `from` on and round. */
function pick(order: readonly Upstream[], from: number, { failfast, metrics, random }: RelayOptions): Pick {
  for (let i = 0; i < order.length; i++) {
    const index = (from + i) % order.length;
    const upstream = order[index];
    if (upstream !== undefined && !upstream.down) return { upstream, index, lastResort: false };
  }
  metrics.allDown();
  const index = Math.floor(random() * order.length);
  return { upstream: failfast ? undefined : order[index], index, lastResort: true };
}

/** With `prefer_udp` a truncated answer is fetched again by TCP; without, truncation is the client's business. */
async function askWithFallback(
  upstream: Upstream,
  query: Message,
  { transport, preferUdp }: { transport: Transport; preferUdp: boolean },
): ReturnType<Upstream['ask']> {
  const outcome = await upstream.ask(query, transport);
  const again = preferUdp && transport === 'udp' && outcome.ok && outcome.reply.flags.truncated;
  return again ? upstream.ask(query, 'tcp') : outcome;
}
