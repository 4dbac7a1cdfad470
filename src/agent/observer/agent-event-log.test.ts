import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AppError } from '../../fault/app-error.ts';
import type { EventsWindow, NodeEventResponse } from '../../hubble/event-messages.ts';
import { VirtualClock } from '../../telemetry/virtual-clock.ts';
import { AgentEventLog } from './agent-event-log.ts';

const NEVER = new AbortController().signal;
const SECOND_MS = 1000;

/** Event `n` is of second `n` and deletes service `n`. */
function filled(count: number, capacity = 7) {
  const clock = new VirtualClock();
  const startMs = clock.nowMs();
  const log = new AgentEventLog({ nodeName: 'worker-1', clock, capacity });
  const add = (id: number) => {
    log.add({ type: 'SERVICE_DELETED', service_delete: { id } });
    clock.pass(SECOND_MS);
  };
  for (let id = 0; id < count; id++) add(id);
  const at = (second: number) => new Date(startMs + second * SECOND_MS).toISOString();
  return { log, add, at };
}

function label({ agent_event: event }: NodeEventResponse): number | string {
  if (event.type === 'SERVICE_DELETED') return event.service_delete.id;
  return event.type === 'AGENT_EVENT_UNKNOWN' ? event.unknown.notification : event.type;
}

async function read(log: AgentEventLog, request: EventsWindow): Promise<(number | string)[]> {
  const seen: (number | string)[] = [];
  for await (const each of log.read(request, NEVER)) seen.push(label(each));
  return seen;
}

describe('AgentEventLog', () => {
  const { log, at } = filled(10);
  it.each([
    { name: 'everything that is still here', request: {}, ids: [3, 4, 5, 6, 7, 8, 9] },
    { name: 'the newest N, oldest first', request: { number: 2 }, ids: [8, 9] },
    { name: 'all', request: { number: '18446744073709551615' }, ids: [3, 4, 5, 6, 7, 8, 9] },
    { name: 'the oldest N', request: { number: 2, first: true }, ids: [3, 4] },
    { name: 'since, inclusive', request: { since: at(8) }, ids: [8, 9] },
    { name: 'until, inclusive', request: { until: at(4) }, ids: [3, 4] },
    { name: 'the newest N until then', request: { number: 1, until: at(4) }, ids: [4] },
    { name: 'the first N of a window', request: { number: 1, since: at(8) }, ids: [8] },
    { name: 'nothing of a time to come', request: { since: at(60) }, ids: [] },
  ])('gives $name', async ({ request, ids }) => {
    expect(await read(log, request)).toEqual(ids);
  });

  it('refuses what contradicts itself', async () => {
    await expect(read(log, { first: true, follow: true })).rejects.toBeInstanceOf(AppError);
    await expect(read(log, { since: 'yesterday' })).rejects.toMatchObject({ code: 'FLOW_REQUEST_INVALID' });
  });

  it('follows, and says how many a slow reader has missed', async () => {
    const { log: followed, add } = filled(3, 4);
    const abort = new AbortController();
    const rows = followed.read({ follow: true, number: 1 }, abort.signal);
    const next = async () => {
      const { value } = await rows.next();
      return value === undefined ? undefined : label(value);
    };
    expect(await next()).toBe(2);
    const third = next();
    add(3);
    expect(await third).toBe(3);
    for (let id = 4; id < 10; id++) add(id);
    expect(await next()).toMatch(/^2 events were overwritten/);
    expect(await next()).toBe(6);
    abort.abort();
    expect(await next()).toBeUndefined();
  });

  it('gives no two events one time, however fast they come', () => {
    const clock = new VirtualClock();
    const fast = new AgentEventLog({ nodeName: 'worker-1', clock });
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 1 }), { minLength: 2, maxLength: 20 }), (steps) => {
        const times = steps.map((ms) => {
          clock.pass(ms);
          return fast.time();
        });
        expect(new Set(times).size).toBe(times.length);
      }),
    );
  });
});
