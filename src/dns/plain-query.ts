/** A query this server asks on its own account: class IN, one question, no EDNS. */
import { CLASS, OPCODE, RCODE } from './codes.ts';
import type { Message, Question } from './message.ts';

export function plainQuery(
  question: Pick<Question, 'name' | 'type'>,
  { id = 0, recursionDesired = true }: { id?: number; recursionDesired?: boolean } = {},
): Message {
  return {
    id,
    opcode: OPCODE.QUERY,
    rcode: RCODE.NOERROR,
    flags: {
      response: false,
      authoritative: false,
      truncated: false,
      recursionDesired,
      recursionAvailable: false,
      zero: false,
      authenticData: false,
      checkingDisabled: false,
    },
    questions: [{ ...question, class: CLASS.IN }],
    answers: [],
    authorities: [],
    additionals: [],
  };
}
