/**
 * What a listener tells those who count. The server folder knows no metric names: `serve` translates these events.
 * Every method is optional and must neither throw nor keep the caller waiting.
 */
import type { Message } from '../dns/message.ts';
import type { SocketAddress } from './handler.ts';

/** A query that was answered before any chain saw it; counted under the zone label `dropped` (dns-server 2.1). */
export interface Rejection {
  readonly request: Message;
  readonly requestBytes: number;
  readonly rcode: number;
  readonly replyBytes: number;
  readonly client: SocketAddress;
  readonly transport: 'udp' | 'tcp';
  /** `performance.now()` when the packet was read. */
  readonly receivedAtMs: number;
}

export interface ServeObserver {
  onRejected?(rejection: Rejection): void;
  /** A handler threw: one more for `coredns_panics_total`. */
  onPanic?(): void;
  /** A query got no answer: too many were waiting already, or its chain gave none in `ABANDON_MS`. */
  onShed?(): void;
}
