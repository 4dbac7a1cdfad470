/**
 * What is done with a packet before any zone is looked at (dns-server 2.1). Pure: bytes in, a decision out.
 * The first two rows of the table are silent, so that two servers can never answer each other's answers for ever.
 */
import { CLASS, OPCODE, RCODE } from '../dns/codes.ts';
import { decodeBody, decodeHeader, type Header } from '../dns/decode-message.ts';
import { encodeMessage } from '../dns/encode-message.ts';
import type { Message, Question } from '../dns/message.ts';
import { replyTo } from '../dns/reply.ts';

export type Acceptance =
  | { readonly action: 'drop' }
  /** The finished reply: a bare header. */
  | { readonly action: 'reply'; readonly bytes: Uint8Array }
  | { readonly action: 'query'; readonly message: Message; readonly question: Question };

/** A NOTIFY may carry the new SOA as its answer (RFC 1996 section 3.7), IXFR the old one as authority (RFC 1995). */
const MAX_ANSWERS = 1;
const MAX_AUTHORITIES = 1;
/** OPT and TSIG. */
const MAX_ADDITIONALS = 2;

export function acceptPacket(bytes: Uint8Array): Acceptance {
  const header = decodeHeader(bytes);
  if (header === undefined || header.flags.response) return { action: 'drop' };
  if (header.opcode !== OPCODE.QUERY && header.opcode !== OPCODE.NOTIFY) return bare(header, RCODE.NOTIMP);
  // Counted before anything is decoded, so that a packet of thousands of records costs no more than its header.
  const { qd, an, ns, ar } = header.counts;
  if (qd !== 1 || an > MAX_ANSWERS || ns > MAX_AUTHORITIES || ar > MAX_ADDITIONALS) {
    return bare(header, RCODE.FORMERR);
  }
  const decoded = decodeBody(bytes, header);
  const question = decoded.ok ? decoded.value.questions[0] : undefined;
  if (!decoded.ok || question === undefined) return bare(header, RCODE.FORMERR);
  return { action: 'query', message: decoded.value, question };
}

/**
 * The answer that a well-formed query gets before its zone is looked at, if any: REFUSED for classes other than IN
 * unless `anyClass`, BADVERS with an empty OPT record for EDNS versions other than 0.
 */
export function refuseQuery(
  message: Message,
  question: Question,
  options: { anyClass: boolean },
): Message | undefined {
  if (question.class !== CLASS.IN && !options.anyClass) return replyTo(message, { rcode: RCODE.REFUSED });
  if (message.edns === undefined || message.edns.version === 0) return undefined;
  return replyTo(message, {
    rcode: RCODE.BADVERS,
    edns: { version: 0, udpSize: 0, dnssecOk: false, options: [] },
  });
}

function bare(header: Header, rcode: number): Acceptance {
  const { id, opcode, flags } = header;
  const message = { id, opcode, rcode, flags, questions: [], answers: [], authorities: [], additionals: [] };
  const head = replyTo(message, { rcode });
  const recursionDesired = flags.recursionDesired;
  return { action: 'reply', bytes: encodeMessage({ ...head, flags: { ...head.flags, recursionDesired } }) };
}
