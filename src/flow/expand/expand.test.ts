import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PacketEvent } from '../../datapath/datapath.ts';
import { TYPE } from '../../dns/codes.ts';
import { cnameRecord } from '../../dns/rdata/target.ts';
import type { Flow } from '../api.ts';
import { formatCompact } from '../print/compact.ts';
import { SAMPLE_CLUSTER } from '../testing/sample-cluster.ts';
import {
  ANSWER,
  answerRecord,
  CACHE,
  CLIENT,
  COREDNS,
  dnsMessage,
  name,
  packet,
  peer,
  QUERY,
  VIP,
} from '../testing/sample-packet.ts';
import { TestNode } from '../testing/test-node.ts';

const expander = (nodeName = 'k8s-w1') => {
  const node = new TestNode(nodeName);
  return (event: PacketEvent) => node.see(event);
};

/** The compact line without time and identities, which are not what these tests are about. */
function line(flow: Flow): string {
  const text = formatCompact({ flow, node_name: flow.node_name, time: flow.time });
  return text.slice(text.indexOf(': ') + 2).replace(/ \(ID:\d+\)/g, '');
}

const lines = (event: PacketEvent, nodeName?: string) => expander(nodeName)(event).map(line);

const ASKED = 'DNS Query google.com. A';
const ANSWERED = 'DNS Answer "142.250.196.110" TTL: 30 (Query google.com. A)';

const CASES: readonly { name: string; event: PacketEvent; node?: string; lines: readonly string[] }[] = [
  {
    name: 'a query that goes its ordinary way is told at the client',
    event: packet(),
    lines: [
      'default/netshoot:41022 -> kube-system/kube-dns:53 (unknown) from-endpoint FORWARDED (UDP)',
      `default/netshoot:41022 -> kube-system/kube-dns:53 (unknown) dns-request tc FORWARDED (${ASKED})`,
    ],
  },
  {
    name: 'its arrival at coredns is no second request',
    event: packet({ hook: 'to-endpoint', destination: COREDNS }),
    node: 'k8s-ctr',
    lines: ['default/netshoot:41022 -> kube-system/coredns-a:53 to-endpoint FORWARDED (UDP)'],
  },
  {
    name: 'nor is the answer when it leaves coredns',
    event: packet({ source: COREDNS, destination: CLIENT, payload: ANSWER }),
    node: 'k8s-ctr',
    lines: ['default/netshoot:41022 <- kube-system/coredns-a:53 from-endpoint FORWARDED (UDP)'],
  },
  {
    name: 'the answer is told where the client gets it',
    event: packet({ hook: 'to-endpoint', source: VIP, destination: CLIENT, payload: ANSWER }),
    lines: [
      'default/netshoot:41022 <- kube-system/kube-dns:53 (unknown) to-endpoint FORWARDED (UDP)',
      `default/netshoot:41022 <- kube-system/kube-dns:53 (unknown) dns-response tc FORWARDED (${ANSWERED})`,
    ],
  },
  {
    name: 'a redirected query',
    event: packet({ verdict: 'redirected', translated: CACHE, deliveredIfindex: 9 }),
    lines: [
      'default/netshoot:41022 -> kube-system/kube-dns:53 (unknown) from-endpoint FORWARDED (UDP)',
      'default/netshoot:41022 <> kube-system/kube-dns:53 (unknown) pre-xlate-fwd TRACED (UDP)',
      'default/netshoot:41022 <> kube-system/node-local-dns-w1:53 post-xlate-fwd TRANSLATED (UDP)',
      'default/netshoot:41022 -> kube-system/node-local-dns-w1:53 to-endpoint FORWARDED (UDP)',
      `default/netshoot:41022 -> kube-system/node-local-dns-w1:53 dns-request tc FORWARDED (${ASKED})`,
    ],
  },
  {
    name: 'its answer, restored',
    event: packet({
      ...{ verdict: 'restored', translated: VIP, deliveredIfindex: 7, ifindex: 9 },
      ...{ source: CACHE, destination: CLIENT, payload: ANSWER },
    }),
    lines: [
      'default/netshoot:41022 <- kube-system/node-local-dns-w1:53 from-endpoint FORWARDED (UDP)',
      'kube-system/kube-dns:53 (unknown) <> default/netshoot:41022 post-xlate-rev TRANSLATED (UDP)',
      'default/netshoot:41022 <- kube-system/kube-dns:53 (unknown) to-endpoint FORWARDED (UDP)',
      `default/netshoot:41022 <- kube-system/node-local-dns-w1:53 dns-response tc FORWARDED (${ANSWERED})`,
    ],
  },
  {
    name: 'a query that fell back says why',
    event: packet({ verdict: 'fell-back', reason: 'no-socket' }),
    lines: [
      'default/netshoot:41022 -> kube-system/kube-dns:53 (unknown) from-endpoint FORWARDED (UDP)',
      'default/netshoot:41022 <> kube-system/kube-dns:53 (unknown) pre-xlate-fwd TRACED (UDP fell back: no-socket, no socket is bound at any backend)',
      `default/netshoot:41022 -> kube-system/kube-dns:53 (unknown) dns-request tc FORWARDED (${ASKED})`,
    ],
  },
  {
    name: 'a query of a host is told at the server',
    event: packet({ hook: 'to-endpoint', source: peer('192.168.10.101', 5000), destination: COREDNS }),
    node: 'k8s-ctr',
    lines: [
      '192.168.10.101:5000 (remote-node) -> kube-system/coredns-a:53 to-endpoint FORWARDED (UDP)',
      `192.168.10.101:5000 (remote-node) -> kube-system/coredns-a:53 dns-request tc FORWARDED (${ASKED})`,
    ],
  },
  {
    name: 'a bare TCP segment is told by its flags, its direction by its port',
    event: packet({
      protocol: 'TCP',
      tcpFlags: 0x12,
      source: VIP,
      destination: CLIENT,
      hook: 'to-endpoint',
      payload: new Uint8Array(),
    }),
    lines: [
      'default/netshoot:41022 <- kube-system/kube-dns:53 (unknown) to-endpoint FORWARDED (TCP Flags: SYN, ACK)',
    ],
  },
  {
    name: 'bytes that are no DNS are a packet all the same',
    event: packet({ payload: Uint8Array.of(1, 2, 3) }),
    lines: ['default/netshoot:41022 -> kube-system/kube-dns:53 (unknown) from-endpoint FORWARDED (UDP)'],
  },
];

const RESPONSE_FLAGS = {
  response: true,
  authoritative: false,
  recursionDesired: true,
  recursionAvailable: true,
  zero: false,
  authenticData: false,
  checkingDisabled: false,
};
const alias = cnameRecord(name('google.com.'), 300, name('www.google.com.'));
const SUMMARIES: readonly { name: string; payload: Uint8Array; payloadLength?: number; summary: string }[] = [
  {
    name: 'a name that does not exist',
    payload: dnsMessage({ response: true, rcode: 3 }),
    summary: 'DNS Answer RCode: Non-Existent Domain TTL: 4294967295 (Query google.com. A)',
  },
  {
    name: 'a failure, whose text ends with a blank',
    payload: dnsMessage({ response: true, rcode: 2 }),
    summary: 'DNS Answer RCode: Server Failure  TTL: 4294967295 (Query google.com. A)',
  },
  {
    name: 'no address',
    payload: dnsMessage({ response: true }),
    summary: 'DNS Answer  TTL: 4294967295 (Query google.com. A)',
  },
  {
    name: 'an alias and two addresses, with the lowest TTL',
    payload: dnsMessage({
      response: true,
      answers: [alias, answerRecord('192.0.2.1'), answerRecord('192.0.2.2', 7)],
    }),
    summary: 'DNS Answer "192.0.2.1,192.0.2.2" CNAMEs: "www.google.com." TTL: 7 (Query google.com. A)',
  },
  {
    name: 'an answer that did not fit',
    payload: dnsMessage({
      flags: { ...RESPONSE_FLAGS, truncated: true },
      edns: { udpSize: 1232, version: 0, dnssecOk: false, options: [] },
    }),
    summary: 'DNS Answer truncated with EDNS (Query google.com. A)',
  },
  {
    name: 'an answer that did not fit into 512 bytes',
    payload: dnsMessage({ flags: { ...RESPONSE_FLAGS, truncated: true } }),
    summary: 'DNS Answer truncated without EDNS (Query google.com. A)',
  },
  {
    name: 'a type Hubble has no name for',
    payload: dnsMessage({
      response: true,
      questions: [{ name: name('google.com.'), type: TYPE.CAA, class: 1 }],
    }),
    summary: 'DNS Answer  TTL: 4294967295 (Query google.com. Unknown)',
  },
  {
    name: 'more than the kernel copied',
    payload: ANSWER.subarray(0, 32),
    payloadLength: ANSWER.length,
    summary: 'DNS Answer not captured whole (Query google.com. A)',
  },
];

describe('createExpander', () => {
  it.each(CASES)('$name', ({ event, node, lines: expected }) => {
    expect(lines(event, node)).toEqual(expected);
  });

  it.each(SUMMARIES)('sums up $name', ({ payload, payloadLength = payload.length, summary }) => {
    const event = packet({ hook: 'to-endpoint', source: VIP, destination: CLIENT, payload, payloadLength });
    expect(expander()(event).at(-1)?.Summary).toBe(summary);
  });

  it('tells every message of a TCP segment, and none that begins in the middle', () => {
    const framed = Uint8Array.of(0, QUERY.length, ...QUERY, 0, QUERY.length, ...QUERY);
    const tcp = { protocol: 'TCP', tcpFlags: 0x18 } as const;
    expect(
      lines(packet({ ...tcp, payload: framed })).filter((each) => each.includes('dns-request')),
    ).toHaveLength(2);
    expect(lines(packet({ ...tcp, payload: framed.subarray(5) })).join()).not.toContain('dns-request');
  });

  it('tells a packet that goes through the stack once at each place, and that it arrived when it did', () => {
    const node = new TestNode('k8s-w1', { delivery: 'stack' });
    const told = (event: PacketEvent) => node.see(event).map(line);
    const cache = 'default/netshoot:41022 -> kube-system/node-local-dns-w1:53';
    const back = 'default/netshoot:41022 <- kube-system/node-local-dns-w1:53';
    const [, , , sent] = told(packet({ verdict: 'redirected', translated: CACHE, deliveredIfindex: 9 }));
    expect(sent).toBe(`${cache} to-stack FORWARDED (UDP)`);
    const arrival = { hook: 'to-endpoint', destination: CACHE, ifindex: 9 } as const;
    expect(told(packet(arrival))).toEqual([`${cache} to-endpoint FORWARDED (UDP)`]);
    const reply = { source: CACHE, destination: CLIENT, payload: ANSWER } as const;
    expect(told(packet({ ...reply, ifindex: 9 }))).toEqual([`${back} from-endpoint FORWARDED (UDP)`]);
    const restored = {
      verdict: 'restored',
      translated: VIP,
      deliveredIfindex: 7,
      hook: 'to-endpoint',
    } as const;
    expect(told(packet({ ...reply, ...restored }))).toEqual([
      `${back} from-stack FORWARDED (UDP)`,
      'kube-system/kube-dns:53 (unknown) <> default/netshoot:41022 post-xlate-rev TRANSLATED (UDP)',
      'default/netshoot:41022 <- kube-system/kube-dns:53 (unknown) to-endpoint FORWARDED (UDP)',
      `${back} dns-response tc FORWARDED (${ANSWERED})`,
    ]);
  });

  it('measures from the query to its answer, once', () => {
    const expand = expander();
    expand(packet());
    const answer = { hook: 'to-endpoint', source: VIP, destination: CLIENT, payload: ANSWER } as const;
    const latencies = [4_000_000n, 9_000_000n].map(
      (timeNs) => expand(packet({ ...answer, timeNs })).at(-1)?.l7?.latency_ns,
    );
    expect(latencies).toEqual(['3000000', undefined]);
  });

  it('measures from the first query when its client asks again with the same id, as stub resolvers do', () => {
    const expand = expander();
    expand(packet());
    expand(packet({ timeNs: 5_001_000_000n }));
    const answer = { hook: 'to-endpoint', source: VIP, destination: CLIENT, payload: ANSWER } as const;
    const [, response] = expand(packet({ ...answer, timeNs: 5_004_000_000n }));
    expect(response?.l7?.latency_ns).toBe('5003000000');
  });

  it('gives one trace id to a query and its answer on every node', () => {
    const events = CASES.slice(0, 6);
    const ids = events.flatMap(({ event, node }) => expander(node)(event).map((flow) => flow.trace_context));
    expect(new Set(ids.map((id) => id?.parent.trace_id))).toEqual(new Set(['172.20.1.5:41022/49886']));
  });

  it('fills what the API promises', () => {
    const [flow] = expander()(packet());
    expect(flow).toMatchObject({
      time: '2026-03-03T10:00:00.001Z',
      IP: { source: '172.20.1.5', destination: '10.96.0.10', ipVersion: 'IPv4' },
      Type: 'L3_L4',
      traffic_direction: 'EGRESS',
      trace_observation_point: 'FROM_ENDPOINT',
      interface: { index: 7, name: 'veth7' },
      destination: {},
      destination_service: { name: 'kube-dns', namespace: 'kube-system' },
      emitter: { name: 'zerohop' },
    });
    expect(flow?.source.identity).toBeGreaterThanOrEqual(256);
  });

  it('tells of packets that were lost, in their place', () => {
    const node = new TestNode();
    node.see(packet());
    node.lose(5);
    node.see(packet());
    const [told] = node.responsesAt(1);
    expect(told?.lost_events).toEqual({ source: 'PERF_EVENT_RING_BUFFER', num_events_lost: '5' });
    expect(told?.time).toBe(node.responsesAt(0)[0]?.time);
    expect(node.responsesAt(2)).toHaveLength(2);
  });

  it('tells of a loss at the time of the next packet when the one before is gone', () => {
    const node = new TestNode('k8s-w1', { capacity: 3 });
    node.see(packet());
    node.lose(5);
    node.see(packet());
    node.nowNs = 60_000_000_000n;
    expect(node.responsesAt(0)).toEqual([]);
    const [told] = node.responsesAt(1);
    expect(told?.lost_events?.num_events_lost).toBe('5');
    expect(told?.time).toBe(node.responsesAt(2)[0]?.time);
  });

  it('tells the pods of the moment at which the packet passed, whenever it is read', () => {
    const node = new TestNode();
    const redirected = packet({ verdict: 'redirected', translated: CACHE, deliveredIfindex: 9 });
    node.see(redirected);
    node.nowNs = 2_000_000_000n;
    node.cluster.set({ ...SAMPLE_CLUSTER, generation: 2, pods: new Map() });
    const later = node.see({ ...redirected, timeNs: 3_000_000_000n });
    const flows = node.responsesAt(0).flatMap(({ flow }) => flow ?? []);
    expect(flows.map((flow) => flow.source.pod_name)).toEqual(flows.map(() => 'netshoot'));
    expect(flows.at(-1)?.destination.pod_name).toBe('node-local-dns-w1');
    expect(later.map((flow) => flow.source.pod_name)).not.toContain('netshoot');
  });

  it('tells a packet that the kernel dropped as that alone, with the nearest of Hubble and the kernel in words', () => {
    const node = new TestNode();
    const [drop, ...more] = node.see(packet({ verdict: 'dropped', drop: { reason: 12, place: 'node' } }));
    expect(more).toEqual([]);
    expect(drop).toMatchObject({
      verdict: 'DROPPED',
      Type: 'L3_L4',
      event_type: { type: 1, sub_type: 133 },
      drop_reason_desc: 'POLICY_DENIED',
      traffic_direction: 'EGRESS',
      is_reply: false,
      source: { pod_name: 'netshoot' },
      interface: { index: 7, name: 'veth7' },
      Summary:
        'UDP dropped on the node: NETFILTER_DROP, by a rule of netfilter, or by conntrack; DNS Query google.com. A',
    });
    expect(drop).not.toHaveProperty('l7');
    expect(drop?.trace_context).toEqual(node.see(packet())[0]?.trace_context);
  });

  it('says that a drop for which Hubble has no word is of unknown reason, and gives the kernel its own', () => {
    const fields = { verdict: 'dropped', drop: { reason: 6, place: 'pod' }, hook: 'to-endpoint' } as const;
    const [drop] = new TestNode().see(packet({ ...fields, payload: new Uint8Array([1]) }));
    expect(drop).toMatchObject({
      event_type: { type: 1, sub_type: 6 },
      drop_reason_desc: 'DROP_REASON_UNKNOWN',
      traffic_direction: 'INGRESS',
      Summary: 'UDP dropped in the pod: SOCKET_RCVBUFF, the receive buffer of the socket is full',
    });
    // 3 and 0x30001 are numbers of the kernel's, which Cilium has other words for, or none.
    const [subsystem] = new TestNode().see(packet({ ...fields, drop: { reason: 0x30001, place: 'node' } }));
    expect(subsystem?.event_type).toEqual({ type: 1 });
  });

  it('gives each flow a uuid of its own that stays, as RFC 9562 writes them', () => {
    const node = new TestNode();
    const seen = [node.see(packet()), node.see(packet())].flat().map(({ uuid }) => uuid);
    expect(new Set(seen).size).toBe(seen.length);
    for (const uuid of seen)
      expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    node.nowNs = 10_000_000_000n;
    expect([0, 1].flatMap((n) => node.responsesAt(n).map(({ flow }) => flow?.uuid))).toEqual(seen);
  });

  it('never throws and tells at most a bounded number of messages, whatever a pod sends', () => {
    const expand = expander();
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 512 }),
        fc.constantFrom('UDP', 'TCP'),
        fc.nat({ max: 70000 }),
        (payload, protocol, extra) => {
          const flows = expand(packet({ payload, protocol, payloadLength: payload.length + extra }));
          expect(flows.length).toBeLessThan(64);
        },
      ),
    );
  });
});
