/**
 * A query that no chain saw, as plugins would have got it: for those that want to hear of each (`Replay`, `log`). Which
 * zone it falls into is the caller's.
 */
import { decodeMessage } from '../../dns/decode-message.ts';
import type { Query, SocketAddress } from '../../server/handler.ts';

export interface Replayed {
  /** The query's whole message; the result owns it. */
  readonly bytes: Uint8Array;
  readonly client: SocketAddress;
  readonly local: SocketAddress;
  readonly receivedAtMs: number;
}

/** Undefined for what cannot be read, which nobody would have answered either. */
export function replayedQuery(
  { bytes, client, local, receivedAtMs }: Replayed,
  server: string,
): Omit<Query, 'zone'> | undefined {
  const decoded = decodeMessage(bytes);
  const question = decoded.ok ? decoded.value.questions[0] : undefined;
  if (!decoded.ok || question === undefined) return undefined;
  return {
    message: decoded.value,
    question,
    wire: bytes,
    client,
    local,
    transport: 'udp',
    server,
    view: '',
    receivedAtMs,
    metadata: new Map(),
  };
}
