/**
 * Query log formats (dns-server 3.12): a format is compiled once to a list of pieces, literal text or a function of what
 * happened. Everything printed is escaped already (names) or made here, so no client can break a line.
 */
import { className, rcodeName, typeName } from '../../dns/codes.ts';
import { lengthWithoutOpt } from '../../dns/encode-message.ts';
import type { Message } from '../../dns/message.ts';
import { isEchoedOption } from '../../server/finish.ts';
import type { Query } from '../../server/handler.ts';

/** Code and length (RFC 6891 section 6.1.2). */
const OPTION_HEAD_BYTES = 4;

export const COMMON =
  '{remote}:{port} - {>id} "{type} {class} {name} {proto} {size} {>do} {>bufsize}" {rcode} {>rflags} {rsize} {duration}';
export const COMBINED = `${COMMON} "{>opcode}"`;

export interface Logged {
  readonly query: Query;
  /** What the client is sent, before response finishing; made up for a reply without a message. */
  readonly message: Message;
  readonly durationMs: number;
}

type Piece = (entry: Logged) => string;

const PLACEHOLDERS: Readonly<Record<string, Piece>> = {
  type: ({ query }) => typeName(query.question.type),
  class: ({ query }) => className(query.question.class),
  name: ({ query }) => query.question.name.toLowerCase(),
  proto: ({ query }) => query.transport,
  remote: ({ query }) => bracketed(query.client.address),
  local: ({ query }) => bracketed(query.local.address),
  port: ({ query }) => String(query.client.port),
  size: ({ query, message }) => String(query.wire.length - (message.edns ? 0 : removedBytes(query))),
  '>id': ({ query }) => String(query.message.id),
  '>opcode': ({ query }) => String(query.message.opcode),
  '>do': ({ query }) => String(query.message.edns?.dnssecOk ?? false),
  '>bufsize': ({ query }) => String(bufferSize(query)),
  rcode: ({ message }) => rcodeName(message.rcode),
  rsize: ({ message }) => String(lengthWithoutOpt(message)),
  '>rflags': ({ message }) => flagText(message),
  duration: ({ durationMs }) => formatSeconds(durationMs),
};

/** Unknown `{words}` stay as they are. `{/label}` reads metadata, `-` when there is none. */
export function compileFormat(format: string): (entry: Logged) => string {
  const full = format.replaceAll('{common}', COMMON).replaceAll('{combined}', COMBINED);
  const pieces: Piece[] = [];
  let end = 0;
  for (const match of full.matchAll(/\{([^{}]*)\}/g)) {
    const piece = placeholder(match[1] ?? '');
    if (piece === undefined) continue;
    pieces.push(literal(full.slice(end, match.index)), piece);
    end = match.index + match[0].length;
  }
  pieces.push(literal(full.slice(end)));
  return (entry) => {
    let line = '';
    for (const piece of pieces) line += piece(entry);
    return line;
  };
}

function placeholder(word: string): Piece | undefined {
  if (word.startsWith('/')) return ({ query }) => query.metadata.get(word.slice(1)) ?? '-';
  return Object.hasOwn(PLACEHOLDERS, word) ? PLACEHOLDERS[word] : undefined;
}

/**
 * CoreDNS prints the size of the query as it has made it into the head of its reply: without the options that do not go
 * back, unless a plugin brought an OPT record of its own (dns-server 3.12).
 */
function removedBytes({ message }: Query): number {
  let bytes = 0;
  for (const { code, data } of message.edns?.options ?? []) {
    if (!isEchoedOption(code)) bytes += OPTION_HEAD_BYTES + data.length;
  }
  return bytes;
}

function literal(text: string): Piece {
  return () => text;
}

function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

/** 65535 for TCP, 512 without an OPT record and for less. */
function bufferSize({ transport, message }: Query): number {
  if (transport === 'tcp') return 65535;
  return Math.max(512, message.edns?.udpSize ?? 0);
}

function flagText({ flags }: Message): string {
  const words = [
    flags.response && 'qr',
    flags.authoritative && 'aa',
    flags.truncated && 'tc',
    flags.recursionDesired && 'rd',
    flags.recursionAvailable && 'ra',
    flags.zero && 'z',
    flags.authenticData && 'ad',
    flags.checkingDisabled && 'cd',
  ];
  return words.filter((word) => word !== false).join(',') || '-';
}

/** Decimal seconds down to the nanosecond in their shortest form, never with an exponent: `0.00014114s`. */
export function formatSeconds(durationMs: number): string {
  const text = (Math.round(durationMs * 1e6) / 1e9).toFixed(9).replace(/\.?0+$/, '');
  return `${text}s`;
}
