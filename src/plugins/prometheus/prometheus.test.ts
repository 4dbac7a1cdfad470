import { describe, expect, it } from 'vitest';
import { ROOT } from '../../dns/name.ts';
import { replyTo } from '../../dns/reply.ts';
import type { HttpAnswer } from '../contract.ts';
import { fakeHost, setUp } from '../fake-host.ts';
import { ask, record } from '../fake-query.ts';
import { setup } from './setup.ts';

function start(lines = 'prometheus', chain: readonly string[] = []) {
  const pages = new Map<string, HttpAnswer>();
  const fake = fakeHost({ neighbours: { chain } });
  const host = {
    ...fake,
    http: (address: string, path: string, answer: HttpAnswer) => void pages.set(address + path, answer),
  };
  return { fake, pages, plugin: setUp(setup, lines, { host }).plugin };
}

describe('prometheus', () => {
  it('adds what packet threads answered to the same counters as what went through the chain', async () => {
    const fake = fakeHost({ neighbours: { chain: ['prometheus', 'errors', 'cache'] } });
    const host = { ...fake, http: () => undefined };
    const { plugin, replay } = setUp(setup, 'prometheus', { host });
    const query = ask('a.test.', 'A', { dnssecOk: true });
    await plugin?.(({ message }) => ({
      rcode: 0,
      message: replyTo(message, { answers: [record('a.test. 30 A 192.0.2.1')] }),
    }))(query);
    expect(replay?.does).toBe('count');
    if (replay?.does === 'count') {
      replay.add('dns://:53', ROOT, {
        transport: 'udp',
        requests: [
          { family: '1', type: 1, count: 3 },
          { family: '2', type: 0, count: 1 },
        ],
        rcodes: [
          { rcode: 0, count: 3 },
          { rcode: 3, count: 1 },
        ],
        doRequests: 2,
        requestSizes: [{ upTo: 100, count: 4 }],
        requestBytes: 140,
        responseSizes: [
          { upTo: 100, count: 3 },
          { upTo: 200, count: 1 },
        ],
        responseBytes: 300,
        durations: [{ upToSeconds: 0.00025, count: 4 }],
        durationSeconds: 0.0001,
        successHits: 3,
        denialHits: 1,
      });
    }
    const zone = 'server="dns://:53",view="",zone="."';
    const requests = (family: string, type: string) =>
      `coredns_dns_requests_total{family="${family}",proto="udp",server="dns://:53",type="${type}",view="",zone="."}`;
    const expected: [string, number][] = [
      [requests('1', 'A'), 4],
      [requests('2', 'other'), 1],
      [`coredns_dns_responses_total{plugin="errors",rcode="NOERROR",${zone}}`, 4],
      [`coredns_dns_responses_total{plugin="errors",rcode="NXDOMAIN",${zone}}`, 1],
      [`coredns_dns_do_requests_total{${zone}}`, 3],
      [`coredns_dns_request_size_bytes_count{proto="udp",${zone}}`, 5],
      [`coredns_dns_request_size_bytes_sum{proto="udp",${zone}}`, 175],
      [`coredns_dns_response_size_bytes_bucket{le="100",proto="udp",${zone}}`, 4],
      [`coredns_dns_response_size_bytes_bucket{le="200",proto="udp",${zone}}`, 5],
      [`coredns_dns_request_duration_seconds_count{${zone}}`, 5],
    ];
    for (const [line, value] of expected) expect([line, await fake.metric(line)]).toEqual([line, value]);
  });

  it('counts requests, responses, sizes and time under CoreDNS names', async () => {
    const { fake, plugin } = start();
    const answer = plugin?.((query) => {
      fake.clock.pass(3);
      const message = replyTo(query.message, { answers: [record('a.test. 30 A 192.0.2.1')] });
      return { rcode: 0, message };
    });
    await answer?.(ask('a.test.', 'A', { dnssecOk: true }));
    const base = 'server="dns://:53",view="",zone="."';
    expect(
      await fake.metric(
        `coredns_dns_requests_total{family="1",proto="udp",server="dns://:53",type="A",view="",zone="."}`,
      ),
    ).toBe(1);
    expect(await fake.metric(`coredns_dns_do_requests_total{${base}}`)).toBe(1);
    expect(await fake.metric(`coredns_dns_responses_total{plugin="",rcode="NOERROR",${base}}`)).toBe(1);
    expect(await fake.metric(`coredns_dns_request_duration_seconds_sum{${base}}`)).toBe(0.003);
    expect(await fake.metric(`coredns_dns_request_duration_seconds_bucket{le="0.004",${base}}`)).toBe(1);
    expect(await fake.metric(`coredns_dns_request_duration_seconds_bucket{le="0.002",${base}}`)).toBe(0);
    // header 12, question 12, answer 8 + 10 + 4; the query has an OPT record of 11 instead of the answer
    expect(await fake.metric(`coredns_dns_response_size_bytes_sum{proto="udp",${base}}`)).toBe(46);
    expect(await fake.metric(`coredns_dns_request_size_bytes_sum{proto="udp",${base}}`)).toBe(35);
  });

  it('names the plugin behind it as the one that answered, and nobody when the server makes the reply', async () => {
    const { fake, plugin } = start('prometheus', ['prometheus', 'errors', 'whoami']);
    const base = 'server="dns://:53",view="inside",zone="."';
    const query = { ...ask('a.test.'), view: 'inside' };
    await plugin?.(() => ({ rcode: 0, message: replyTo(query.message) }))(query);
    await plugin?.(() => ({ rcode: 2 }))(query);
    expect(await fake.metric(`coredns_dns_responses_total{plugin="errors",rcode="NOERROR",${base}}`)).toBe(1);
    expect(await fake.metric(`coredns_dns_responses_total{plugin="",rcode="SERVFAIL",${base}}`)).toBe(1);
  });

  it('keeps odd types and IPv6 apart without new series', async () => {
    const { fake, plugin } = start();
    await plugin?.(() => Promise.resolve({ rcode: 2 }))(ask('a.test.', 'TYPE65280', { client: '::1' }));
    expect(
      await fake.metric(
        `coredns_dns_requests_total{family="2",proto="udp",server="dns://:53",type="other",view="",zone="."}`,
      ),
    ).toBe(1);
    expect(
      await fake.metric(
        `coredns_dns_responses_total{plugin="",rcode="SERVFAIL",server="dns://:53",view="",zone="."}`,
      ),
    ).toBe(1);
  });

  it('serves the text in the exposition format', async () => {
    const { pages } = start('prometheus :9153');
    const page = await pages.get(':9153/metrics')?.();
    expect(page).toMatchObject({ status: 200, contentType: 'text/plain; version=0.0.4; charset=utf-8' });
  });

  const refused: [lines: string, text: string][] = [
    ['prometheus localhost', 'missing port in address'],
    ['prometheus\nprometheus', 'this plugin can only be used once per Server Block'],
    ['prometheus {\nnosuch\n}', 'unknown option: nosuch'],
    ['prometheus {\ntls x\n}', 'not supported'],
  ];
  it.each(refused)('refuses %s', (lines, text) => {
    expect(() => start(lines)).toThrow(text);
  });
});
