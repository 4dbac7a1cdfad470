/** A query like another with something changed, in every form that plugins look at. */
import { encodeMessage } from '../../dns/encode-message.ts';
import type { Edns, Question } from '../../dns/message.ts';
import type { Query } from '../../server/handler.ts';

export function withQuestion(query: Query, change: Partial<Question>): Query {
  const question = { ...query.question, ...change };
  const message = { ...query.message, questions: [question] };
  return { ...query, question, message, wire: encodeMessage(message) };
}

export function withEdns(query: Query, edns: Edns): Query {
  const message = { ...query.message, edns };
  return { ...query, message, wire: encodeMessage(message) };
}
