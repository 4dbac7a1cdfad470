/** One flow as a line of a query's way. Text of packets is cut here, before anything keeps it. */
import {
  type Endpoint,
  EVENT_TYPES,
  endpointPod,
  type Flow,
  flowPorts,
  TRACE_POINTS,
} from '../../flow/api.ts';
import type { WireStep } from '../wire.ts';

/** A name has 255 bytes; escaped as `\DDD` each may take four characters. */
export const MAX_TEXT = 1024;

export function toStep(flow: Flow): WireStep {
  const { source_port: from, destination_port: to } = flowPorts(flow);
  return {
    time: flow.time,
    node: flow.node_name,
    point: pointOf(flow),
    from: endText(flow.source, flow.IP.source, from),
    to: endText(flow.destination, flow.IP.destination, to),
    verdict: flow.verdict,
    summary: cut(flow.Summary),
  };
}

export function endName(endpoint: Endpoint, address: string): string {
  return endpointPod(endpoint) ?? address;
}

export function cut(text: string): string {
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
}

function endText(endpoint: Endpoint, address: string, port: number | undefined): string {
  const where = port === undefined ? address : `${address.includes(':') ? `[${address}]` : address}:${port}`;
  const pod = endpointPod(endpoint);
  return pod === undefined ? where : `${pod} (${where})`;
}

function pointOf({ event_type: { type, sub_type: sub = 0 }, l7, sock_xlate_point: xlate }: Flow): string {
  if (type === EVENT_TYPES.l7) return l7?.type === 'RESPONSE' ? 'dns-response' : 'dns-request';
  if (type === EVENT_TYPES.trace) return TRACE_POINTS[sub] ?? 'trace';
  if (xlate === 'SOCK_XLATE_POINT_PRE_DIRECTION_FWD') return 'pre-xlate-fwd';
  if (xlate === 'SOCK_XLATE_POINT_POST_DIRECTION_FWD') return 'post-xlate-fwd';
  if (xlate === 'SOCK_XLATE_POINT_PRE_DIRECTION_REV') return 'pre-xlate-rev';
  if (xlate === 'SOCK_XLATE_POINT_POST_DIRECTION_REV') return 'post-xlate-rev';
  return type === EVENT_TYPES.drop ? 'drop' : 'event';
}
