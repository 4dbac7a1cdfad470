/**
 * One line per query that reaches it, after the answer is known (dns-server 7.1). What the server answers before the
 * chain is asked never gets here.
 */
import { type MessageClass, messageClass, messageKind } from '../../dns/classify.ts';
import type { Message } from '../../dns/message.ts';
import { isSubdomain, type Name } from '../../dns/name.ts';
import { replyTo } from '../../dns/reply.ts';
import type { Plugin, Query, Reply } from '../../server/handler.ts';
import type { Clock } from '../../telemetry/clock.ts';
import type { Logged } from './format.ts';

export interface LogRule {
  /** Names at or below it are logged by this rule. */
  readonly zone: Name;
  readonly format: (entry: Logged) => string;
  /** `all` or what classes of replies to print. */
  readonly classes: 'all' | ReadonlySet<MessageClass>;
}

/** The first rule whose zone holds the name decides, also when it decides against printing. */
export function logPlugin(
  rules: readonly LogRule[],
  { clock, print }: { clock: Clock; print: (line: string) => void },
): Plugin {
  return (next) => (query) => {
    const rule = rules.find(({ zone }) => isSubdomain(zone, query.question.name));
    if (rule === undefined) return next(query);
    const startMs = clock.monotonicMs();
    const reply = next(query);
    return reply instanceof Promise
      ? reply.then((late) => write(rule, query, late, startMs))
      : write(rule, query, reply, startMs);
  };

  function write(rule: LogRule, query: Query, reply: Reply, startMs: number): Reply {
    const durationMs = clock.monotonicMs() - startMs;
    const message = sentMessage(query, reply);
    if (rule.classes !== 'all') {
      const kind = messageKind(message, clock.nowMs() / 1000);
      if (!rule.classes.has(messageClass(kind))) return reply;
    }
    print(rule.format({ query, message, durationMs }));
    return reply;
  }
}

/** A reply without a message is one the server is about to make. */
function sentMessage(query: Query, reply: Reply): Message {
  return reply.message ?? replyTo(query.message, { rcode: reply.rcode });
}
