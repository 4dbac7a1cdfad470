/**
 * Says what runs here, over DNS itself: TXT records of class CH under names that BIND made customary. Other queries of
 * that class go on, as `forward` may have an upstream that knows them.
 */
import { CLASS, TYPE } from '../../dns/codes.ts';
import type { ResourceRecord } from '../../dns/message.ts';
import { canonicalName, type Name } from '../../dns/name.ts';
import { txtRecord } from '../../dns/rdata/text.ts';
import { replyTo } from '../../dns/reply.ts';
import type { Plugin } from '../../server/handler.ts';

/** Each text at most 255 bytes, so that it is one string. */
export interface ChaosOptions {
  readonly version: string;
  readonly hostname: string;
  /** In no particular order: it is another one in each answer, so that nobody is always the first. */
  readonly authors: readonly string[];
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

export function chaos(options: ChaosOptions): Plugin {
  return (next) => (query) => {
    const { name, type, class: queryClass } = query.question;
    if (queryClass !== CLASS.CH || type !== TYPE.TXT) return next(query);
    const texts = textsFor(canonicalName(name), options);
    if (texts === undefined) return next(query);
    const message = replyTo(query.message, { answers: texts.map((text) => chaosRecord(name, text)) });
    return { rcode: message.rcode, message };
  };
}

function textsFor(
  name: string,
  { version, hostname, authors, random }: ChaosOptions,
): readonly string[] | undefined {
  switch (name) {
    case 'version.bind.':
    case 'version.server.':
      return [version];
    case 'hostname.bind.':
    case 'id.server.':
      return [hostname];
    case 'authors.bind.':
      return authors
        .map((author) => ({ author, place: random() }))
        .sort((a, b) => a.place - b.place)
        .map(({ author }) => author);
    default:
      return undefined;
  }
}

/** TTL 0: the answer is about the server that gives it, so nobody may keep it. */
function chaosRecord(name: Name, text: string): ResourceRecord {
  return { ...txtRecord(name, 0, [text]), class: CLASS.CH };
}
