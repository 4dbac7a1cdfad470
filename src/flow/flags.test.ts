import { describe, expect, it } from 'vitest';
import type { GetFlowsRequest } from './api.ts';
import { flowsRequest, type ObserveFlags } from './flags.ts';
import { parseTime } from './time.ts';

const NOW = parseTime('2026-03-03T10:00:00Z') ?? 0n;

const CASES: readonly { name: string; flags: ObserveFlags; request: GetFlowsRequest }[] = [
  { name: 'nothing: the newest 20', flags: {}, request: { number: 20 } },
  { name: 'follow: from now', flags: { follow: true }, request: { follow: true } },
  { name: 'follow with history', flags: { follow: true, last: 5 }, request: { number: 5, follow: true } },
  { name: 'the first', flags: { first: 3 }, request: { number: 3, first: true } },
  { name: 'all', flags: { all: true }, request: {} },
  { name: 'a duration', flags: { since: '1h30m' }, request: { since: '2026-03-03T08:30:00Z' } },
  { name: 'a fraction', flags: { since: '1.5s' }, request: { since: '2026-03-03T09:59:58.500Z' } },
  {
    name: 'two times',
    flags: { since: '2026-03-03T09:00:00+00:00', until: '2026-03-03' },
    request: { since: '2026-03-03T09:00:00Z', until: '2026-03-03T00:00:00Z' },
  },
  {
    name: '--protocol udp --port 53',
    flags: { protocol: ['udp'], port: ['53'], all: true },
    request: {
      whitelist: [
        { protocol: ['udp'], source_port: ['53'] },
        { protocol: ['udp'], destination_port: ['53'] },
      ],
    },
  },
  {
    name: '--pod with --port in all four ways',
    flags: { pod: ['shop/cart'], port: ['53'], all: true },
    request: {
      whitelist: [
        { source_pod: ['shop/cart'], source_port: ['53'] },
        { source_pod: ['shop/cart'], destination_port: ['53'] },
        { destination_pod: ['shop/cart'], source_port: ['53'] },
        { destination_pod: ['shop/cart'], destination_port: ['53'] },
      ],
    },
  },
  {
    name: '--pod with -n',
    flags: { pod: ['cart'], namespace: ['shop'], all: true },
    request: { whitelist: [{ source_pod: ['shop/cart'] }, { destination_pod: ['shop/cart'] }] },
  },
  {
    name: '-n alone',
    flags: { namespace: ['kube-system'], all: true },
    request: { whitelist: [{ source_pod: ['kube-system/'] }, { destination_pod: ['kube-system/'] }] },
  },
  {
    name: 'directional flags stay on their side',
    flags: { fromPod: ['a'], toPod: ['b'], toPort: ['53'], all: true },
    request: { whitelist: [{ source_pod: ['a'], destination_pod: ['b'], destination_port: ['53'] }] },
  },
  {
    name: 'event types',
    flags: { type: ['trace:to-endpoint', 'l7', '4:5'], all: true },
    request: {
      whitelist: [
        {
          event_type: [
            { type: 4, match_sub_type: true, sub_type: 0 },
            { type: 129 },
            { type: 4, match_sub_type: true, sub_type: 5 },
          ],
        },
      ],
    },
  },
];

describe('flowsRequest', () => {
  it.each(CASES)('sends $name', ({ flags, request }) => {
    expect(flowsRequest(flags, NOW)).toEqual({ ok: true, value: request });
  });

  it.each([
    { name: '--first with --last', flags: { first: 1, last: 1 }, word: '--first' },
    { name: '--first with --follow', flags: { first: 1, follow: true }, word: '--follow' },
    { name: '--pod with --to-pod', flags: { pod: ['a'], toPod: ['b'] }, word: '--pod' },
    { name: '--port with --to-port', flags: { port: ['1'], toPort: ['2'] }, word: '--port' },
    { name: '--ip with --pod', flags: { ip: ['1.2.3.4'], pod: ['a'] }, word: '--ip' },
    { name: 'days, as Go does', flags: { since: '1d' }, word: '1d' },
    { name: 'an unknown trace point', flags: { type: ['trace:nowhere'] }, word: 'trace:nowhere' },
  ])('refuses $name', ({ flags, word }) => {
    const request = flowsRequest(flags, NOW);
    expect(request.ok ? '' : request.reason).toContain(word);
  });
});
