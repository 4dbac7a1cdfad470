/** Whether a reply is one to this query (dns-server 2.1, 2.3), as a client sees it that trusts nobody. */
import { type Walked, type WalkResult, walkQuery, walkReply } from './strict-walk.ts';
import { HEADER_BYTES, idOf, isReply, isTruncated, opcodeOf, rcodeOf } from './wire-fields.ts';

export interface Exchange {
  readonly query: Uint8Array;
  readonly reply: Uint8Array;
  readonly transport: 'udp' | 'tcp';
}

const FORMERR = 1;
const NOTIMP = 4;
const MIN_UDP_BYTES = 512;
/** In records of answers that must never be believed: `lying-upstream.ts`. */
export const FORGED = Buffer.from('forged-answer-of-nobody');

/** What is wrong with the reply; undefined when it is as it should be. */
export function replyFault(exchange: Exchange): string | undefined {
  const { query, reply } = exchange;
  if (query.length < HEADER_BYTES || isReply(query)) return 'a reply to what is no query';
  const fault = headFault(query, reply);
  if (fault !== undefined) return fault;
  const said = walkReply(reply);
  if ('fault' in said) return said.fault;
  if (said.left > 0) return `${said.left} bytes behind the last record`;
  if (holdsForgery(reply)) return 'a forged answer was believed';
  if (said.question === undefined) return bareFault(reply, said);
  return bodyFault(exchange, said, walkQuery(query));
}

/** The other flags are passed on as an upstream wrote them. */
function headFault(query: Uint8Array, reply: Uint8Array): string | undefined {
  if (reply.length < HEADER_BYTES) return `a reply of ${reply.length} bytes`;
  if (idOf(reply) !== idOf(query)) return `ID ${idOf(reply)} to ${idOf(query)}`;
  if (!isReply(reply)) return 'the reply is a query';
  if (opcodeOf(reply) !== opcodeOf(query)) return `opcode ${opcodeOf(reply)} to ${opcodeOf(query)}`;
  return undefined;
}

/** Without a question a reply is a header and nothing else, and says that it did not understand. */
function bareFault(reply: Uint8Array, { sections }: Walked): string | undefined {
  if (sections.some((records) => records.length > 0)) return 'records without a question';
  const rcode = rcodeOf(reply);
  return rcode === FORMERR || rcode === NOTIMP ? undefined : `a bare header with rcode ${rcode}`;
}

function bodyFault({ reply, transport }: Exchange, said: Walked, asked: WalkResult): string | undefined {
  // The decoder under test read what this one does not: the question alone has to be the same.
  if ('fault' in asked) return `an answer to a malformed query: ${asked.fault}`;
  if (said.question !== asked.question) return `question ${said.question} to ${asked.question}`;
  if ((said.opt === undefined) !== (asked.opt === undefined)) return 'OPT must stand in both or in none';
  if (transport === 'tcp') return isTruncated(reply) ? 'truncated over TCP' : undefined;
  const limit = Math.max(MIN_UDP_BYTES, asked.opt?.class ?? 0);
  return reply.length > limit ? `${reply.length} bytes to a client that takes ${limit}` : undefined;
}

/** Also as the text of a TXT record that a plugin has made of it. */
function holdsForgery({ buffer, byteOffset, length }: Uint8Array): boolean {
  return Buffer.from(buffer, byteOffset, length).includes(FORGED);
}
