/**
 * Counts and times what passes (dns-server 3.5 and 8). The children of the metric families are bound once per zone and
 * label set and kept: a query costs a few look-ups by short keys and additions, no objects.
 */
import { rcodeName } from '../../dns/codes.ts';
import { messageLength } from '../../dns/encode-message.ts';
import type { Message } from '../../dns/message.ts';
import { replyTo } from '../../dns/reply.ts';
import { ipFamily } from '../../net/ip.ts';
import type { Plugin, Query, Reply } from '../../server/handler.ts';
import type { Clock } from '../../telemetry/clock.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import { type DnsFamilies, dnsFamilies, typeLabel } from './families.ts';

/** There are no views yet; the label is printed all the same. */
const VIEW = '';

export interface PrometheusOptions {
  readonly metrics: Metrics;
  readonly clock: Clock;
}

export function prometheusPlugin({ metrics, clock }: PrometheusOptions): Plugin {
  const families = dnsFamilies(metrics);
  return (next) => (query) => {
    const startMs = clock.monotonicMs();
    const reply = next(query);
    return reply instanceof Promise
      ? reply.then((late) => record(query, late, startMs))
      : record(query, reply, startMs);
  };

  function record(query: Query, reply: Reply, startMs: number): Reply {
    countQuery(families, query);
    const { server, zone, transport } = query;
    families.duration.with(server, zone, VIEW).observe((clock.monotonicMs() - startMs) / 1000);
    families.responseSize.with(server, zone, VIEW, transport).observe(replySize(query, reply));
    families.responses.with(server, zone, VIEW, rcodeName(reply.rcode), '').inc();
    return reply;
  }
}

function countQuery(families: DnsFamilies, query: Query): void {
  const { server, zone, transport, client, question, message, wire } = query;
  const family = ipFamily(client.address) === 4 ? '1' : '2';
  families.requests.with(server, zone, VIEW, transport, family, typeLabel(question.type)).inc();
  if (message.edns?.dnssecOk) families.doRequests.with(server, zone, VIEW).inc();
  families.requestSize.with(server, zone, VIEW, transport).observe(wire.length);
}

/** Without compression and without the OPT record, which the server adds later. */
function replySize(query: Query, reply: Reply): number {
  const message: Message = reply.message ?? replyTo(query.message, { rcode: reply.rcode });
  if (message.edns === undefined) return messageLength(message);
  const { edns: _, ...rest } = message;
  return messageLength(rest);
}
