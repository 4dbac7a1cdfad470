/**
 * One name for one DNS query on its whole way: `CLIENT:PORT/ID`. Client, port and message id stay the same through every
 * translation of the server's side, so each node can make the name alone and the names meet. It stands in the flow's
 * trace_context, which the stock API can filter by (`--trace-id`). Reused by a client after at most 65536 queries.
 */
import type { Ip } from '../net/ip.ts';
import { formatAddressPort, parseAddressPort } from '../net/port.ts';
import type { Flow } from './api.ts';

export interface TraceId {
  readonly client: Ip;
  readonly port: number;
  /** The DNS message id, 0 to 65535. */
  readonly id: number;
}

export function formatTraceId({ client, port, id }: TraceId): string {
  return `${formatAddressPort(client, port)}/${id}`;
}

export function parseTraceId(text: string): TraceId | undefined {
  const slash = text.lastIndexOf('/');
  const peer = parseAddressPort(text.slice(0, Math.max(0, slash)));
  const id = text.slice(slash + 1);
  if (peer === undefined || !/^\d{1,5}$/.test(id) || Number(id) > 0xffff) return undefined;
  return { client: peer.address, port: peer.port, id: Number(id) };
}

export function flowTraceId(flow: Flow): string | undefined {
  return flow.trace_context?.parent.trace_id;
}
