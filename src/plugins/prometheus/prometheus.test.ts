import { describe, expect, it } from 'vitest';
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
