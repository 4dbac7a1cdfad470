/**
 * Answers what is about this machine itself, so that such questions neither leave it nor fill the cache. Whoever asks for
 * `localhost.svc.cluster.local.` has a resolver with search domains and wants `localhost.` too.
 */
import type { Question } from '../../dns/message.ts';
import { canonicalName, type Name } from '../../dns/name.ts';
import { replyTo } from '../../dns/reply.ts';
import type { Plugin } from '../../server/handler.ts';
import { isInLocalZone, type LocalContent, loopbackContent, zoneContent } from './zones.ts';

export interface LocalOptions {
  /** Names that begin with `localhost.` are answered as well, in whatever domain they are. */
  readonly prefix: boolean;
  /** Of names below and, with `prefix`, above `localhost.`: clients that ask for these are worth finding. */
  readonly onIntercept: (question: Question) => void;
}

export function local(options: LocalOptions): Plugin {
  return (next) => (query) => {
    const content = contentFor(query.question, options);
    if (content === undefined) return next(query);
    const message = replyTo(query.message, content);
    return { rcode: message.rcode, message };
  };
}

/** Whether questions about such a name are answered here. */
export function isAnswered(name: Name, { prefix }: Pick<LocalOptions, 'prefix'>): boolean {
  return isInLocalZone(name) || isIntercepted(name, prefix);
}

function isIntercepted(asked: Name, prefix: boolean): boolean {
  const name = canonicalName(asked);
  if (name.endsWith('.localhost.')) return true;
  return prefix && name.startsWith('localhost.') && name !== 'localhost.';
}

function contentFor(question: Question, { prefix, onIntercept }: LocalOptions): LocalContent | undefined {
  if (!isIntercepted(question.name, prefix)) return zoneContent(question);
  onIntercept(question);
  return loopbackContent(question);
}
