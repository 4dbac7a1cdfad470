import { describe, expect, it } from 'vitest';
import type { Flow, FlowNarrow } from '../api.ts';
import { sampleFlow } from '../testing/sample-flow.ts';
import { createLocalCaches, isBypassed } from './bypassed.ts';
import { compileFilters } from './compile-filters.ts';
import { compileNarrow, type NarrowOptions } from './narrow.ts';

const CACHE = '10.244.1.9';
const COREDNS = '10.244.7.3';
const CACHES = createLocalCaches([{ address: CACHE, port: 53 }]);

const QUERY = sampleFlow({
  event_type: { type: 129 },
  traffic_direction: 'EGRESS',
  l7: { type: 'REQUEST', dns: { query: 'a.', qtypes: ['A'] } },
});
const to = (destination: string, port = 53, fields: Partial<Flow> = {}): Flow => ({
  ...QUERY,
  IP: { ...QUERY.IP, destination },
  l4: { UDP: { source_port: 41022, destination_port: port } },
  ...fields,
});
const answer = (rcode: number | undefined, latencyMs?: number): Flow =>
  sampleFlow({
    l7: {
      type: 'RESPONSE',
      ...(latencyMs === undefined ? {} : { latency_ns: String(latencyMs * 1e6) }),
      dns: { query: 'a.', qtypes: ['A'], ...(rcode === undefined ? {} : { rcode }) },
    },
  });

/** As if it had gone to CoreDNS, but for the word of who was there. */
const kernelAnswered = (type: 'REQUEST' | 'RESPONSE'): Flow =>
  to(COREDNS, 53, {
    l7: { type, dns: { query: 'a.', qtypes: ['A'], observation_source: 'kernel' } },
  });

describe('isBypassed', () => {
  it.each([
    { name: "to the node's own cache", flow: to(CACHE), bypassed: false },
    { name: 'to CoreDNS', flow: to(COREDNS), bypassed: true },
    { name: 'to the same address at another port', flow: to(CACHE, 5353), bypassed: true },
    { name: 'to no DNS port', flow: to(COREDNS, 8053), bypassed: false },
    {
      name: 'of the cache itself',
      flow: to(COREDNS, 53, { IP: { ...QUERY.IP, source: CACHE, destination: COREDNS } }),
      bypassed: false,
    },
    { name: 'of no pod', flow: to(COREDNS, 53, { source: { identity: 1 } }), bypassed: false },
    {
      name: 'seen where it arrives',
      flow: to(COREDNS, 53, { traffic_direction: 'INGRESS' }),
      bypassed: false,
    },
    { name: 'of multicast DNS', flow: to('224.0.0.251', 5353), bypassed: false },
    { name: 'of multicast DNS over IPv6', flow: to('ff02::fb', 5353), bypassed: false },
    { name: 'that the kernel answered', flow: kernelAnswered('REQUEST'), bypassed: false },
    { name: 'that is an answer', flow: { ...answer(0), IP: to(COREDNS).IP }, bypassed: false },
    {
      name: 'that is a packet row: a redirected query leaves for the frontend, too',
      flow: sampleFlow({ IP: to('10.96.0.10').IP }),
      bypassed: false,
    },
  ])('a query $name: $bypassed', ({ flow, bypassed }) => {
    expect(isBypassed(flow, CACHES)).toBe(bypassed);
  });

  it('at a port that the node was told to look at is one, too', () => {
    expect(isBypassed(to(COREDNS, 8053), CACHES, [53, 8053])).toBe(true);
    const compiled = compileNarrow({ bypassed: true }, { cachesOf: () => CACHES, dnsPorts: [8053] });
    expect(compiled.ok && [to(COREDNS, 8053), to(COREDNS, 53)].map(compiled.value)).toEqual([true, false]);
  });

  it('on a node without a cache every query is one', () => {
    expect(isBypassed(QUERY, createLocalCaches([]))).toBe(true);
  });
});

describe('compileNarrow', () => {
  const options: NarrowOptions = { cachesOf: (node) => (node === 'worker-1' ? CACHES : undefined) };
  const matches = (flow: Flow, narrow: FlowNarrow): boolean => {
    const compiled = compileNarrow(narrow, options);
    if (!compiled.ok) throw new Error(compiled.reason);
    return compiled.value(flow);
  };

  it.each([
    { name: 'a code', narrow: { rcode: [3] }, yes: answer(3), no: answer(2) },
    { name: 'no error, which is absent', narrow: { rcode: [0] }, yes: answer(undefined), no: answer(3) },
    { name: 'answers alone', narrow: { rcode: [0] }, yes: answer(0), no: QUERY },
    { name: 'slowness', narrow: { slow_ms: 50 }, yes: answer(0, 50), no: answer(0, 49) },
    { name: 'slowness that was measured', narrow: { slow_ms: 0 }, yes: answer(0, 0), no: answer(0) },
    { name: 'all of it', narrow: { rcode: [2, 3], slow_ms: 50 }, yes: answer(2, 80), no: answer(0, 80) },
    { name: 'bypasses', narrow: { bypassed: true as const }, yes: to(COREDNS), no: to(CACHE) },
    {
      name: 'what the kernel answered',
      narrow: { kernel_answered: true as const },
      yes: kernelAnswered('REQUEST'),
      no: to(COREDNS),
    },
    {
      name: "the kernel's answers with a code",
      narrow: { kernel_answered: true as const, rcode: [0] },
      yes: kernelAnswered('RESPONSE'),
      no: kernelAnswered('REQUEST'),
    },
    {
      name: 'bypasses by the caches of their own node',
      narrow: { bypassed: true as const },
      yes: to(COREDNS),
      no: to(COREDNS, 53, { node_name: 'worker-9' }),
    },
  ])('keeps $name', ({ narrow, yes, no }) => {
    expect(matches(yes, narrow)).toBe(true);
    expect(matches(no, narrow)).toBe(false);
  });

  it.each([
    { name: 'a condition it does not know', narrow: { colour: 'red' }, word: 'colour' },
    { name: 'a code that is none', narrow: { rcode: [4096] }, word: 'rcode' },
    { name: 'a word for a code', narrow: { rcode: ['NXDOMAIN'] }, word: 'rcode' },
    { name: 'a time that is none', narrow: { slow_ms: '5' }, word: 'slow_ms' },
    { name: 'no bypass', narrow: { bypassed: false }, word: 'bypassed' },
    { name: 'what others answered', narrow: { kernel_answered: false }, word: 'kernel_answered' },
    { name: 'a list', narrow: null, word: 'object' },
  ])('refuses $name', ({ narrow, word }) => {
    const compiled = compileNarrow(narrow as never, options);
    expect(compiled.ok ? '' : compiled.reason).toContain(word);
  });

  it('refuses bypasses where nobody knows the caches', () => {
    const compiled = compileFilters({ narrow: { bypassed: true } });
    expect(compiled.ok ? '' : compiled.reason).toContain('bypassed');
  });

  it('holds beside the filters, whatever they say', () => {
    const compiled = compileFilters({ whitelist: [{ protocol: ['udp'] }], narrow: { rcode: [3] } });
    expect(compiled.ok && [answer(3), answer(0)].map(compiled.value)).toEqual([true, false]);
  });
});
