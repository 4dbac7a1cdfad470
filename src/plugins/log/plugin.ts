/**
 * One line per query that reaches it, after the answer is known (dns-server 7.1). What the server answers before the
 * chain is asked never gets here.
 */
import { type MessageClass, messageClass, messageKind } from '../../dns/classify.ts';
import { decodeMessage } from '../../dns/decode-message.ts';
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
  /** The format prints `log/class` or `log/type`. */
  readonly tellsKind: boolean;
  /** The format prints what other plugins know about a query, which only the chain can tell. */
  readonly tellsMetadata: boolean;
}

export interface LogOutput {
  readonly clock: Clock;
  readonly print: (line: string) => void;
}

/** The first rule whose zone holds the name decides, also when it decides against printing. */
export function logPlugin(rules: readonly LogRule[], output: LogOutput): Plugin {
  return (next) => (query) => {
    const rule = ruleFor(rules, query);
    if (rule === undefined) return next(query);
    const startMs = output.clock.monotonicMs();
    const reply = next(query);
    return reply instanceof Promise
      ? reply.then((late) => write(rule, query, late, startMs))
      : write(rule, query, reply, startMs);
  };

  function write(rule: LogRule, query: Query, reply: Reply, startMs: number): Reply {
    const durationMs = output.clock.monotonicMs() - startMs;
    printEntry(rule, { query, message: sentMessage(query, reply), durationMs }, output);
    return reply;
  }
}

/** For answers that were given without the chain; a reply that cannot be read is nobody's line. */
export function logWriter(rules: readonly LogRule[], output: LogOutput) {
  return (query: Query, reply: Uint8Array, seconds: number): void => {
    const rule = ruleFor(rules, query);
    const decoded = rule && decodeMessage(reply);
    if (rule === undefined || !decoded?.ok) return;
    printEntry(rule, { query, message: decoded.value, durationMs: seconds * 1000 }, output);
  };
}

function ruleFor(rules: readonly LogRule[], query: Query): LogRule | undefined {
  return rules.find(({ zone }) => isSubdomain(zone, query.question.name));
}

function printEntry(rule: LogRule, entry: Logged, { clock, print }: LogOutput): void {
  if (rule.classes !== 'all' || rule.tellsKind) {
    const kind = messageKind(entry.message, clock.nowMs() / 1000);
    const kindClass = messageClass(kind);
    if (rule.classes !== 'all' && !rule.classes.has(kindClass)) return;
    entry.query.metadata.set('log/class', kindClass).set('log/type', kind);
  }
  print(rule.format(entry));
}

/** A reply without a message is one the server is about to make. */
function sentMessage(query: Query, reply: Reply): Message {
  return reply.message ?? replyTo(query.message, { rcode: reply.rcode });
}
