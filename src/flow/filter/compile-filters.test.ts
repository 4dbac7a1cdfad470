import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Flow, FlowFilter } from '../api.ts';
import { KUBE_DNS, sampleFlow, withoutReply } from '../testing/sample-flow.ts';
import { compileFilters } from './compile-filters.ts';

function matches(
  flow: Flow,
  whitelist: readonly FlowFilter[],
  blacklist: readonly FlowFilter[] = [],
): boolean {
  const compiled = compileFilters({ whitelist, blacklist });
  if (!compiled.ok) throw new Error(compiled.reason);
  return compiled.value(flow);
}

const LABELLED = sampleFlow({
  source: { namespace: 'shop', pod_name: 'cart-1', labels: ['k8s:app=cart', 'k8s:tier=web'] },
  destination: { identity: 2, labels: ['reserved:world'] },
});
const DNS = sampleFlow({
  event_type: { type: 129 },
  l7: { type: 'REQUEST', dns: { query: 'api.shop.svc.cluster.local.', qtypes: ['A'] } },
});

describe('compileFilters', () => {
  const cases: readonly { name: string; filter: FlowFilter; yes?: Flow; no?: Flow }[] = [
    { name: 'a pod by prefix', filter: { source_pod: ['shop/cart'] }, yes: sampleFlow() },
    { name: 'a bare pod name means namespace default', filter: { source_pod: ['cart'] }, no: sampleFlow() },
    { name: 'a whole namespace', filter: { destination_pod: ['kube-system/'] }, yes: sampleFlow() },
    { name: 'a pod in any namespace', filter: { destination_pod: ['/node-local'] }, yes: sampleFlow() },
    { name: 'not by namespace prefix', filter: { destination_pod: ['kube-sys/'] }, no: sampleFlow() },
    { name: 'an address', filter: { source_ip: ['10.244.1.23'] }, yes: sampleFlow() },
    { name: 'a prefix', filter: { destination_ip: ['10.244.0.0/16'] }, yes: sampleFlow() },
    { name: 'another prefix', filter: { destination_ip: ['10.245.0.0/16'] }, no: sampleFlow() },
    { name: 'a port', filter: { destination_port: ['53'] }, yes: sampleFlow() },
    { name: 'a port of the other side', filter: { source_port: ['53'] }, no: sampleFlow() },
    { name: 'a transport', filter: { protocol: ['udp'] }, yes: DNS, no: sampleFlow({ l4: { TCP: {} } }) },
    { name: 'dns', filter: { protocol: ['DNS'] }, yes: DNS, no: sampleFlow() },
    { name: 'a protocol we never see', filter: { protocol: ['sctp'] }, no: sampleFlow() },
    { name: 'a verdict', filter: { verdict: ['TRACED', 'FORWARDED'] }, yes: sampleFlow() },
    { name: 'a type with any sub type', filter: { event_type: [{ type: 4 }] }, yes: sampleFlow() },
    {
      name: 'sub type 0 when asked for strictly',
      filter: { event_type: [{ type: 4, match_sub_type: true }] },
      yes: sampleFlow({ event_type: { type: 4 } }),
      no: sampleFlow(),
    },
    { name: 'replies', filter: { reply: [true] }, yes: sampleFlow({ is_reply: true }), no: withoutReply() },
    {
      name: 'no reply: unknown only when dropped',
      filter: { reply: [false] },
      yes: withoutReply({ verdict: 'DROPPED' }),
      no: withoutReply(),
    },
    {
      name: 'a service',
      filter: { destination_service: ['kube-system/kube'] },
      yes: sampleFlow({ destination_service: KUBE_DNS }),
      no: sampleFlow(),
    },
    { name: 'a name', filter: { dns_query: ['^api[.]'] }, yes: DNS, no: sampleFlow() },
    { name: 'a name ends with its dot', filter: { dns_query: ['local$'] }, no: DNS },
    { name: 'an identity', filter: { source_identity: [21873] }, yes: sampleFlow() },
    {
      name: 'identity 0 is an absent one',
      filter: { source_identity: [0] },
      yes: sampleFlow({ source: {} }),
    },
    { name: 'a node', filter: { node_name: ['worker-*'] }, yes: sampleFlow() },
    { name: 'a node of the default cluster', filter: { node_name: ['default/worker-1'] }, yes: sampleFlow() },
    { name: 'a node of another cluster', filter: { node_name: ['other/worker-1'] }, no: sampleFlow() },
    { name: 'a label', filter: { source_label: ['app=cart'] }, yes: LABELLED, no: sampleFlow() },
    { name: 'labels joined', filter: { source_label: ['app in (cart, shop),!missing'] }, yes: LABELLED },
    { name: 'a label that differs', filter: { source_label: ['app!=cart'] }, no: LABELLED },
    { name: 'a reserved label', filter: { destination_label: ['reserved:world'] }, yes: LABELLED },
    { name: 'fields AND', filter: { protocol: ['udp'], destination_port: ['54'] }, no: sampleFlow() },
    { name: 'an empty field is an absent one', filter: { destination_port: [] }, yes: sampleFlow() },
  ];
  it.each(cases)('matches $name', ({ filter, yes, no }) => {
    if (yes !== undefined) expect(matches(yes, [filter])).toBe(true);
    if (no !== undefined) expect(matches(no, [filter])).toBe(false);
  });

  it('passes what any whitelist filter and no blacklist filter matches', () => {
    const udp: FlowFilter = { protocol: ['udp'] };
    const toOther: FlowFilter = { destination_port: ['54'] };
    expect(matches(sampleFlow(), [])).toBe(true);
    expect(matches(sampleFlow(), [toOther, udp])).toBe(true);
    expect(matches(sampleFlow(), [udp], [toOther])).toBe(true);
    expect(matches(sampleFlow(), [udp], [{ ...udp, destination_port: ['53'] }])).toBe(false);
  });

  const refused: readonly { name: string; filter: unknown; code: string; word: string }[] = [
    {
      name: 'an unknown field',
      filter: { sctp_flags: [{}] },
      code: 'FLOW_FILTER_UNKNOWN_FIELD',
      word: 'sctp_flags',
    },
    {
      name: 'a field of every object',
      filter: { constructor: ['x'] },
      code: 'FLOW_FILTER_UNKNOWN_FIELD',
      word: 'constructor',
    },
    {
      name: 'a port by name',
      filter: { source_port: ['http'] },
      code: 'FLOW_FILTER_INVALID',
      word: 'source_port',
    },
    {
      name: 'a port too high',
      filter: { source_port: ['65536'] },
      code: 'FLOW_FILTER_INVALID',
      word: '65536',
    },
    {
      name: 'a bad expression',
      filter: { dns_query: ['('] },
      code: 'FLOW_FILTER_INVALID',
      word: 'dns_query',
    },
    {
      name: 'a lower-case verdict',
      filter: { verdict: ['forwarded'] },
      code: 'FLOW_FILTER_INVALID',
      word: 'verdict',
    },
    {
      name: 'a value that is no list',
      filter: { source_pod: 'x' },
      code: 'FLOW_FILTER_INVALID',
      word: 'list',
    },
    {
      name: 'a number for a text',
      filter: { source_pod: [1] },
      code: 'FLOW_FILTER_INVALID',
      word: 'source_pod',
    },
    {
      name: 'an unknown protocol',
      filter: { protocol: ['quic'] },
      code: 'FLOW_FILTER_INVALID',
      word: 'quic',
    },
  ];
  it.each(refused)('refuses $name by name', ({ filter, code, word }) => {
    const compiled = compileFilters({ whitelist: [filter as FlowFilter] });
    expect(compiled).toMatchObject({ ok: false, code });
    expect(compiled.ok ? '' : compiled.reason).toContain(word);
  });

  it('never throws, whatever JSON comes in', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (whitelist, blacklist) => {
        const request = { whitelist, blacklist } as never;
        const compiled = compileFilters(request);
        if (compiled.ok) expect(typeof compiled.value(sampleFlow())).toBe('boolean');
      }),
    );
  });
});
