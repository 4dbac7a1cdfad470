import { describe, expect, it } from 'vitest';
import type { GetFlowsRequest, GetFlowsResponse } from '../api.ts';
import { sampleFlow } from '../testing/sample-flow.ts';
import { compileSelection, splitForForeignServer } from './select-flows.ts';

/** One a second from 10:00:00 on; the odd ones are answers NXDOMAIN. */
function row(at: number): GetFlowsResponse {
  const time = `2026-03-03T10:00:0${at}Z`;
  const dns = { query: 'a.', qtypes: ['A'], rcode: 3 };
  const flow = sampleFlow({
    time,
    uuid: String(at),
    ...(at % 2 === 1 ? { l7: { type: 'RESPONSE', dns } } : {}),
  });
  return { flow, node_name: 'worker-1', time };
}
const LOST: GetFlowsResponse = {
  lost_events: { source: 'HUBBLE_RING_BUFFER', num_events_lost: '1' },
  node_name: 'worker-1',
  time: '2026-03-03T10:00:09Z',
};

async function* stream(): AsyncGenerator<GetFlowsResponse> {
  for (let at = 0; at < 8; at++) yield row(at);
  yield LOST;
}

async function selected(request: GetFlowsRequest): Promise<readonly string[]> {
  const select = compileSelection(request);
  if (!select.ok) throw new Error(select.reason);
  const found: string[] = [];
  for await (const { flow } of select.value(stream())) found.push(flow?.uuid ?? 'lost');
  return found;
}

describe('compileSelection', () => {
  it.each([
    { name: 'all', request: {}, found: ['0', '1', '2', '3', '4', '5', '6', '7', 'lost'] },
    { name: 'the newest', request: { number: 3 }, found: ['lost', '5', '6', '7'] },
    {
      name: 'fewer than asked for',
      request: { number: 100, narrow: { rcode: [3] } },
      found: ['lost', '1', '3', '5', '7'],
    },
    {
      name: 'all, each as it comes',
      request: { number: '18446744073709551615', narrow: { rcode: [3] } },
      found: ['1', '3', '5', '7', 'lost'],
    },
    { name: 'the oldest', request: { number: 2, first: true }, found: ['0', '1'] },
    {
      name: 'a window, both ends in it',
      request: { since: '2026-03-03T10:00:02Z', until: '2026-03-03T10:00:04Z' },
      found: ['2', '3', '4', 'lost'],
    },
    {
      name: 'the first of a window',
      request: { since: '2026-03-03T10:00:05Z', number: 2 },
      found: ['5', '6'],
    },
    {
      name: 'the newest that match',
      request: { number: 2, narrow: { rcode: [3] } },
      found: ['lost', '5', '7'],
    },
    { name: 'what filters match', request: { whitelist: [{ uuid: ['4'] }] }, found: ['4', 'lost'] },
  ])('selects $name', async ({ request, found }) => {
    expect(await selected(request)).toEqual(found);
  });
});

describe('splitForForeignServer', () => {
  it('leaves a request as it is when nothing in it is ours', () => {
    const request = { number: 20, whitelist: [{ protocol: ['dns'] }] };
    expect(splitForForeignServer(request)).toMatchObject({ ok: true, value: { request } });
  });

  it('asks for everything and counts itself when the server cannot', async () => {
    const split = splitForForeignServer({
      number: 1,
      whitelist: [{ protocol: ['dns'] }],
      narrow: { rcode: [3] },
    });
    if (!split.ok) throw new Error(split.reason);
    expect(split.value.request).toEqual({
      number: '18446744073709551615',
      whitelist: [{ protocol: ['dns'] }],
    });
    const found: (string | undefined)[] = [];
    for await (const { flow } of split.value.select(stream())) found.push(flow?.uuid);
    expect(found).toEqual([undefined, '7']);
  });

  it('refuses what only a server that knows its caches can answer', () => {
    const split = splitForForeignServer({ narrow: { bypassed: true } });
    expect(split.ok ? '' : split.reason).toContain('bypassed');
  });
});
