/** A question of the server to itself, on behalf of a client's query: CNAME targets that lead out of a zone. */
import { CLASS, OPCODE } from '../dns/codes.ts';
import { encodeMessage } from '../dns/encode-message.ts';
import type { Message } from '../dns/message.ts';
import type { Name } from '../dns/name.ts';
import type { Query } from '../server/handler.ts';

const DEPTH_KEY = 'serve/depth';
/** As many CNAMEs as resolvers follow; a chain that leads back to us would otherwise never end. */
const MOST_QUESTIONS = 8;

/** Nothing when this query has led to too many questions already. */
export function askAgain(query: Query, name: Name, type: number): Query | undefined {
  const depth = Number(query.metadata.get(DEPTH_KEY) ?? '0') + 1;
  if (depth > MOST_QUESTIONS) return undefined;
  const question = { name, type, class: CLASS.IN };
  const message: Message = {
    ...query.message,
    opcode: OPCODE.QUERY,
    questions: [question],
    answers: [],
    authorities: [],
    additionals: [],
  };
  const metadata = new Map([...query.metadata, [DEPTH_KEY, String(depth)]]);
  return { ...query, message, question, wire: encodeMessage(message), metadata };
}
