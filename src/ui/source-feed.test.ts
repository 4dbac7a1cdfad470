/** A source of more flows than are read in time. */
import { expect, it } from 'vitest';
import type { GetFlowsRequest, GetFlowsResponse } from '../flow/api.ts';
import { type Clock, systemClock } from '../telemetry/clock.ts';
import { SourceFeed } from './source-feed.ts';
import { FakeClusterSource } from './testing/fake-cluster-source.ts';
import { Traffic } from './traffic/traffic.ts';
import type { UiSource } from './ui-source.ts';

/** Tells of each request that it missed so many packets, and then nothing. */
function overtaken(missed: number, refuse = false) {
  const requests: GetFlowsRequest[] = [];
  const { status, nodes } = new FakeClusterSource([], 0);
  const source: UiSource = {
    status,
    nodes,
    async *flows(request: GetFlowsRequest, signal: AbortSignal): AsyncGenerator<GetFlowsResponse> {
      requests.push(request);
      if (refuse && request.narrow !== undefined)
        throw Object.assign(new Error('no such condition'), { code: 'HUBBLE_UNSUPPORTED' });
      const lost_events = { source: 'HUBBLE_RING_BUFFER', num_events_lost: String(missed) } as const;
      yield { lost_events, node_name: 'a', time: '2026-03-03T10:00:00Z' };
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    },
  };
  const traffic = new Traffic(0);
  return { requests, traffic, feed: new SourceFeed({ source, traffic, clock: systemClock }) };
}

it('asks for a part when it misses flows, and counts them as missed', async () => {
  const { requests, traffic, feed } = overtaken(20_000);
  await expect.poll(() => traffic.missedFlows).toBe(20_000);
  feed.turn();
  await expect.poll(() => requests.at(-1)?.narrow?.one_in).toBeGreaterThan(8);
  expect(feed.state().oneIn).toBe(requests.at(-1)?.narrow?.one_in);
  feed.close();
});

it('follows a source that knows no parts as it is', async () => {
  const { requests, traffic, feed } = overtaken(20_000, true);
  await expect.poll(() => traffic.missedFlows).toBe(20_000);
  feed.turn();
  await expect.poll(() => requests.length).toBe(3);
  expect(requests.at(-1)?.narrow).toBeUndefined();
  expect(feed.state()).toMatchObject({ oneIn: 1 });
  expect(feed.state().error).toBeUndefined();
  feed.close();
});

it('keeps nothing of the times it waited, and waits for nothing when it is closed', async () => {
  const started: (() => void)[] = [];
  let cancelled = 0;
  const clock: Clock = {
    ...systemClock,
    after(_ms, call) {
      started.push(call);
      return { cancel: () => void cancelled++ };
    },
  };
  const source: UiSource = {
    ...new FakeClusterSource([], 0),
    status: () => Promise.reject(new Error('nobody asks')),
    nodes: () => Promise.resolve([]),
    // biome-ignore lint/correctness/useYield: it fails before it has anything
    async *flows(): AsyncGenerator<GetFlowsResponse> {
      throw new Error('nobody is there');
    },
  };
  const feed = new SourceFeed({ source, traffic: new Traffic(0), clock });
  for (let call = 0; call < 40; call++) {
    await expect.poll(() => started.length).toBeGreaterThan(call);
    started[call]?.();
  }
  await expect.poll(() => started.length).toBe(42);
  cancelled = 0;
  feed.close();
  expect(cancelled).toBe(2);
});
