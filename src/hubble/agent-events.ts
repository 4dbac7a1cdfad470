/** observer.GetAgentEventsResponse as JSON shows it: times as text, everything else as the library gives it. */
import type { WireMessage } from './grpc.ts';
import { fromWireTime, type WireTime } from './wire-time.ts';

export interface AgentEvent {
  readonly agent_event?: unknown;
  readonly node_name: string;
  /** RFC 3339; empty when the server said none. */
  readonly time: string;
}

export function fromWireEvent({ agent_event: event, node_name: node, time }: WireMessage): AgentEvent {
  const rest = isMessage(time) ? (fromWireTime(time) ?? '') : '';
  return {
    ...(isMessage(event) ? { agent_event: withTimes(plain(event)) } : {}),
    node_name: typeof node === 'string' ? node : '',
    time: rest,
  };
}

/** The library says beside the fields which of them it is. */
function plain({ notification: _, ...event }: Record<string, unknown>): Record<string, unknown> {
  return event;
}

function withTimes(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withTimes);
  if (!isMessage(value)) return value;
  if (isTime(value)) return fromWireTime(value) ?? '';
  return Object.fromEntries(Object.entries(value).map(([field, inner]) => [field, withTimes(inner)]));
}

/** No message of an event but a time has these two fields. */
function isTime(value: object): value is WireTime {
  const fields = Object.keys(value);
  return fields.length > 0 && fields.every((field) => field === 'seconds' || field === 'nanos');
}

function isMessage(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
