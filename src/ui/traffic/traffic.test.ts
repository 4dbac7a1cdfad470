/** What is told of a cluster whose story is known, and what a crowd of names and pods may cost. */
import { describe, expect, it } from 'vitest';
import type { Flow, GetFlowsResponse } from '../../flow/api.ts';
import { formatTime } from '../../flow/time.ts';
import { parseRowFilter } from '../row-filter.ts';
import { FakeClusterSource, type FakePod, podEndpoint } from '../testing/fake-cluster-source.ts';
import { latencyStep, quantile } from './latency-histogram.ts';
import { TopTable } from './top-table.ts';
import { Traffic } from './traffic.ts';

const START_MS = Date.UTC(2026, 2, 3, 10);
const ALL = parseRowFilter(new URLSearchParams('servers=1'));

function pod(name: string, more: Partial<FakePod> = {}): FakePod {
  const endpoint = podEndpoint('shop', name, name);
  return { endpoint, address: '172.20.1.7', node: 'k8s-w1', rate: 20, names: ['api.example.com.'], ...more };
}

/** All that happens in so many seconds to these pods. */
async function watch(pods: readonly FakePod[], seconds = 1, fail?: string): Promise<Traffic> {
  const source = new FakeClusterSource(pods, START_MS);
  if (fail !== undefined) source.failedNodes.add(fail);
  const traffic = new Traffic(START_MS);
  for (let second = 1; second <= seconds; second++) {
    const stop = new AbortController();
    source.advance(1000);
    for (const response of await taken(source, stop)) traffic.see(response);
    if (second < seconds) traffic.turn(second);
  }
  return traffic;
}

async function taken(source: FakeClusterSource, stop: AbortController): Promise<readonly GetFlowsResponse[]> {
  const flows: GetFlowsResponse[] = [];
  const end = (await source.status()).numFlows;
  for await (const response of source.flows({ number: end }, stop.signal)) {
    flows.push(response);
    if (flows.length === end) break;
  }
  stop.abort();
  return flows;
}

/** A packet of a minute later, when nobody waits for what was asked before. */
function later(flows: readonly GetFlowsResponse[]): GetFlowsResponse {
  const [packet] = flows.filter(({ flow }) => flow !== undefined && flow.l7 === undefined);
  if (packet?.flow === undefined) throw new Error('there is no packet');
  const time = formatTime(BigInt(START_MS + 60_000) * 1_000_000n);
  const trace_context = { parent: { trace_id: '192.0.2.1:1/1' } };
  return { ...packet, flow: { ...packet.flow, time, trace_context }, time };
}

describe('Traffic', () => {
  it('tells that queries entered the cache, and which of them it answered by itself', async () => {
    const traffic = await watch([pod('cart')]);
    const { rows } = traffic.after(0, parseRowFilter(new URLSearchParams()), 100);
    expect(rows.length).toBeGreaterThan(10);
    expect(new Set(rows.map(({ outcome }) => outcome))).toEqual(new Set(['entered']));
    expect(rows.filter(({ served }) => served === 'miss').length).toBeGreaterThan(0);
    expect(rows.filter(({ served }) => served === 'hit').length).toBeGreaterThan(0);
    expect(rows.every(({ server }) => server === 'kube-system/node-local-dns-w1x7f')).toBe(true);
  });

  it.each([
    ['bypassed', undefined],
    ['fell-back', 'no-socket, no socket is bound at any backend'],
  ] as const)('tells %s and why', async (leaves, reason) => {
    const traffic = await watch([pod('report', { leaves })]);
    const { rows } = traffic.after(0, parseRowFilter(new URLSearchParams('bypassed=1')), 100);
    expect(rows.length).toBeGreaterThan(10);
    expect(rows.every((row) => row.outcome === leaves && row.reason === reason)).toBe(true);
    const rates = traffic.way().edges.map(({ name, rate }) => [name, rate > 0] as const);
    expect(Object.fromEntries(rates)).toMatchObject({
      'pod-hook': true,
      'hook-cache': false,
      'hook-cluster': true,
    });
  });

  it('tells what the kernel answered as a way of its own, as entered and as hits', async () => {
    const traffic = await watch([pod('cart', { kernel: true, rate: 200 })]);
    const { rows } = traffic.after(0, parseRowFilter(new URLSearchParams('verdict=kernel')), 1000);
    expect(rows.length).toBeGreaterThan(100);
    expect(new Set(rows.map((row) => `${row.outcome} ${row.served} ${row.server} ${row.rcode}`))).toEqual(
      new Set(['entered kernel the kernel NOERROR']),
    );
    expect(rows.every(({ ms = 1 }) => ms > 0 && ms < 0.006)).toBe(true);
    const { edges, hitShare = 0, bypassedRate } = traffic.way('shop/cart');
    const edge = edges.find(({ name }) => name === 'hook-kernel');
    const rateOf = (wanted: string) => edges.find(({ name }) => name === wanted)?.rate ?? 0;
    expect(edge?.rate).toBeGreaterThan(100);
    expect(edge?.p50).toBeLessThan(0.006);
    expect(rateOf('hook-kernel') + rateOf('hook-cache')).toBeCloseTo(rateOf('pod-hook'), -1);
    expect(rateOf('hook-cluster')).toBe(0);
    expect(bypassedRate).toBe(0);
    expect(hitShare).toBeGreaterThan(0.9);
    expect(traffic.pods()[0]).toMatchObject({ bypassed: 0, fellBack: 0 });
    expect(traffic.steps(rows[0]?.id ?? 0)?.map(({ point }) => point)).toEqual([
      ...['from-endpoint', 'pre-xlate-fwd', 'dns-request', 'to-endpoint', 'dns-response'],
    ]);
  });

  it("draws what the cache asked on for this pod in this pod's way, and nothing of another's", async () => {
    const asks = pod('asks', { names: ['only.example.com.'] });
    const quiet = pod('quiet', { address: '172.20.1.8', names: ['x.svc.cluster.local.'] });
    const traffic = await watch([asks, quiet]);
    const upstream = (name: string) => traffic.way(name).edges.find((edge) => edge.name === 'cache-upstream');
    expect(upstream('shop/asks')?.rate).toBeGreaterThan(0);
    expect(upstream('shop/quiet')?.rate).toBe(0);
    expect(traffic.way('shop/nobody').edges.every(({ rate }) => rate === 0)).toBe(true);
  });

  it('counts a sample for all, and waits for no answer that the sample need not have', async () => {
    const source = new FakeClusterSource([pod('cart')], START_MS);
    const traffic = new Traffic(START_MS);
    traffic.sampleOneIn(8);
    source.advance(1000);
    const flows = await taken(source, new AbortController());
    for (const response of flows) traffic.see(response);
    const rows = traffic.after(0, parseRowFilter(new URLSearchParams()), 100).rows.length;
    traffic.turn(1);
    const [, entered = 0] = traffic.points('shop/cart')[0] ?? [];
    expect(entered).toBe(8 * rows);
    const [question] = flows.filter(({ flow }) => flow?.l7?.type === 'REQUEST');
    if (question !== undefined) traffic.see(question);
    traffic.sampleOneIn(1);
    traffic.see(later(flows));
    expect(traffic.after(0, ALL, 1000).rows.filter(({ rcode }) => rcode === undefined)).toEqual([]);
  });

  it('tells that a query was dropped and why, unless it is answered all the same', async () => {
    const source = new FakeClusterSource([pod('cart', { leaves: 'bypassed' })], START_MS);
    source.advance(1000);
    const flows = await taken(source, new AbortController());
    const traffic = new Traffic(START_MS);
    const asked = flows.flatMap(({ flow }) => (flow?.l7?.type === 'REQUEST' ? [flow] : []));
    const [lost, answered] = asked.filter(({ source: { pod_name } }) => pod_name === 'cart');
    const idOf = (flow: Flow | undefined) => flow?.trace_context?.parent.trace_id;
    for (const response of flows) {
      if (idOf(response.flow) === idOf(lost) && response.flow?.is_reply === true) continue;
      traffic.see(response);
      const { flow } = response;
      if (flow?.l7?.type !== 'REQUEST' || (idOf(flow) !== idOf(lost) && idOf(flow) !== idOf(answered)))
        continue;
      const { l7: _, ...packet } = flow;
      const Summary = `UDP dropped in the node: NETFILTER_DROP, a rule; DNS Query ${flow.l7.dns?.query}`;
      const drop: Flow = { ...packet, verdict: 'DROPPED', event_type: { type: 1 }, Type: 'L3_L4', Summary };
      traffic.see({ ...response, flow: drop });
    }
    traffic.see(later(flows));
    const rows = traffic.after(0, parseRowFilter(new URLSearchParams('verdict=dropped')), 100).rows;
    expect(rows).toMatchObject([{ outcome: 'dropped', reason: 'in the node: NETFILTER_DROP, a rule' }]);
    expect(traffic.way('shop/cart').reasons).toMatchObject([{ outcome: 'dropped', count: 1 }]);
    expect(traffic.pods()[0]).toMatchObject({ pod: 'shop/cart', dropped: 1 });
  });

  it('knows the caches of hosts by where they listen', async () => {
    const source = new FakeClusterSource([pod('cart', { leaves: 'bypassed' })], START_MS);
    source.advance(1000);
    const traffic = new Traffic(START_MS);
    for (const response of await taken(source, new AbortController())) {
      const { flow } = response;
      if (flow?.source.pod_name !== 'cart' && flow?.destination.pod_name !== 'cart') continue;
      const { destination_service: _, source_service: __, ...direct } = flow;
      const IP = { ...flow.IP, [flow.is_reply === true ? 'source' : 'destination']: '169.254.20.10' };
      const ends = flow.is_reply === true ? { source: {} } : { destination: {} };
      traffic.see({ ...response, flow: { ...direct, IP, ...ends } });
    }
    const { rows } = traffic.after(0, parseRowFilter(new URLSearchParams()), 100);
    expect(rows.length).toBeGreaterThan(5);
    expect(new Set(rows.map(({ outcome, server }) => `${outcome} ${server}`))).toEqual(
      new Set(['entered 169.254.20.10']),
    );
  });

  it('gives the flows of one query in their order', async () => {
    const traffic = await watch([pod('cart')]);
    const [row] = traffic.after(0, parseRowFilter(new URLSearchParams()), 1).rows;
    expect(traffic.steps(row?.id ?? 0)?.map(({ point }) => point)).toEqual([
      'from-endpoint',
      'pre-xlate-fwd',
      'post-xlate-fwd',
      'to-endpoint',
      'dns-request',
      'dns-response',
    ]);
    expect(traffic.steps(-1)).toBeUndefined();
  });

  it('keeps a bounded number of clients, names and queries, whoever asks', async () => {
    const names = Array.from({ length: 4000 }, (_, index) => `${index}.example.`);
    const crowd = Array.from({ length: 300 }, (_, at) =>
      pod(`p${at}`, { address: `10.0.${at >> 8}.${at & 255}`, names }),
    );
    const traffic = await watch(crowd);
    expect(traffic.pods().length).toBeLessThanOrEqual(60);
    expect(traffic.names().length).toBeLessThanOrEqual(14);
    expect(traffic.crowdedOut).toBeGreaterThan(0);
    expect(traffic.after(0, ALL, 100_000).rows.length).toBeLessThanOrEqual(3750);
  });
});

describe('quantile', () => {
  it('is never too low and at most a fifth too high', () => {
    for (const ms of [0.001, 0.06, 1, 7.3, 250, 5000]) {
      const counts = new Uint32Array(96);
      counts[latencyStep(ms)] = 3;
      const found = quantile(counts, 0.99) ?? 0;
      expect(found).toBeGreaterThanOrEqual(ms * 0.999);
      expect(found).toBeLessThanOrEqual(ms * 1.2);
    }
    expect(quantile(new Uint32Array(96), 0.5)).toBeUndefined();
  });
});

describe('TopTable', () => {
  it('keeps who is busy among a crowd that comes once', () => {
    const table = new TopTable({ places: 8, create: () => ({}) });
    for (let i = 0; i < 1000; i++) {
      table.touch(`once-${i}`);
      for (let busy = 0; busy < 3; busy++) table.touch('busy');
    }
    expect(table.top(1)[0]?.[0]).toBe('busy');
    expect(table.size).toBe(8);
  });
});
