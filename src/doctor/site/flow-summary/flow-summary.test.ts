/** Packets as the kernel tells them, through the recorder of a node, to the numbers that checks read. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PacketEvent } from '../../../datapath/datapath.ts';
import { TYPE } from '../../../dns/codes.ts';
import type { Message } from '../../../dns/message.ts';
import type { GetFlowsResponse } from '../../../flow/api.ts';
import {
  ANSWER,
  CACHE,
  CLIENT,
  COREDNS,
  dnsMessage,
  name,
  packet,
  peer,
  VIP,
} from '../../../flow/testing/sample-packet.ts';
import { TestNode } from '../../../flow/testing/test-node.ts';
import type { FlowSummary } from '../agent-facts.ts';
import { createFlowSummaries, type FlowSummaryOptions } from './flow-summary.ts';
import { searchList } from './search-misses.ts';

/** The test node's epoch. */
const START_MS = 1_772_532_000_000;

const OPTIONS: FlowSummaryOptions = {
  sinceMs: START_MS,
  untilMs: START_MS + 120_000,
  nowMs: START_MS + 60_000,
  servers: new Set(['kube-system/node-local-dns-w1', 'kube-system/coredns-a']),
  searchOf: (pod) => searchList(pod.split('/')[0] ?? '', 'cluster.local', []),
};

interface Sent extends Partial<PacketEvent> {
  readonly atMs: number;
  readonly name?: string;
  readonly type?: number;
  readonly id?: number;
  readonly answer?: boolean;
  readonly message?: Partial<Message>;
}

/** A query of netshoot to the service, or its answer; what is said of it changes it. */
function sent({
  atMs,
  name: text = 'google.com.',
  type = TYPE.A,
  id = 7,
  answer = false,
  message,
  ...over
}: Sent): PacketEvent {
  const questions = [{ name: name(text), type, class: 1 }];
  const payload = dnsMessage({ id, questions, response: answer, ...message });
  const ends = answer
    ? ({ hook: 'to-endpoint', source: VIP, destination: CLIENT } as const)
    : ({ source: CLIENT, destination: VIP } as const);
  return packet({
    timeNs: BigInt(Math.round(atMs * 1e6)),
    ...ends,
    payload,
    payloadLength: payload.length,
    ...over,
  });
}

const answerTo = (question: Sent, message: Partial<Message> = {}): PacketEvent =>
  sent({ ...question, answer: true, message });

function responsesOf(events: readonly PacketEvent[], nodeName = 'k8s-w1'): readonly GetFlowsResponse[] {
  const node = new TestNode(nodeName);
  for (const event of events) node.see(event);
  return events.flatMap((_, at) => node.responsesAt(at));
}

function summaryOf(events: readonly PacketEvent[], options = OPTIONS): FlowSummary {
  const all = createFlowSummaries(options);
  for (const response of responsesOf(events)) all.add(response);
  return all.summaries().get('k8s-w1') ?? all.empty();
}

describe('createFlowSummaries', () => {
  it('counts a query once, however often its packet is told, and times its answer', () => {
    const redirected = { verdict: 'redirected', translated: CACHE, deliveredIfindex: 9 } as const;
    const restored = {
      verdict: 'restored',
      source: CACHE,
      translated: VIP,
      deliveredIfindex: 7,
      ifindex: 9,
    } as const;
    const summary = summaryOf([
      sent({ atMs: 1, ...redirected }),
      sent({ atMs: 4, answer: true, ...restored }),
    ]);
    expect(summary).toMatchObject({ queries: 1, retries: 0, lost: 0, unanswered: 0 });
    expect(summary.latencyMs?.p50).toBeCloseTo(3, 0);
    expect(summary.topNames).toEqual([{ name: 'google.com.', queries: 1 }]);
    expect(summary.topPods).toEqual([{ pod: 'default/netshoot', queries: 1, searchMisses: 0 }]);
  });

  it('counts what the kernel answered as a query and its answer, which nobody has yet to translate', () => {
    const kernel = { verdict: 'answered', source: CLIENT, destination: VIP, hook: 'from-endpoint' } as const;
    const answered = (over: Sent) => sent({ ...over, ...kernel, answer: true, tookNs: 2000 });
    const summary = summaryOf([
      answered({ atMs: 1, id: 1 }),
      answered({ atMs: 1.5, id: 2, type: TYPE.AAAA }),
      answered({ atMs: 900, id: 1 }),
    ]);
    expect(summary).toMatchObject({
      queries: 3,
      retries: 0,
      unanswered: 0,
      pairedQueries: 1,
      pairsToServices: 0,
    });
    expect(summary.latencyMs).toMatchObject({ count: 3 });
    expect(summary.latencyMs?.p99).toBeCloseTo(0.002, 3);
  });

  it('leaves out what a doctor asked, and what servers ask counts for their upstreams alone', () => {
    const upstream = { source: CACHE, destination: peer('169.254.169.253', 53) };
    const asked = Array.from({ length: 30 }, (_, id) => sent({ atMs: 10 + id, id, ...upstream }));
    const probe = sent({ atMs: 5, name: 'zerohop-probe-ab12-0.cluster.local.' });
    const later = sent({ atMs: 1500, id: 99, ...upstream });
    expect(summaryOf([probe, ...asked, later])).toMatchObject({
      queries: 0,
      topNames: [],
      upstreamPeaks: [{ address: '169.254.169.253', perSecond: 30 }],
    });
  });

  const nxdomain = { rcode: 3 };
  const chain = (names: readonly string[]): readonly PacketEvent[] =>
    names.flatMap((text, id) => {
      const question = { atMs: 10 * id, name: text, id };
      return [sent(question), answerTo({ ...question, atMs: 10 * id + 1 }, nxdomain)];
    });

  it.each([
    {
      name: 'an outside name with every end of the search list',
      names: [
        'www.google.com.default.svc.cluster.local.',
        'www.google.com.svc.cluster.local.',
        'www.google.com.cluster.local.',
        'www.google.com.',
      ],
      misses: 3,
    },
    {
      name: 'a service that does not exist, by its full name',
      names: ['redis.shop.svc.cluster.local.'],
      misses: 0,
    },
    {
      name: 'one of its own namespace, asked for once',
      names: ['redis.default.svc.cluster.local.'],
      misses: 0,
    },
    {
      name: 'one of its own namespace, when the list goes on',
      names: [
        'redis.default.svc.cluster.local.',
        'redis.svc.cluster.local.',
        'redis.cluster.local.',
        'redis.',
      ],
      misses: 3,
    },
    { name: 'an end that was tried out of order', names: ['a.b.cluster.local.'], misses: 0 },
  ])('search misses of $name: $misses', ({ names, misses }) => {
    const summary = summaryOf(chain(names));
    expect(summary.searchMisses).toBe(misses);
    expect(summary.topPods[0]?.searchMisses).toBe(misses);
    expect(summary.topSuffixes.reduce((sum, row) => sum + row.misses, 0)).toBe(misses);
  });

  it('follows A and AAAA of one name through the list each for itself', () => {
    const names = ['default.svc.', 'svc.', ''].map((end) => `www.google.com.${end}cluster.local.`);
    const pairs = names.flatMap((text, step) =>
      [TYPE.A, TYPE.AAAA].flatMap((type, at) => {
        const question = { atMs: 100 * step + 10 * at, name: text, id: 10 * step + at, type };
        return [sent(question), answerTo({ ...question, atMs: question.atMs + 5 }, nxdomain)];
      }),
    );
    expect(summaryOf(pairs).searchMisses).toBe(6);
  });

  it('knows a retry by message and port, and the client waited since the first', () => {
    const again = [0, 5000].map((atMs) => sent({ atMs }));
    const summary = summaryOf([...again, answerTo({ atMs: 5010 })]);
    expect(summary).toMatchObject({
      queries: 1,
      retries: 1,
      retryingPods: [{ pod: 'default/netshoot', retries: 1 }],
    });
    expect(summary.latencyMs?.p50).toBeGreaterThan(4500);
    // The same id for another name is another query, and a copy at once is no retry.
    expect(summaryOf([sent({ atMs: 0 }), sent({ atMs: 3000, name: 'other.' })]).retries).toBe(0);
    expect(summaryOf([sent({ atMs: 0 }), sent({ atMs: 0.5 })])).toMatchObject({ retries: 0, queries: 1 });
  });

  it('counts queries without an answer, unless packets were lost', () => {
    expect(summaryOf([sent({ atMs: 0 }), sent({ atMs: 59_000, id: 8 })]).unanswered).toBe(1);
    const all = createFlowSummaries(OPTIONS);
    for (const response of responsesOf([sent({ atMs: 0 })])) all.add(response);
    const time = '2026-03-03T10:00:01Z';
    all.add({
      lost_events: { source: 'PERF_EVENT_RING_BUFFER', num_events_lost: '5' },
      node_name: 'k8s-w1',
      time,
    });
    expect(all.summaries().get('k8s-w1')).toMatchObject({ lost: 5 });
    expect(all.summaries().get('k8s-w1')?.unanswered).toBeUndefined();
  });

  it('knows pairs from one port within a millisecond, and those that somebody has yet to translate', () => {
    const pair = (over: Partial<Sent>, gapMs: number) => [
      sent({ atMs: 1, id: 1, ...over }),
      sent({ atMs: 1 + gapMs, id: 2, type: TYPE.AAAA, ...over }),
    ];
    expect(summaryOf(pair({}, 0.2))).toMatchObject({ pairedQueries: 1, pairsToServices: 1, queries: 2 });
    const redirected = { verdict: 'redirected', translated: CACHE, deliveredIfindex: 9 } as const;
    expect(summaryOf(pair(redirected, 0.2))).toMatchObject({ pairedQueries: 1, pairsToServices: 0 });
    expect(summaryOf(pair({}, 4))).toMatchObject({ pairedQueries: 0 });
  });

  it('knows a message that went to two servers at once', () => {
    const second = sent({ atMs: 1.1, destination: peer('192.0.2.53', 53) });
    expect(summaryOf([sent({ atMs: 1 }), second])).toMatchObject({
      parallelQueries: 1,
      queries: 1,
      retries: 0,
    });
  });

  const truncated = { ...plainFlags(), response: true, truncated: true };

  it('counts truncated answers, and those that nobody asked by TCP for', () => {
    const question = { atMs: 1 };
    const cut = [sent(question), answerTo({ atMs: 2 }, { flags: truncated })];
    expect(summaryOf(cut)).toMatchObject({
      ...{
        truncated: 1,
        truncatedWithoutEdns: 1,
        truncatedAndDropped: 1,
        droppingPods: ['default/netshoot'],
      },
    });
    const tcp = dnsMessage({ id: 9 });
    const framed = Uint8Array.of(0, tcp.length, ...tcp);
    const byTcp = packet({
      timeNs: 3_000_000n,
      protocol: 'TCP',
      tcpFlags: 0x18,
      payload: framed,
      payloadLength: framed.length,
    });
    expect(summaryOf([...cut, byTcp])).toMatchObject({
      truncated: 1,
      truncatedAndDropped: 0,
      droppingPods: [],
    });
    expect(summaryOf(cut, { ...OPTIONS, nowMs: START_MS + 500 }).truncatedAndDropped).toBe(0);
  });

  it("joins what the client felt with the server's own time, seen on another node and told in any order", () => {
    const client = responsesOf([sent({ atMs: 1 }), answerTo({ atMs: 101 })]);
    const atServer = { hook: 'to-endpoint', destination: COREDNS } as const;
    const back = { hook: 'from-endpoint', source: COREDNS, destination: CLIENT, payload: ANSWER } as const;
    const server = responsesOf(
      [
        sent({ atMs: 40, ...atServer }),
        sent({ atMs: 42, answer: true, ...back, payload: dnsMessage({ id: 7, response: true }) }),
      ],
      'k8s-ctr',
    );
    for (const order of [
      [...client, ...server],
      [...server, ...client],
    ]) {
      const all = createFlowSummaries(OPTIONS);
      for (const response of order) all.add(response);
      const summary = all.summaries().get('k8s-w1');
      expect(summary?.comparedLatencyMs?.p99).toBeCloseTo(100, -1);
      expect(summary?.serverLatencyMs?.p99).toBeCloseTo(2, 0);
    }
  });

  it('stays small and goes on, whatever is asked for', () => {
    const all = createFlowSummaries(OPTIONS);
    const [flow] = responsesOf([sent({ atMs: 1 })])
      .flatMap((response) => response.flow ?? [])
      .slice(-1);
    if (flow === undefined) throw new Error('A query has a flow');
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), fc.string(), fc.nat(), (query, time, n) => {
        const trace_context = { parent: { trace_id: `192.0.2.1:${n}/${n}` } };
        const l7 = {
          type: n % 2 === 0 ? 'REQUEST' : 'RESPONSE',
          dns: { query, qtypes: ['A'], rcode: n % 16 },
        } as const;
        const own = { ...flow, time: n % 3 === 0 ? flow.time : time, trace_context, l7 };
        all.add({ flow: own, node_name: 'k8s-w1', time });
      }),
      { numRuns: 5000 },
    );
    const summary = all.summaries().get('k8s-w1');
    expect(summary?.topNames.length).toBeLessThanOrEqual(20);
    expect(summary?.queries).toBeGreaterThan(0);
  });
});

function plainFlags() {
  return {
    authoritative: false,
    recursionDesired: true,
    recursionAvailable: true,
    zero: false,
    authenticData: false,
    checkingDisabled: false,
  };
}
