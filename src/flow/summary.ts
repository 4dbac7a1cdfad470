/** The `Summary` of a flow, the text in the compact line's parentheses; the server makes it (spec hubble 5). */
import type { FallBackReason, PacketDrop } from '../datapath/datapath.ts';
import type { Protocol } from '../net/port.ts';
import { type Flow, TCP_FLAGS, type TcpFlag } from './api.ts';
import { type DnsSighting, NO_ANSWER_TTL, rcodeText } from './dns-sighting.ts';
import { dropText } from './drop-reasons.ts';

export function dnsSummary(sighting: DnsSighting, observationSource: string): string {
  const { record, response, complete, truncated } = sighting;
  const { query, qtypes, ips = [], cnames = [], rcode = 0, ttl = NO_ANSWER_TTL } = record;
  const asked = `${query} ${qtypes.join(',')}`;
  if (!response) return `DNS Query ${asked}`;
  const by = `(${observationSource === 'proxy' ? 'Proxy' : 'Query'} ${asked})`;
  if (rcode !== 0) return `DNS Answer RCode: ${rcodeText(rcode)} TTL: ${ttl} ${by}`;
  // Longer than what the kernel copies: the stock text would claim an answer without addresses.
  if (!complete) return `DNS Answer not captured whole ${by}`;
  // Hubble's record has no field for the TC bit, and without a word the answer would look as if it were whole.
  if (truncated !== undefined) return `DNS Answer truncated ${truncated} ${by}`;
  const addresses = ips.length === 0 ? '' : `"${ips.join(',')}"`;
  const aliases = cnames.length === 0 ? '' : ` CNAMEs: "${cnames.join(',')}"`;
  return `DNS Answer ${addresses}${aliases} TTL: ${ttl} ${by}`;
}

export function tcpFlagWords(flags: number): readonly TcpFlag[] {
  return TCP_FLAGS.filter((_, bit) => (flags & (1 << bit)) !== 0);
}

export function packetSummary(protocol: Protocol, tcpFlags: number): string {
  return protocol === 'UDP' ? 'UDP' : `TCP Flags: ${tcpFlagWords(tcpFlags).join(', ')}`;
}

const FALL_BACK_TEXTS: Readonly<Record<FallBackReason, string>> = {
  'no-backend': 'no ready backend on this node',
  'no-socket': 'no socket is bound at any backend',
  fragment: 'fragment or IP options',
  skip: 'the sender is the only backend, or the policy skips it',
  established: 'connection began before the redirect',
  'no-heartbeat': 'the serving process is late with its heartbeat',
  'probe-failed': 'the backend did not answer the last probe',
  'not-permitted':
    'an annotation keeps this pod from it, or a program behind ours that nobody permitted to be passed',
  'flow-share': 'the pod has used up its share of the flow table',
};

/** `UDP fell back: no-socket, no socket is bound at any backend`; the first word is the datapath's own and stable. */
export function fallBackSummary(summary: string, reason: FallBackReason | undefined): string {
  return reason === undefined
    ? `${summary} fell back`
    : `${summary} fell back: ${reason}, ${FALL_BACK_TEXTS[reason]}`;
}

const BY_KERNEL = ' answered by the kernel';

/** `UDP answered by the kernel`, of a query that its program answered by itself. */
export function kernelAnswerSummary(summary: string): string {
  return `${summary}${BY_KERNEL}`;
}

/** Whether a flow is the one that `kernelAnswerSummary` is of. */
export function isKernelAnswerSummary({ verdict, Summary }: Pick<Flow, 'verdict' | 'Summary'>): boolean {
  return verdict === 'TRACED' && Summary.endsWith(BY_KERNEL);
}

const DROP_PLACES: Readonly<Record<PacketDrop['place'], string>> = { node: 'on the node', pod: 'in the pod' };

/**
 * `UDP dropped in the pod: SOCKET_RCVBUFF, the receive buffer of the socket is full; DNS Query google.com. A`; the third word
 * group is the kernel's own and stable. `message`: what the packet says, where it is DNS.
 */
export function dropSummary(
  summary: string,
  {
    place,
    word,
    message,
  }: { readonly place: PacketDrop['place']; readonly word: string; readonly message?: string },
): string {
  const text = dropText(word);
  const why = text === undefined ? word : `${word}, ${text}`;
  const said = message === undefined ? '' : `; ${message}`;
  return `${summary} dropped ${DROP_PLACES[place]}: ${why}${said}`;
}
