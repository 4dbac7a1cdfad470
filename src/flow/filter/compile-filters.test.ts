import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Flow, FlowFilter, TcpFlagSet } from '../api.ts';
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

const V6 = sampleFlow({
  IP: { source: 'fd00::1', destination: 'fd00::2', ipVersion: 'IPv6' },
  source: {},
  destination: {},
});
const NAMED = sampleFlow({ destination_names: ['api.example.com', '_dns.example.com'] });
const WORKLOAD = sampleFlow({ source: { workloads: [{ name: 'cart', kind: 'Deployment' }] } });
const ELSEWHERE = sampleFlow({ node_name: 'east/worker-1' });
const tcp = (flags: TcpFlagSet): Flow => sampleFlow({ l4: { TCP: { flags } } });

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
    {
      name: 'a label by its order',
      filter: { source_label: ['any:weight>4,weight<6'] },
      yes: sampleFlow({ source: { labels: ['k8s:weight=5'] } }),
      no: sampleFlow({ source: { labels: ['k8s:weight=6'] } }),
    },
    {
      name: 'a label of one source only',
      filter: { source_label: ['k8s:app=cart'] },
      yes: LABELLED,
      no: sampleFlow({ source: { labels: ['container:app=cart'] } }),
    },
    {
      name: 'an address written in another way',
      filter: { source_ip: ['FD00:0::1'] },
      yes: V6,
      no: sampleFlow(),
    },
    {
      name: 'what the source was translated to',
      filter: { source_ip_xlated: ['192.168.0.0/16'] },
      yes: sampleFlow({ IP: { ...sampleFlow().IP, source_xlated: '192.168.7.11' } }),
      no: sampleFlow(),
    },
    { name: 'an IP version', filter: { ip_version: ['IPv6'] }, yes: V6, no: sampleFlow() },
    { name: 'an IP version by number', filter: { ip_version: [1 as never] }, yes: sampleFlow(), no: V6 },
    {
      name: 'a name the address came from',
      filter: { destination_fqdn: ['*.Example.com.'] },
      yes: NAMED,
      no: DNS,
    },
    { name: 'a name as a whole', filter: { destination_fqdn: ['api.example'] }, no: NAMED },
    { name: 'a name with an underscore', filter: { destination_fqdn: ['_dns.example.com'] }, yes: NAMED },
    { name: 'what is asked is no name of an address', filter: { destination_fqdn: ['api.shop.*'] }, no: DNS },
    {
      name: 'all TCP flags of one value',
      filter: { tcp_flags: [{ FIN: true }, { SYN: true, ACK: true }] },
      yes: tcp({ SYN: true, ACK: true, ECE: true }),
      no: tcp({ SYN: true }),
    },
    { name: 'TCP flags of no TCP', filter: { tcp_flags: [{}] }, no: sampleFlow() },
    {
      name: 'a workload by kind and name',
      filter: { source_workload: [{ kind: 'Deployment', name: 'cart' }] },
      yes: WORKLOAD,
      no: sampleFlow(),
    },
    {
      name: 'a workload by kind',
      filter: { source_workload: [{ kind: 'Deployment', name: '' }] },
      yes: WORKLOAD,
    },
    { name: 'another kind', filter: { source_workload: [{ kind: 'DaemonSet' }] }, no: WORKLOAD },
    {
      name: 'a cluster',
      filter: { source_cluster_name: ['east'] },
      yes: sampleFlow({ source: { cluster_name: 'east' } }),
      no: sampleFlow(),
    },
    {
      name: 'an interface by name',
      filter: { interface: [{ name: 'eth0' }] },
      yes: sampleFlow({ interface: { index: 2, name: 'eth0' } }),
      no: sampleFlow(),
    },
    {
      name: 'an interface by index',
      filter: { interface: [{ index: 2, name: '' }] },
      yes: sampleFlow({ interface: { index: 2 } }),
      no: sampleFlow({ interface: { index: 3 } }),
    },
    {
      name: 'a drop reason',
      filter: { drop_reason_desc: ['POLICY_DENIED'] },
      yes: sampleFlow({ drop_reason_desc: 'POLICY_DENIED' }),
      no: sampleFlow(),
    },
    { name: 'no encryption', filter: { encrypted: [false] }, yes: sampleFlow() },
    {
      name: 'encryption',
      filter: { encrypted: [true] },
      yes: sampleFlow({ IP: { ...sampleFlow().IP, encrypted: true } }),
      no: sampleFlow(),
    },
    {
      name: "the labels of the flow's node",
      filter: { node_labels: ['topology.kubernetes.io/zone in (a,b)'] },
      yes: sampleFlow({ node_labels: ['topology.kubernetes.io/zone=a'] }),
      no: sampleFlow(),
    },
    { name: 'a node of any cluster', filter: { node_name: ['worker-1'] }, yes: ELSEWHERE },
    { name: 'all nodes of a cluster', filter: { node_name: ['east/'] }, yes: ELSEWHERE, no: sampleFlow() },
    {
      name: 'a direction',
      filter: { traffic_direction: ['EGRESS'] },
      yes: sampleFlow({ traffic_direction: 'EGRESS' }),
      no: sampleFlow(),
    },
    { name: 'a pod of any namespace at all', filter: { source_pod: ['/'] }, yes: sampleFlow(), no: V6 },
    {
      name: 'HTTP, which we never see',
      filter: { http_path: ['/a'], http_method: ['GET'] },
      no: sampleFlow(),
    },
    { name: 'an HTTP status', filter: { http_status_code: ['404'] }, no: sampleFlow() },
    { name: 'an HTTP header', filter: { http_header: [{ key: 'a', value: 'b' }] }, no: sampleFlow() },
    { name: 'an IP trace id, which we never see', filter: { ip_trace_id: ['7'] }, no: sampleFlow() },
    { name: 'no expression', filter: { experimental: { cel_expression: [] } }, yes: sampleFlow() },
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
      name: 'a CEL expression',
      filter: { experimental: { cel_expression: ['true'] } },
      code: 'FLOW_FILTER_UNKNOWN_FIELD',
      word: 'cel_expression',
    },
    { name: 'a bad name', filter: { source_fqdn: ['a b'] }, code: 'FLOW_FILTER_INVALID', word: 'a b' },
    {
      name: 'an empty name',
      filter: { source_fqdn: ['.'] },
      code: 'FLOW_FILTER_INVALID',
      word: 'source_fqdn',
    },
    { name: 'two final dots', filter: { source_fqdn: ['a..'] }, code: 'FLOW_FILTER_INVALID', word: 'a..' },
    { name: 'a node of nodes', filter: { node_name: ['a/b/c'] }, code: 'FLOW_FILTER_INVALID', word: 'a/b/c' },
    { name: 'a selector', filter: { source_label: ['a in b'] }, code: 'FLOW_FILTER_INVALID', word: 'a in b' },
    {
      name: 'half an address',
      filter: { source_ip: ['10.0.0'] },
      code: 'FLOW_FILTER_INVALID',
      word: '10.0.0',
    },
    {
      name: 'a long prefix',
      filter: { source_ip: ['10.0.0.0/33'] },
      code: 'FLOW_FILTER_INVALID',
      word: '/33',
    },
    { name: 'a TCP flag', filter: { tcp_flags: [{ FYN: true }] }, code: 'FLOW_FILTER_INVALID', word: 'FYN' },
    {
      name: 'a drop reason',
      filter: { drop_reason_desc: ['OOPS'] },
      code: 'FLOW_FILTER_INVALID',
      word: 'OOPS',
    },
    {
      name: 'a workload of nothing',
      filter: { source_workload: [{}] },
      code: 'FLOW_FILTER_INVALID',
      word: 'workload',
    },
    {
      name: 'a bad path of HTTP',
      filter: { http_path: ['('] },
      code: 'FLOW_FILTER_INVALID',
      word: 'http_path',
    },
    {
      name: 'what only other engines can',
      filter: { dns_query: ['(?=a)b'] },
      code: 'FLOW_FILTER_INVALID',
      word: 'dns_query',
    },
    {
      name: 'a pattern without measure',
      filter: { dns_query: ['a'.repeat(2000)] },
      code: 'FLOW_FILTER_INVALID',
      word: '512',
    },
    {
      name: 'a pattern that repeats without measure',
      filter: { dns_query: ['(abcdefghijklmnopqrst){1000}'] },
      code: 'FLOW_FILTER_INVALID',
      word: 'repeats',
    },
    {
      name: 'patterns that together take longer than others can wait',
      filter: { dns_query: Array.from({ length: 4 }, (_, i) => `[a-y]{500}${i}`) },
      code: 'FLOW_FILTER_INVALID',
      word: 'longer patterns',
    },
    {
      name: 'more patterns than anyone needs',
      filter: { dns_query: Array.from({ length: 65 }, () => 'a') },
      code: 'FLOW_FILTER_INVALID',
      word: 'patterns',
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
