/**
 * What an agent of ours did, as Hubble's API has it (flow.AgentEvent, observer.GetAgentEventsRequest and its response): the
 * values of protobuf's JSON mapping as in `flow/api.ts`, and their way to the wire.
 */
import { fail, ok, type Result } from '../fault/result.ts';
import type { GetFlowsRequest } from '../flow/api.ts';
import type { HubbleErrorCode } from './errors.ts';
import type { WireMessage } from './grpc.ts';
import { fromWireTime, toWireTime, type WireTime } from './wire-time.ts';

/** The type says which of the others is set. */
export type NodeEvent =
  | { readonly type: 'AGENT_EVENT_UNKNOWN'; readonly unknown: UnknownNotification }
  | { readonly type: 'AGENT_STARTED'; readonly agent_start: { readonly time: string } }
  | { readonly type: 'POLICY_UPDATED' | 'POLICY_DELETED'; readonly policy_update: PolicyNotification }
  | { readonly type: 'ENDPOINT_CREATED' | 'ENDPOINT_DELETED'; readonly endpoint_update: EndpointNotification }
  | { readonly type: 'SERVICE_UPSERTED'; readonly service_upsert: ServiceNotification }
  | { readonly type: 'SERVICE_DELETED'; readonly service_delete: { readonly id: number } };

/** What Hubble's API has no kind for: a word, and a sentence. */
interface UnknownNotification {
  readonly type: string;
  readonly notification: string;
}

interface PolicyNotification {
  /** Name, namespace and kind of the object, as Cilium labels its rules. */
  readonly labels: readonly string[];
  /** Decimal text; later ones are larger. */
  readonly revision: string;
  /** Decimal text. */
  readonly rule_count: string;
}

interface EndpointNotification {
  /** Decimal text. */
  readonly id: string;
  readonly labels: readonly string[];
  readonly pod_name: string;
  readonly namespace: string;
}

interface Place {
  readonly ip: string;
  readonly port: number;
}

interface ServiceNotification {
  readonly id: number;
  readonly frontend_address: Place;
  readonly backend_addresses: readonly Place[];
  readonly type: string;
  readonly name: string;
  readonly namespace: string;
}

export interface NodeEventResponse {
  readonly agent_event: NodeEvent;
  readonly node_name: string;
  /** RFC 3339. */
  readonly time: string;
}

/** Bounds as of a request for flows; there is nothing to filter by. */
export type EventsWindow = Pick<GetFlowsRequest, 'number' | 'first' | 'follow' | 'since' | 'until'>;

export interface WireEventsWindow {
  readonly number?: string;
  readonly first?: boolean;
  readonly follow?: boolean;
  readonly since?: WireTime;
  readonly until?: WireTime;
}

export function fromWireEventsWindow({ since, until, ...bounds }: WireEventsWindow): Result<EventsWindow> {
  const times: { since?: string; until?: string } = {};
  for (const [bound, time] of [['since', since] as const, ['until', until] as const]) {
    if (time === undefined) continue;
    const text = fromWireTime(time);
    const code: HubbleErrorCode = 'HUBBLE_REQUEST_INVALID';
    if (text === undefined) return fail(code, undefined, `${bound} is not a time of the years 1 to 9999`);
    times[bound] = text;
  }
  return ok({ ...bounds, ...times });
}

export function toWireNodeEvent({ agent_event: event, time, node_name }: NodeEventResponse): WireMessage {
  const told =
    event.type === 'AGENT_STARTED'
      ? { ...event, agent_start: { time: toWireTime(event.agent_start.time) } }
      : event;
  return { agent_event: told, node_name, time: toWireTime(time) };
}
