/**
 * The chain as a value: a plugin wraps the next handler. Replies are never changed after they are made; a plugin that
 * alters one returns a new one. Handlers may answer synchronously, which the hot path depends on.
 */
import type { Message, Question } from '../dns/message.ts';
import type { Name } from '../dns/name.ts';
import type { Ip } from '../net/ip.ts';

export interface SocketAddress {
  readonly address: Ip;
  readonly port: number;
}

export interface Query {
  /** As decoded; opcode QUERY or NOTIFY, exactly one question. */
  readonly message: Message;
  readonly question: Question;
  /** Bytes as they arrived, without TCP's length prefix. Owned by the query; never changed. */
  readonly wire: Uint8Array;
  readonly client: SocketAddress;
  readonly local: SocketAddress;
  readonly transport: 'udp' | 'tcp';
  /** Metric label: `dns://:53`, `dns://10.96.0.10:53`. */
  readonly server: string;
  /** The zone of the server block that was chosen: lower case, fully qualified. */
  readonly zone: Name;
  /** The name of the block's view; empty without one. Metric label. */
  readonly view: string;
  /** `performance.now()` when the packet was read. */
  readonly receivedAtMs: number;
  /** Facts that plugins leave for those behind and before them, under keys like `forward/upstream`. */
  readonly metadata: Map<string, string>;
}

/**
 * What the chain says. With a `message` it is sent as it is (after response finishing, dns-server 2.3);
 * without one the server sends an empty reply with `rcode`. `error` is for the `errors` plugin and changes nothing.
 */
export interface Reply {
  readonly rcode: number;
  readonly message?: Message;
  readonly error?: Error;
  /** Nothing is sent at all: what `acl drop` wants. `rcode` is still what is counted. */
  readonly drop?: true;
  /** Of `bufsize`: bytes that the client is taken to have advertised, in place of what its OPT record says. */
  readonly udpSize?: number;
  /** Over TCP: sent after `message`, one by one as the client takes them (zone transfers, RFC 5936 section 2.2). */
  readonly more?: Iterable<Message>;
}

export type Handler = (query: Query) => Reply | Promise<Reply>;
export type Plugin = (next: Handler) => Handler;
