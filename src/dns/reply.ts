/** Replies as CoreDNS heads them (dns-server 2.3 item 4). A reply is made whole and never changed afterwards. */
import { OPCODE, RCODE } from './codes.ts';
import type { Edns, Message, ResourceRecord } from './message.ts';

export interface ReplyContent {
  /** Default NOERROR. */
  readonly rcode?: number;
  readonly answers?: readonly ResourceRecord[];
  readonly authorities?: readonly ResourceRecord[];
  readonly additionals?: readonly ResourceRecord[];
  readonly authoritative?: boolean;
  readonly recursionAvailable?: boolean;
  readonly authenticData?: boolean;
  /** Only to add options such as an extended error: the server answers the client's own OPT record by itself. */
  readonly edns?: Edns;
}

/** ID, opcode, RD and CD (QUERY only) and the first question, in its own spelling, come from `query`. */
export function replyTo(query: Message, content: ReplyContent = {}): Message {
  const isQuery = query.opcode === OPCODE.QUERY;
  const reply = {
    id: query.id,
    opcode: query.opcode,
    rcode: content.rcode ?? RCODE.NOERROR,
    flags: {
      response: true,
      authoritative: content.authoritative ?? false,
      truncated: false,
      recursionDesired: isQuery && query.flags.recursionDesired,
      recursionAvailable: content.recursionAvailable ?? false,
      zero: false,
      authenticData: content.authenticData ?? false,
      checkingDisabled: isQuery && query.flags.checkingDisabled,
    },
    questions: query.questions.length > 1 ? query.questions.slice(0, 1) : query.questions,
    answers: content.answers ?? [],
    authorities: content.authorities ?? [],
    additionals: content.additionals ?? [],
  };
  return content.edns === undefined ? reply : { ...reply, edns: content.edns };
}
