import { describe, expect, it } from 'vitest';
import type { Verdict } from './fold-reports.ts';
import { eventName, eventsFor } from './policy-events.ts';

function told(status: Verdict['status'], reason: string) {
  return new Map([['Realised', { status, reason }]]);
}
const verdict = (type: Verdict['type'], status: Verdict['status'], reason: string): Verdict => ({
  ...{ type, status, reason },
  message: 'm',
});
const NOTHING = new Map<string, never>();

describe('eventsFor', () => {
  it.each([
    { name: 'a valid policy', now: verdict('Accepted', 'True', 'Valid'), event: ['Normal', 'Accepted'] },
    { name: 'a bad port', now: verdict('Accepted', 'False', 'BadPort'), event: ['Warning', 'Rejected'] },
    {
      name: 'an older policy',
      now: verdict('Accepted', 'False', 'Conflict'),
      event: ['Warning', 'Conflict'],
    },
    { name: 'nobody told yet', now: verdict('Accepted', 'Unknown', 'NoReports'), event: undefined },
    {
      name: 'all nodes',
      now: verdict('Realised', 'True', 'EverywhereRealised'),
      event: ['Normal', 'Realised'],
    },
    {
      name: 'some nodes',
      now: verdict('Realised', 'False', 'PartlyRealised'),
      event: ['Normal', 'Realised'],
    },
    {
      name: 'no pod anywhere',
      now: verdict('Realised', 'False', 'NoBackend'),
      event: ['Warning', 'NoBackend'],
    },
    {
      name: 'a full map',
      now: verdict('Realised', 'False', 'KernelRefused'),
      event: ['Warning', 'FellBack'],
    },
    { name: 'a refused policy', now: verdict('Realised', 'False', 'NotAccepted'), event: undefined },
    { name: 'a start', now: verdict('Realised', 'Unknown', 'Progressing'), event: undefined },
  ])('tells of $name', ({ now, event }) => {
    const events = eventsFor([now], NOTHING).map(({ type, reason }) => [type, reason]);
    expect(events).toEqual(event === undefined ? [] : [event]);
  });

  it('warns that a policy fell back when it was realised before', () => {
    const [event] = eventsFor(
      [verdict('Realised', 'False', 'NoBackend')],
      told('True', 'EverywhereRealised'),
    );
    expect(event).toMatchObject({ type: 'Warning', reason: 'FellBack' });
  });
});

describe('eventName', () => {
  it('is the same for the same words about the same object, and no longer than a name may be', () => {
    const subject = { namespace: 'ns', name: 'n'.repeat(253), uid: 'u' };
    const event = { type: 'Normal', reason: 'Accepted', message: 'm' } as const;
    expect(eventName(subject, event)).toBe(eventName(subject, { ...event }));
    expect(eventName(subject, event)).not.toBe(eventName({ ...subject, uid: 'v' }, event));
    expect(eventName(subject, event).length).toBeLessThanOrEqual(253);
  });
});
