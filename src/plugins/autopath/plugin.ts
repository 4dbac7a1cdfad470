/**
 * Walks a client's search path for it: when a query is for a name under the first suffix, the names that the client's
 * resolver would ask next are asked here, and the first that exists is the answer, behind a CNAME from the name that was
 * asked (dns-server 3.17). Each suffix is asked once and the list is short, so that nothing can go round in a circle;
 * queries made here do not come back to this plugin.
 */
import { OPCODE, RCODE } from '../../dns/codes.ts';
import { encodeMessage } from '../../dns/encode-message.ts';
import type { Message } from '../../dns/message.ts';
import {
  canonicalName,
  equalNames,
  isSubdomain,
  joinName,
  type Name,
  nameLabels,
  ROOT,
} from '../../dns/name.ts';
import { cnameRecord } from '../../dns/rdata/target.ts';
import type { Handler, Plugin, Query, Reply } from '../../server/handler.ts';
import type { Counter, Family } from '../../telemetry/metrics.ts';
import { matchingZone } from '../zones.ts';

export interface AutopathParts {
  readonly zones: readonly Name[];
  /** The suffixes in the order a resolver tries them; nothing for clients whose path is not known. */
  readonly searchPath: (query: Query) => readonly Name[] | undefined;
  readonly successes: Family<Counter>;
}

/** More suffixes than any resolver takes; what stands behind them is left to the client. */
const MAX_SUFFIXES = 32;

export function autopath(parts: AutopathParts): Plugin {
  return (next) => (query) => {
    const names = candidates(parts, query);
    return names === undefined ? next(query) : walk(parts, query, { names, next });
  };
}

/** The names to ask, the client's own first; undefined when the query is none of ours. */
function candidates({ zones, searchPath }: AutopathParts, query: Query): readonly Name[] | undefined {
  const { name } = query.question;
  if (query.message.opcode !== OPCODE.QUERY || matchingZone(zones, name) === undefined) return undefined;
  const suffixes = searchPath(query) ?? [];
  const [first, ...others] = suffixes.slice(0, MAX_SUFFIXES);
  if (first === undefined || first === ROOT || !isSubdomain(first, name)) return undefined;
  const base = nameLabels(name).slice(0, -nameLabels(first).length);
  if (base.length === 0) return undefined;
  // A name that is too long with a suffix cannot exist there.
  const more = others.map((suffix) => joinName(base, suffix)).filter((found) => found !== undefined);
  return distinct([name, ...more]);
}

function distinct(names: readonly Name[]): readonly Name[] {
  return [...new Map(names.map((name) => [canonicalName(name), name])).values()];
}

async function walk(
  { successes }: AutopathParts,
  query: Query,
  { names, next }: { names: readonly Name[]; next: Handler },
): Promise<Reply> {
  let first: Reply | undefined;
  for (const name of names) {
    const reply = await next(first === undefined ? query : queryFor(query, name));
    if (reply.error !== undefined || reply.drop === true) return reply;
    first ??= reply;
    const { message } = reply;
    if (message === undefined || message.rcode === RCODE.NXDOMAIN) continue;
    successes.with(query.server).inc();
    return { ...reply, message: asAnswered(message, query) };
  }
  return first ?? next(query);
}

function queryFor(query: Query, name: Name): Query {
  const question = { ...query.question, name };
  const message = { ...query.message, questions: [question] };
  return { ...query, message, question, wire: encodeMessage(message) };
}

/** The reply under the name that was asked: with an alias to the one that was found, where there are answers. */
function asAnswered(message: Message, { question, message: asked }: Query): Message {
  const found = message.questions[0]?.name ?? question.name;
  const [first] = message.answers;
  if (first === undefined || equalNames(found, question.name)) {
    return { ...message, questions: asked.questions };
  }
  const alias = cnameRecord(question.name, first.ttlSeconds, found);
  return { ...message, questions: asked.questions, answers: [alias, ...message.answers] };
}
