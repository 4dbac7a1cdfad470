import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FlowFilter, GetFlowsRequest } from '../api.ts';
import { compileFilters } from '../filter/compile-filters.ts';
import { parseTime } from '../time.ts';
import { createFlagCollector, FILTER_FLAGS, filterFlagSpec, filterFlags } from './filter-flags.ts';
import { flowsRequest, type ObserveFlags } from './flows-request.ts';
import { formatRawFilters } from './raw-filters.ts';
import { parseDuration } from './time-flag.ts';

const NOW = parseTime('2026-03-03T10:00:00Z') ?? 0n;
const MAX_UINT64 = '18446744073709551615';

/** Reads `--a b --c` as a shell would split it. */
function typed(line: string): ReturnType<typeof createFlagCollector> {
  const collector = createFlagCollector();
  const words = line.split(' ');
  for (let at = 0; at < words.length; at++) {
    const name = (words[at] ?? '').replace(/^--/, '');
    const takes = filterFlagSpec(name)?.argument !== undefined;
    collector.add(name, takes ? words[++at] : undefined);
  }
  return collector;
}

function requestOf(line: string, flags: ObserveFlags = {}): GetFlowsRequest {
  const filters = typed(line).finish();
  if (!filters.ok) throw new Error(filters.reason);
  const request = flowsRequest({ ...flags, filters: filters.value }, NOW);
  if (!request.ok) throw new Error(request.reason);
  return request.value;
}

function refusalOf(line: string): string {
  const filters = typed(line).finish();
  const request = filters.ok ? flowsRequest({ filters: filters.value }, NOW) : filters;
  return request.ok ? '' : (request.reason ?? request.code);
}

describe('flowsRequest, how many and when', () => {
  const cases: readonly { name: string; flags: ObserveFlags; request: GetFlowsRequest }[] = [
    { name: 'nothing: the newest 20', flags: {}, request: { number: 20 } },
    { name: 'follow: from now', flags: { follow: true }, request: { follow: true } },
    { name: 'follow with history', flags: { follow: true, last: 5 }, request: { number: 5, follow: true } },
    { name: 'the first', flags: { first: 3 }, request: { number: 3, first: true } },
    { name: 'all as the largest number', flags: { all: true }, request: { number: MAX_UINT64 } },
    { name: 'a file: all of it', flags: { inputFile: '-' }, request: {} },
    { name: 'a duration', flags: { since: '1h30m' }, request: { since: '2026-03-03T08:30:00Z' } },
    { name: 'a fraction', flags: { since: '1.5s' }, request: { since: '2026-03-03T09:59:58.500Z' } },
    { name: 'a year and more', flags: { since: '8784h' }, request: { since: '2025-03-02T10:00:00Z' } },
    { name: 'the future', flags: { until: '-1m' }, request: { until: '2026-03-03T10:01:00Z' } },
    { name: 'no end when following', flags: { follow: true, until: '1m' }, request: { follow: true } },
    {
      name: 'two times',
      flags: { since: '2026-03-03T09:00:00.25+00:00', until: '2026-03-03' },
      request: { since: '2026-03-03T09:00:00.250Z', until: '2026-03-03T00:00:00Z' },
    },
    {
      name: 'an hour and a minute',
      flags: { since: '2026-03-03T09Z', until: '2026-03-03T09:30+02:00' },
      request: { since: '2026-03-03T09:00:00Z', until: '2026-03-03T07:30:00Z' },
    },
    {
      name: 'the time of a mail (RFC 1123 with a zone)',
      flags: { since: 'Tue, 03 Mar 2026 10:00:00 +0100' },
      request: { since: '2026-03-03T09:00:00Z' },
    },
    {
      name: 'conditions of ours beside the filters',
      flags: { rcode: ['NXDOMAIN', '2'], slow: '50', bypassed: true, kernelAnswered: true },
      request: {
        number: 20,
        narrow: { rcode: [3, 2], slow_ms: 50, bypassed: true, kernel_answered: true },
      },
    },
    {
      name: 'a field mask',
      flags: { fieldMask: ['time', 'l7.dns'] },
      request: { number: 20, field_mask: { paths: ['time', 'l7.dns'] } },
    },
  ];
  it.each(cases)('sends $name', ({ flags, request }) => {
    expect(flowsRequest(flags, NOW)).toEqual({ ok: true, value: request });
  });

  it.each([
    { name: '--first with --last', flags: { first: 1, last: 1 }, word: '--first' },
    { name: '--first with --all', flags: { first: 1, all: true }, word: '--all' },
    { name: '--first with --follow', flags: { first: 1, follow: true }, word: '--follow' },
    { name: '--last with --all', flags: { last: 1, all: true }, word: '--all' },
    { name: 'days, as Go does', flags: { since: '1d' }, word: '1d' },
    { name: 'a stamp without its year', flags: { since: 'Mar  3 10:00:00.000' }, word: 'Mar' },
    { name: 'a date without a zone', flags: { since: '2026-03-03T10:00:00' }, word: 'since' },
    { name: 'more than Go can count', flags: { since: '99999999999h' }, word: 'since' },
    { name: 'a code that is none', flags: { rcode: ['NOPE'] }, word: 'NOPE' },
    { name: 'a time that is none', flags: { slow: 'fast' }, word: 'fast' },
    { name: 'an unknown field in raw JSON', flags: { allowlist: ['{"invalid":["x"]}'] }, word: 'invalid' },
    { name: 'raw text that is no JSON', flags: { denylist: ['{"source_ip":'] }, word: '--denylist' },
  ])('refuses $name', ({ flags, word }) => {
    const request = flowsRequest(flags, NOW);
    expect(request.ok ? '' : request.reason).toContain(word);
  });
});

/** The first rows are the table of spec hubble 2.3. */
const FILTERS: readonly { line: string; allow?: readonly FlowFilter[]; deny?: readonly FlowFilter[] }[] = [
  {
    line: '--protocol udp --port 53',
    allow: [
      { protocol: ['udp'], source_port: ['53'] },
      { protocol: ['udp'], destination_port: ['53'] },
    ],
  },
  {
    line: '--pod cart -n shop'.replace('-n', '--namespace'),
    allow: [{ source_pod: ['shop/cart'] }, { destination_pod: ['shop/cart'] }],
  },
  {
    line: '--namespace kube-system',
    allow: [{ source_pod: ['kube-system/'] }, { destination_pod: ['kube-system/'] }],
  },
  { line: '--type trace:to-endpoint', allow: [{ event_type: [{ type: 4, match_sub_type: true }] }] },
  { line: '--type trace-sock --type l7', allow: [{ event_type: [{ type: 7 }, { type: 129 }] }] },
  { line: '--type 4:5', allow: [{ event_type: [{ type: 4, match_sub_type: true, sub_type: 5 }] }] },
  {
    line: '--not --to-port 53 --not --protocol tcp',
    deny: [{ protocol: ['tcp'], destination_port: ['53'] }],
  },
  {
    line: '--service kube-system/kube-dns',
    allow: [{ source_service: ['kube-system/kube-dns'] }, { destination_service: ['kube-system/kube-dns'] }],
  },
  {
    line: '--from-pod a --to-pod b --to-port 53',
    allow: [{ source_pod: ['a'], destination_pod: ['b'], destination_port: ['53'] }],
  },
  { line: '--from-namespace shop', allow: [{ source_pod: ['shop/'] }] },
  { line: '--to-service dns --to-namespace x', allow: [{ destination_service: ['x/dns'] }] },
  { line: '--all-namespaces', allow: [{ source_pod: ['/'] }, { destination_pod: ['/'] }] },
  {
    line: '--from-workload Deployment/cart',
    allow: [{ source_workload: [{ name: 'cart', kind: 'Deployment' }] }],
  },
  { line: '--to-workload DaemonSet/', allow: [{ destination_workload: [{ kind: 'DaemonSet' }] }] },
  { line: '--from-label app=cart', allow: [{ source_label: ['app=cart'] }] },
  { line: '--label a=b,c', allow: [{ source_label: ['a=b,c'] }, { destination_label: ['a=b,c'] }] },
  {
    line: '--identity world --identity 21873',
    allow: [{ source_identity: [2, 21873] }, { destination_identity: [2, 21873] }],
  },
  { line: '--to-cluster east', allow: [{ destination_cluster_name: ['east'] }] },
  { line: '--from-ip 10.0.0.0/8', allow: [{ source_ip: ['10.0.0.0/8'] }] },
  { line: '--snat-ip 192.168.7.11', allow: [{ source_ip_xlated: ['192.168.7.11'] }] },
  { line: '--ipv4 --ipv6', allow: [{ ip_version: ['IPv4', 'IPv6'] }] },
  { line: '--ip-version none', allow: [{ ip_version: ['IP_NOT_USED'] }] },
  { line: '--to-fqdn *.example.com', allow: [{ destination_fqdn: ['*.example.com'] }] },
  { line: '--verdict DROPPED,ERROR', allow: [{ verdict: ['DROPPED', 'ERROR'] }] },
  { line: '--drop-reason-desc POLICY_DENIED', allow: [{ drop_reason_desc: ['POLICY_DENIED'] }] },
  { line: '--traffic-direction egress', allow: [{ traffic_direction: ['EGRESS'] }] },
  { line: '--interface eth0', allow: [{ interface: [{ name: 'eth0' }] }] },
  { line: '--encrypted', allow: [{ encrypted: [true] }] },
  { line: '--not --unencrypted', deny: [{ encrypted: [false] }] },
  { line: '--tcp-flags syn,ack', allow: [{ tcp_flags: [{ SYN: true, ACK: true }] }] },
  { line: '--dns-query ^api[.]{1,2}', allow: [{ dns_query: ['^api[.]{1,2}'] }] },
  { line: '--http-status 404', allow: [{ http_status_code: ['404'] }] },
  { line: '--http-method get', allow: [{ http_method: ['get'] }] },
  { line: '--http-path /a', allow: [{ http_path: ['/a'] }] },
  { line: '--http-url //a', allow: [{ http_url: ['//a'] }] },
  { line: '--http-header a:b', allow: [{ http_header: [{ key: 'a', value: 'b' }] }] },
  { line: '--uuid x --trace-id y', allow: [{ trace_id: ['y'], uuid: ['x'] }] },
  { line: '--ip-trace-id 7', allow: [{ ip_trace_id: ['7'] }] },
  { line: '--node-name east/*', allow: [{ node_name: ['east/*'] }] },
  { line: '--node-label zone=a', allow: [{ node_labels: ['zone=a'] }] },
  { line: '--cel-expression true', allow: [{ experimental: { cel_expression: ['true'] } }] },
];

describe('flowsRequest, filters', () => {
  it.each(FILTERS)('$line', ({ line, allow, deny }) => {
    const { whitelist, blacklist } = requestOf(line);
    expect({ whitelist, blacklist }).toEqual({ whitelist: allow, blacklist: deny });
  });

  it('takes a pod and a port for their conversation, whichever side has the port', () => {
    expect(requestOf('--pod shop/cart --port 53').whitelist).toEqual([
      { source_pod: ['shop/cart'], source_port: ['53'] },
      { source_pod: ['shop/cart'], destination_port: ['53'] },
      { destination_pod: ['shop/cart'], source_port: ['53'] },
      { destination_pod: ['shop/cart'], destination_port: ['53'] },
    ]);
  });

  it('takes them for the same side on request, as the stock CLI does', () => {
    expect(requestOf('--pod shop/cart --port 53', { sameSide: true }).whitelist).toEqual([
      { source_pod: ['shop/cart'], source_port: ['53'] },
      { destination_pod: ['shop/cart'], destination_port: ['53'] },
    ]);
  });

  it('adds raw filters as alternatives, several in one text', () => {
    const allowlist = ['{"source_ip":["1.2.3.4/16"]} {"dns_query":["}{"]}'];
    expect(requestOf('--to-port 53', { allowlist }).whitelist).toEqual([
      { destination_port: ['53'] },
      { source_ip: ['1.2.3.4/16'] },
      { dns_query: ['}{'] },
    ]);
  });

  it('takes flags whose order does not matter by either form of their names', () => {
    const flags = filterFlags({ toPort: ['53'], 'from-pod': ['a'], follow: true, output: 'json' });
    expect(flags).toEqual([
      { name: 'to-port', value: '53' },
      { name: 'from-pod', value: 'a' },
    ]);
  });

  it.each([
    { line: '--ip 1.2.3.4 --pod a', word: '--ip' },
    { line: '--fqdn a --ip 1.2.3.4', word: '--fqdn' },
    { line: '--to-pod a --namespace b', word: '--to-pod' },
    { line: '--port 1 --to-port 2', word: '--port' },
    { line: '--service a --to-service b', word: '--service' },
    { line: '--pod a --to-pod b', word: '--pod' },
    { line: '--label a --from-label b', word: '--label' },
    { line: '--encrypted --unencrypted', word: '--encrypted' },
    { line: '--namespace a --all-namespaces', word: '--namespace' },
    { line: '--pod shop/cart --namespace other', word: 'shop/cart' },
    { line: '--pod shop/cart --service other/dns', word: 'shop/cart' },
    { line: '--verdict forwarded', word: 'forwarded' },
    { line: '--type trace:nowhere', word: 'trace:nowhere' },
    { line: '--type l7:dns', word: 'l7:dns' },
    { line: '--tcp-flags syn,nope', word: 'nope' },
    { line: '--identity nobody', word: 'nobody' },
    { line: '--drop-reason-desc OOPS', word: 'OOPS' },
    { line: '--traffic-direction up', word: 'up' },
    { line: '--ip-trace-id 0', word: 'ip-trace-id' },
    { line: '--http-header a', word: 'NAME:VALUE' },
    { line: '--port http', word: 'http' },
    { line: '--fqdn a/b', word: 'a/b' },
    { line: '--dns-query (', word: 'dns_query' },
    { line: '--not --not --port 1', word: 'two in a row' },
    { line: '--port 1 --not', word: 'none comes after' },
  ])('refuses $line', ({ line, word }) => {
    expect(refusalOf(line)).toContain(word);
  });
});

describe('flowsRequest, whatever is typed', () => {
  const word = fc.oneof(
    fc.string(),
    fc.constantFrom(
      '53',
      'udp',
      'a/b',
      'shop/',
      '10.0.0.0/8',
      'fd00::1',
      '*.a',
      'l7',
      'trace:1',
      'world',
      'syn',
      'x=y',
    ),
  );
  const flag = fc.record({
    name: fc.constantFrom(
      ...FILTER_FLAGS.map(({ name }) => name).filter((name) => name !== 'cel-expression'),
    ),
    value: word,
    not: fc.boolean(),
  });

  it('is refused, or is a request that a server compiles, with its filters as text and back', () => {
    fc.assert(
      fc.property(fc.array(flag, { maxLength: 5 }), fc.option(word, { nil: undefined }), (filters, since) => {
        const request = flowsRequest({ filters, ...(since === undefined ? {} : { since }) }, NOW);
        if (!request.ok) {
          expect(request.reason).not.toBe('');
          return;
        }
        expect(compileFilters(request.value)).toMatchObject({ ok: true });
        const texts = (request.value.whitelist ?? []).map((filter) => JSON.stringify(filter));
        const again = flowsRequest({ allowlist: texts }, NOW);
        expect(again.ok ? (again.value.whitelist ?? []) : again).toEqual(request.value.whitelist ?? []);
        expect(formatRawFilters(request.value)).not.toMatch(/[\p{Cf}\u007f-\u009f\u2028\u2029]/u);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    { text: '1h43m', ns: 6_180_000_000_000n },
    { text: '.5s', ns: 500_000_000n },
    { text: '1.000000001s', ns: 1_000_000_001n },
    { text: '-1m', ns: -60_000_000_000n },
    { text: '0', ns: 0n },
    { text: '1d', ns: undefined },
    { text: '1', ns: undefined },
    { text: '.s', ns: undefined },
    { text: '', ns: undefined },
  ])('takes $text for a duration as Go does: $ns ns', ({ text, ns }) => {
    expect(parseDuration(text)).toBe(ns);
  });
});

describe('formatRawFilters', () => {
  it("writes the stock CLI's YAML", () => {
    const request = requestOf('--from-ip 1.2.3.4/16 --not --from-port 80');
    expect(formatRawFilters(request)).toBe(
      `allowlist:\n    - '{"source_ip":["1.2.3.4/16"]}'\ndenylist:\n    - '{"source_port":["80"]}'\n`,
    );
  });

  it('says in a comment what has no words there, and quotes what would end the text', () => {
    expect(formatRawFilters({ narrow: { bypassed: true } })).toBe('{}\n# narrow: {"bypassed":true}\n');
    expect(formatRawFilters({ whitelist: [{ dns_query: ["it's\u202e"] }] })).toBe(
      `allowlist:\n    - '{"dns_query":["it''s\\u202e"]}'\n`,
    );
  });
});
