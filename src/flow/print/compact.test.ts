import { describe, expect, it } from 'vitest';
import type { Flow } from '../api.ts';
import { CART, COREDNS, KUBE_DNS, sampleFlow, withoutReply } from '../testing/sample-flow.ts';
import { formatCompact } from './compact.ts';
import { escapeControls } from './escape.ts';
import type { PrintOptions } from './flow-words.ts';

const dns = (type: 'REQUEST' | 'RESPONSE', query: string): Partial<Flow> => ({
  Type: 'L7',
  event_type: { type: 129 },
  l7: { type, dns: { query, qtypes: ['A'], observation_source: 'proxy' } },
});
const swapped = { source: sampleFlow().destination, destination: CART };
const fromCache = (port: number): Partial<Flow> => ({
  ...swapped,
  l4: { UDP: { source_port: 53, destination_port: port } },
  is_reply: true,
});

/** The lines are those of spec hubble 3.1, written by the stock CLI. */
const GOLDEN: readonly { readonly name: string; readonly flow: Flow; readonly line: string }[] = [
  {
    name: 'a translation asked for has no source port and no direction, and its service is unknown',
    flow: withoutReply({
      time: '2026-03-03T10:00:00Z',
      verdict: 'TRACED',
      Type: 'SOCK',
      event_type: { type: 7, sub_type: 1 },
      l4: { UDP: { destination_port: 53 } },
      destination: {},
      destination_service: KUBE_DNS,
    }),
    line: 'Mar  3 10:00:00.000: shop/cart-6d4b7c8f9-x2x7k (ID:21873) <> kube-system/kube-dns:53 (unknown) pre-xlate-fwd TRACED (UDP)',
  },
  {
    name: 'a translation done',
    flow: withoutReply({
      time: '2026-03-03T10:00:00.007Z',
      verdict: 'TRANSLATED',
      event_type: { type: 7, sub_type: 2 },
      l4: { UDP: { destination_port: 53 } },
    }),
    line: 'Mar  3 10:00:00.007: shop/cart-6d4b7c8f9-x2x7k (ID:21873) <> kube-system/node-local-dns-9kq2t:53 (ID:51200) post-xlate-fwd TRANSLATED (UDP)',
  },
  {
    name: 'a packet that leaves a pod',
    flow: sampleFlow(),
    line: 'Mar  3 10:00:00.014: shop/cart-6d4b7c8f9-x2x7k:41022 (ID:21873) -> kube-system/node-local-dns-9kq2t:53 (ID:51200) from-endpoint FORWARDED (UDP)',
  },
  {
    name: 'a packet delivered to a pod: sub type 0 is absent on the wire',
    flow: sampleFlow({ time: '2026-03-03T10:00:00.021Z', event_type: { type: 4 } }),
    line: 'Mar  3 10:00:00.021: shop/cart-6d4b7c8f9-x2x7k:41022 (ID:21873) -> kube-system/node-local-dns-9kq2t:53 (ID:51200) to-endpoint FORWARDED (UDP)',
  },
  {
    name: 'a DNS query',
    flow: sampleFlow({
      time: '2026-03-03T10:00:00.028Z',
      ...dns('REQUEST', 'api.shop.svc.cluster.local.'),
      Summary: 'DNS Query api.shop.svc.cluster.local. A',
    }),
    line: 'Mar  3 10:00:00.028: shop/cart-6d4b7c8f9-x2x7k:41022 (ID:21873) -> kube-system/node-local-dns-9kq2t:53 (ID:51200) dns-request proxy FORWARDED (DNS Query api.shop.svc.cluster.local. A)',
  },
  {
    name: 'a DNS answer keeps the client on the left',
    flow: sampleFlow({
      time: '2026-03-03T10:00:00.035Z',
      ...dns('RESPONSE', 'api.shop.svc.cluster.local.'),
      ...fromCache(41022),
      Summary: 'DNS Answer "10.96.44.7" TTL: 30 (Proxy api.shop.svc.cluster.local. A)',
    }),
    line: 'Mar  3 10:00:00.035: shop/cart-6d4b7c8f9-x2x7k:41022 (ID:21873) <- kube-system/node-local-dns-9kq2t:53 (ID:51200) dns-response proxy FORWARDED (DNS Answer "10.96.44.7" TTL: 30 (Proxy api.shop.svc.cluster.local. A))',
  },
  {
    name: 'from a host to a name outside',
    flow: sampleFlow({
      time: '2026-03-03T10:00:00.049Z',
      source: { identity: 1 },
      destination: { identity: 2 },
      destination_names: ['ns1.example.net'],
      IP: { source: '192.168.7.11', destination: '203.0.113.5', ipVersion: 'IPv4' },
      l4: { UDP: { source_port: 50100, destination_port: 53 } },
      event_type: { type: 4, sub_type: 11 },
    }),
    line: 'Mar  3 10:00:00.049: 192.168.7.11:50100 (host) -> ns1.example.net:53 (world) to-network FORWARDED (UDP)',
  },
  {
    name: 'a drop',
    flow: withoutReply({
      time: '2026-03-03T10:00:00.056Z',
      verdict: 'DROPPED',
      destination: COREDNS,
      l4: { UDP: { source_port: 41030, destination_port: 53 } },
      event_type: { type: 1, sub_type: 133 },
      drop_reason_desc: 'POLICY_DENIED',
    }),
    line: 'Mar  3 10:00:00.056: shop/cart-6d4b7c8f9-x2x7k:41030 (ID:21873) <> kube-system/coredns-7db6d8ff4d-ab12c:53 (ID:40213) Policy denied DROPPED (UDP)',
  },
  {
    name: 'the way back: the address that was asked is restored',
    flow: withoutReply({
      time: '2026-03-03T10:00:00.070Z',
      verdict: 'TRANSLATED',
      event_type: { type: 7, sub_type: 4 },
      source: {},
      source_service: KUBE_DNS,
      destination: CART,
      l4: { UDP: { source_port: 53 } },
    }),
    line: 'Mar  3 10:00:00.070: kube-system/kube-dns:53 (unknown) <> shop/cart-6d4b7c8f9-x2x7k (ID:21873) post-xlate-rev TRANSLATED (UDP)',
  },
];

const print = (flow: Flow, options?: PrintOptions) =>
  formatCompact({ flow, node_name: flow.node_name, time: flow.time }, options);

describe('formatCompact', () => {
  it.each(GOLDEN)('$name', ({ flow, line }) => {
    expect(print(flow)).toBe(line);
  });

  it('brackets IPv6 only where a port follows', () => {
    const IP = { source: 'fd00::1', destination: 'fd00::2', ipVersion: 'IPv6' } as const;
    const flow = withoutReply({ source: {}, destination: {}, IP, l4: { UDP: { destination_port: 53 } } });
    expect(print(flow)).toContain(': fd00::1 (unknown) <> [fd00::2]:53 (unknown) ');
  });

  it("lets a service's namespace override the pod's, as the stock CLI does", () => {
    const flow = sampleFlow({ destination_service: { name: 'x', namespace: 'other-ns' } });
    expect(print(flow)).toContain('-> other-ns/node-local-dns-9kq2t:53');
  });

  it.each([
    {
      name: 'the node name on request',
      options: { printNodeName: true },
      part: '10:00:00.014 [worker-1]: shop',
    },
    {
      name: 'addresses on request',
      options: { numeric: true },
      part: '10.244.1.23:41022 (ID:21873) -> 10.244.1.9:53 (',
    },
    { name: 'no colour unless asked', options: {}, part: ' FORWARDED (' },
    { name: 'colour', options: { color: true }, part: '\x1b[32mFORWARDED\x1b[0m (' },
  ])('prints $name', ({ options, part }) => {
    expect(print(sampleFlow(), options)).toContain(part);
  });

  it('says N/A for a time that cannot be read', () => {
    expect(print(sampleFlow({ time: '' }))).toMatch(/^N\/A: shop/);
  });

  it('tells what was lost', () => {
    const lost_events = { source: 'PERF_EVENT_RING_BUFFER', num_events_lost: '7' } as const;
    const line = formatCompact({ lost_events, node_name: 'worker-1', time: '2026-03-13T10:00:00Z' });
    expect(line).toBe('Mar 13 10:00:00.000 EVENTS LOST: PERF_EVENT_RING_BUFFER CPU(0) 7');
  });

  it('never lets a control character through to the terminal', () => {
    const evil = 'a\x1b[31mb\rc\nd\x00\x7f\u009b\u2028e';
    expect(escapeControls(evil)).toBe('a^[[31mb\\rc\\nd\\x00\\x7f\\x9b\\x2028e');
    expect(print(sampleFlow({ Summary: evil }))).not.toMatch(/[\p{Cc}\u2028]/u);
  });
});
