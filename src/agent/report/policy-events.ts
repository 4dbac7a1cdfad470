/** What of a policy's changes is told as an Event (core/v1), and its words. Pure; who sends it is `event-sender.ts`. */
import { createHash } from 'node:crypto';
import type { JsonRecord } from '../../kube/json-fields.ts';
import { formatSeconds } from './conditions.ts';
import type { Verdict } from './fold-reports.ts';

export interface PolicyEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: 'Accepted' | 'Rejected' | 'Conflict' | 'Realised' | 'FellBack' | 'NoBackend';
  readonly message: string;
}

export interface EventSubject {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** An Event's message may have 1 KiB. */
const MESSAGE_MAX = 1000;

/**
 * `before` are the verdicts that were in force, as far as they are known. A change on its way (Unknown) is no news, and
 * neither is a policy that has been realised nowhere and still is not.
 */
export function eventsFor(
  transitions: readonly Verdict[],
  before: ReadonlyMap<string, Pick<Verdict, 'status' | 'reason'>>,
): readonly PolicyEvent[] {
  return transitions.flatMap((verdict) => {
    const was = before.get(verdict.type);
    const event = verdict.type === 'Accepted' ? acceptedEvent(verdict) : realisedEvent(verdict, was?.status);
    return event === undefined ? [] : [{ ...event, message: verdict.message.slice(0, MESSAGE_MAX) }];
  });
}

type Told = Pick<PolicyEvent, 'type' | 'reason'> | undefined;

function acceptedEvent({ status, reason }: Verdict): Told {
  if (status === 'Unknown') return undefined;
  if (status === 'True') return { type: 'Normal', reason: 'Accepted' };
  return { type: 'Warning', reason: reason === 'Conflict' ? 'Conflict' : 'Rejected' };
}

function realisedEvent({ status, reason }: Verdict, was: Verdict['status'] | undefined): Told {
  if (status === 'True') return { type: 'Normal', reason: 'Realised' };
  // A refusal has its own event, and what is on its way will have one.
  if (status === 'Unknown' || reason === 'NotAccepted') return undefined;
  if (was === 'True' || reason === 'KernelRefused') return { type: 'Warning', reason: 'FellBack' };
  return reason === 'NoBackend'
    ? { type: 'Warning', reason: 'NoBackend' }
    : { type: 'Normal', reason: 'Realised' };
}

/** The same event of the same policy has the same name: a second one is counted on the first. */
export function eventName(subject: EventSubject, event: PolicyEvent): string {
  const key = [subject.uid, event.type, event.reason, event.message].join('\n');
  return `${subject.name.slice(0, 220)}.${createHash('sha256').update(key).digest('hex').slice(0, 16)}`;
}

export function eventObject(
  subject: EventSubject,
  event: PolicyEvent,
  { node, nowMs }: { readonly node: string; readonly nowMs: number },
): JsonRecord {
  const at = formatSeconds(nowMs);
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: eventName(subject, event), namespace: subject.namespace },
    involvedObject: { apiVersion: 'cilium.io/v2', kind: 'CiliumLocalRedirectPolicy', ...subject },
    ...event,
    count: 1,
    firstTimestamp: at,
    lastTimestamp: at,
    source: { component: 'zerohop-agent', host: node },
    reportingComponent: 'zerohop-agent',
    reportingInstance: node,
  };
}
