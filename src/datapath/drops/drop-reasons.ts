/**
 * Why the kernel throws packets away, and which of its reasons mean that somebody misses one. The words are those of the
 * running kernel's enum skb_drop_reason; the numbers behind them are another kernel's others.
 */
import { DROP_TCP, DROP_UDP, MAX_DROP_REASONS } from '../kernel/abi.gen.ts';

/** Reasons that say nothing, and ends of packets that nobody misses. */
const NO_LOSS: ReadonlySet<string> = new Set([
  // No reason at all: before Linux 6.2 also of packets that were simply used up.
  'NOT_DROPPED_YET',
  'CONSUMED',
  'NOT_SPECIFIED',
  'MAX',
  // Frames that a bridge sent to all its ports: the one they are for has its own.
  'OTHERHOST',
  'UNICAST_IN_L2_MULTICAST',
  // Segments that say again what is known: the connection does not suffer.
  'TCP_OLD_DATA',
  'TCP_OLD_ACK',
  'TCP_OLD_SEQUENCE',
  'TCP_OFOMERGE',
  // The last segments of connections that end.
  'TCP_RESET',
  'TCP_CLOSE',
  'TCP_FASTOPEN',
]);
/**
 * What was in a socket when it was closed: datagrams that nobody read, so queries without an answer, but of connections the
 * segment that ends them.
 */
const NO_LOSS_OF_TCP: ReadonlySet<string> = new Set(['QUEUE_PURGE', 'SOCKET_CLOSE']);

const PREFIX = /^SKB_(?:DROP_REASON_)?/;

/** `NETFILTER_DROP`, by number; `words` as the kernel spells them. */
export function reasonWords(words: ReadonlyMap<number, string>): ReadonlyMap<number, string> {
  return new Map([...words].map(([number, word]) => [number, word.replace(PREFIX, '')]));
}

/** As the program has it: for each reason of the kernel's core the protocols. */
export function toldReasons(words: ReadonlyMap<number, string>): Uint8Array {
  const told = new Uint8Array(MAX_DROP_REASONS);
  for (const [number, word] of words) {
    if (number >= MAX_DROP_REASONS || NO_LOSS.has(word)) continue;
    told[number] = NO_LOSS_OF_TCP.has(word) ? DROP_UDP : DROP_UDP | DROP_TCP;
  }
  return told;
}
