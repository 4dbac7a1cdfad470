import { describe, expect, it } from 'vitest';
import type { PacketEvent } from '../datapath/datapath.ts';
import { flowFamilies } from './flow-metrics.ts';
import {
  ANSWER,
  answerRecord,
  CACHE,
  CLIENT,
  dnsMessage,
  name,
  packet,
  peer,
  VIP,
} from './testing/sample-packet.ts';
import { TestNode } from './testing/test-node.ts';

const redirected = packet({ verdict: 'redirected', translated: CACHE, deliveredIfindex: 9 });
const answered = (payload: Uint8Array, atMs: number) =>
  packet({
    ...{ verdict: 'restored', translated: VIP, deliveredIfindex: 7, ifindex: 9 },
    ...{ source: CACHE, destination: CLIENT, payload, timeNs: 1_000_000n + BigInt(atMs * 1e6) },
  });
const fellBack = packet({ verdict: 'fell-back', reason: 'no-socket' });

const kernelAnswered = packet({ verdict: 'answered', payload: ANSWER, tookNs: 2100 });

/** Each sample as `{labels} value`. */
function scrape(events: readonly PacketEvent[], family: string, lost = 0): readonly string[] {
  const node = new TestNode();
  for (const event of events) node.see(event);
  const { counters, clients, dropReason } = node.recorder;
  const podOf = () => ({ namespace: 'default', pod: 'netshoot' });
  const found = flowFamilies({ counters, clients, lost, podOf, dropReason, throughStack: false }).find(
    ({ name: each }) => each === family,
  );
  return (found?.samples ?? []).map(
    ({ suffix, labels, value }) =>
      `${suffix}{${Object.entries(labels)
        .map((pair) => pair.join('='))
        .join(',')}} ${value}`,
  );
}

describe('flowFamilies', () => {
  it('counts queries and answers with the labels of Hubble', () => {
    const events = [
      redirected,
      answered(ANSWER, 1),
      redirected,
      answered(dnsMessage({ response: true, rcode: 3 }), 2),
    ];
    expect(scrape(events, 'hubble_dns_queries_total')).toEqual(['{rcode=,qtypes=A,ips_returned=0} 2']);
    expect(scrape(events, 'hubble_dns_responses_total')).toEqual([
      '{rcode=No Error,qtypes=A,ips_returned=1} 1',
      '{rcode=Non-Existent Domain,qtypes=A,ips_returned=0} 1',
    ]);
    expect(scrape(events, 'hubble_dns_response_types_total')).toEqual(['{type=A,qtypes=A} 1']);
  });

  it('counts every flow there is, by what Hubble would call it', () => {
    const events = [redirected, answered(ANSWER, 1), fellBack, packet({ hook: 'to-endpoint' })];
    expect(scrape(events, 'hubble_flows_processed_total').toSorted()).toEqual([
      '{protocol=DNS,type=L7,subtype=DNS,verdict=FORWARDED} 3',
      '{protocol=UDP,type=Trace,subtype=from-endpoint,verdict=FORWARDED} 3',
      '{protocol=UDP,type=Trace,subtype=to-endpoint,verdict=FORWARDED} 3',
      '{protocol=Unknown flow,type=Unknown,subtype=7,verdict=TRACED} 2',
      '{protocol=Unknown flow,type=Unknown,subtype=7,verdict=TRANSLATED} 2',
    ]);
  });

  it('counts what the kernel answered as a query and its answer, and as the packets of both', () => {
    const events = [kernelAnswered, kernelAnswered];
    expect(scrape(events, 'hubble_flows_processed_total').toSorted()).toEqual([
      '{protocol=DNS,type=L7,subtype=DNS,verdict=FORWARDED} 4',
      '{protocol=UDP,type=Trace,subtype=from-endpoint,verdict=FORWARDED} 2',
      '{protocol=UDP,type=Trace,subtype=to-endpoint,verdict=FORWARDED} 2',
      '{protocol=Unknown flow,type=Unknown,subtype=7,verdict=TRACED} 2',
    ]);
    expect(scrape(events, 'hubble_dns_queries_total')).toEqual(['{rcode=,qtypes=A,ips_returned=0} 2']);
    expect(scrape(events, 'hubble_dns_responses_total')).toEqual([
      '{rcode=No Error,qtypes=A,ips_returned=1} 2',
    ]);
    expect(scrape(events, 'hubble_dns_response_types_total')).toEqual(['{type=A,qtypes=A} 2']);
    expect(scrape(events, 'hubble_port_distribution_total')).toEqual(['{protocol=UDP,port=53} 4']);
    const latency = scrape(events, 'zerohop_dns_client_latency_seconds');
    expect(latency).toContain('_bucket{le=0.000001} 0');
    expect(latency).toContain('_bucket{le=0.0000025} 2');
    const client = '{namespace=default,pod=netshoot,address=172.20.1.5}';
    expect(scrape(events, 'zerohop_client_dns_queries_total')).toEqual([`${client} 2`]);
    expect(scrape(events, 'zerohop_client_dns_answers_total')).toEqual([`${client} 2`]);
  });

  it('counts packets that go through the stack by the points at which they are told', () => {
    const node = new TestNode('k8s-w1', { delivery: 'stack' });
    node.see(redirected);
    node.see({ ...answered(ANSWER, 1), hook: 'to-endpoint' });
    const { counters, clients, throughStack } = node.recorder;
    const podOf = () => ({ namespace: '', pod: '' });
    const families = flowFamilies({ counters, clients, throughStack, podOf, dropReason: String, lost: 0 });
    const { samples = [] } = families.find(({ name: each }) => each === 'hubble_flows_processed_total') ?? {};
    const points = samples
      .filter(({ labels }) => labels.type === 'Trace')
      .map(({ labels }) => labels.subtype);
    expect(points.toSorted()).toEqual(['from-endpoint', 'from-stack', 'to-endpoint', 'to-stack']);
  });

  it('has few series, whatever types pods ask for', () => {
    const events = Array.from({ length: 3000 }, (_, type) =>
      packet({
        payload: dnsMessage({ questions: [{ name: name('a.example.'), type: type + 300, class: 1 }] }),
      }),
    );
    expect(scrape(events, 'hubble_dns_queries_total')).toEqual([
      '{rcode=,qtypes=Unknown,ips_returned=0} 3000',
    ]);
  });

  it('counts what the kernel dropped, by its own word and by the nearest of Hubble', () => {
    const drop = (reason: number) => packet({ verdict: 'dropped', drop: { reason, place: 'node' } });
    const events = [drop(12), drop(6), drop(6), packet()];
    expect(scrape(events, 'hubble_drop_total')).toEqual([
      '{reason=POLICY_DENIED,protocol=UDP} 1',
      '{reason=DROP_REASON_UNKNOWN,protocol=UDP} 2',
    ]);
    expect(scrape(events, 'zerohop_kernel_drops_total')).toEqual([
      '{reason=NETFILTER_DROP,protocol=UDP} 1',
      '{reason=SOCKET_RCVBUFF,protocol=UDP} 2',
    ]);
    expect(scrape(events, 'hubble_flows_processed_total')).toContain(
      '{protocol=UDP,type=Drop,subtype=,verdict=DROPPED} 3',
    );
    // A dropped query is no second query.
    expect(scrape(events, 'hubble_dns_queries_total')).toEqual(['{rcode=,qtypes=A,ips_returned=0} 1']);
  });

  it('has few series, whatever answers pods make up', () => {
    const types = [1, 2, 5, 6, 12, 15, 16, 28, 33, 64, 65];
    const events = types.flatMap((type) =>
      Array.from({ length: 16 * 12 }, (_, i) => {
        const answers = Array.from({ length: i >> 4 }, () => answerRecord('192.0.2.1'));
        const questions = [{ name: name('a.example.'), type, class: 1 }];
        return answered(dnsMessage({ response: true, rcode: i & 15, questions, answers }), 1);
      }),
    );
    const samples = scrape(events, 'hubble_dns_responses_total');
    expect(samples.length).toBeLessThan(1100);
    const counted = samples.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
    expect(counted).toBe(events.length);
  });

  it('counts where packets go and how connections begin and end', () => {
    const syn = { protocol: 'TCP', payload: new Uint8Array(), tcpFlags: 2 } as const;
    const events = [
      redirected,
      answered(ANSWER, 1),
      packet({ ...syn, verdict: 'redirected', translated: CACHE, deliveredIfindex: 9 }),
      packet({ ...syn, tcpFlags: 0x14, source: VIP, destination: CLIENT, hook: 'to-endpoint' }),
    ];
    expect(scrape(events, 'hubble_port_distribution_total')).toEqual([
      '{protocol=UDP,port=53} 3',
      '{protocol=TCP,port=53} 2',
    ]);
    expect(scrape(events, 'hubble_tcp_flags_total')).toEqual([
      '{flag=SYN,family=IPv4} 2',
      '{flag=RST,family=IPv4} 1',
    ]);
  });

  it('tells how long clients waited', () => {
    const samples = scrape([redirected, answered(ANSWER, 3)], 'zerohop_dns_client_latency_seconds');
    expect(samples).toContain('_bucket{le=0.0025} 0');
    expect(samples).toContain('_bucket{le=0.005} 1');
    expect(samples.slice(-3)).toEqual(['_bucket{le=+Inf} 1', '_sum{} 0.003', '_count{} 1']);
  });

  it('has series for a hundred clients, however many ask, and says of whom it counts too much', () => {
    const of = (i: number) => packet({ source: peer(`10.1.${i >> 8}.${i & 255}`, 41022) });
    const few = Array.from({ length: 40 }, (_, i) => of(i));
    expect(scrape(few, 'zerohop_client_dns_queries_total')).toHaveLength(40);
    expect(scrape(few, 'zerohop_client_dns_queries_overcount')).toEqual([]);
    const many = Array.from({ length: 600 }, (_, i) => of(i));
    const counts = scrape(many, 'zerohop_client_dns_queries_total');
    expect(counts).toHaveLength(100);
    expect(counts[0]).toMatch(/ 2$/);
    expect(scrape(many, 'zerohop_client_dns_queries_overcount')).toContainEqual(
      expect.stringMatching(/^\{namespace=default,pod=netshoot,address=10\.1\..*\} 1$/),
    );
  });

  it('tells who asks, and what was lost', () => {
    const client = '{namespace=default,pod=netshoot,address=172.20.1.5}';
    expect(scrape([redirected, fellBack], 'zerohop_client_dns_queries_total')).toEqual([`${client} 2`]);
    expect(scrape([], 'hubble_lost_events_total', 7)).toEqual(['{source=perf_event_ring_buffer} 7']);
  });
});
