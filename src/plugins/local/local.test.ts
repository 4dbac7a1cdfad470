import { describe, expect, it } from 'vitest';
import { typeName } from '../../dns/codes.ts';
import type { ResourceRecord } from '../../dns/message.ts';
import { recordAddress } from '../../dns/rdata/address.ts';
import { readSoa } from '../../dns/rdata/soa.ts';
import { recordTarget } from '../../dns/rdata/target.ts';
import { fakeHost, setUp } from '../fake-host.ts';
import { ask } from '../fake-query.ts';
import { setup } from './setup.ts';

const NEXT = { rcode: 5 };

async function answer(qname: string, qtype: string, lines = 'local', host = fakeHost()) {
  const handler = setUp(setup, lines, { host }).plugin?.(() => NEXT);
  if (handler === undefined) throw new Error('no plugin');
  return await handler(ask(qname, qtype));
}

/** `owner TYPE data`; of SOA records the owner is enough. */
function print(record: ResourceRecord): string {
  const data = recordAddress(record) ?? recordTarget(record) ?? '';
  return `${record.name} ${typeName(record.type)} ${data}`.trim();
}

describe('local', () => {
  it.each([
    ['localhost.', 'A', 0, ['localhost. A 127.0.0.1'], []],
    ['localhost.', 'AAAA', 0, ['localhost. AAAA ::1'], []],
    ['LocalHost.', 'A', 0, ['LocalHost. A 127.0.0.1'], []],
    ['localhost.', 'NS', 0, ['localhost. NS localhost.'], []],
    ['localhost.', 'SOA', 0, ['localhost. SOA'], []],
    ['localhost.', 'MX', 0, [], ['localhost. SOA']],
    ['0.in-addr.arpa.', 'NS', 0, ['0.in-addr.arpa. NS localhost.'], []],
    ['127.in-addr.arpa.', 'SOA', 0, ['127.in-addr.arpa. SOA'], []],
    ['255.in-addr.arpa.', 'A', 0, [], ['255.in-addr.arpa. SOA']],
    ['127.in-addr.arpa.', 'AAAA', 0, [], ['127.in-addr.arpa. SOA']],
    ['1.0.0.127.in-addr.arpa.', 'PTR', 0, ['1.0.0.127.in-addr.arpa. PTR localhost.'], []],
    ['1.0.0.127.in-addr.arpa.', 'A', 0, [], ['127.in-addr.arpa. SOA']],
    ['2.0.0.127.in-addr.arpa.', 'PTR', 3, [], ['127.in-addr.arpa. SOA']],
    ['1.2.3.255.IN-ADDR.arpa.', 'PTR', 3, [], ['255.IN-ADDR.arpa. SOA']],
    ['0.0.0.0.in-addr.arpa.', 'PTR', 3, [], ['0.in-addr.arpa. SOA']],
    ['a.localhost.', 'A', 0, ['a.localhost. A 127.0.0.1'], []],
    ['a.b.localhost.', 'AAAA', 0, ['a.b.localhost. AAAA ::1'], []],
    ['a.localhost.', 'TXT', 0, [], ['a.localhost. SOA']],
    ['localhost.example.org.', 'A', 0, ['localhost.example.org. A 127.0.0.1'], []],
    ['localhost.example.org.', 'AAAA', 0, ['localhost.example.org. AAAA ::1'], []],
    ['localhost.example.org.', 'NS', 0, [], ['localhost.example.org. SOA']],
  ])('answers %s %s', async (qname, qtype, rcode, answers, authorities) => {
    const { message } = await answer(qname, qtype);
    expect(message?.rcode).toBe(rcode);
    expect(message?.answers.map(print)).toEqual(answers);
    expect(message?.authorities.map(print)).toEqual(authorities);
    expect(message?.flags.authoritative).toBe(false);
    for (const record of [...(message?.answers ?? []), ...(message?.authorities ?? [])]) {
      expect(record.ttlSeconds).toBe(604_800);
    }
  });

  it.each([
    ['example.org.', 'A'],
    ['.', 'NS'],
    ['mylocalhost.', 'A'],
    ['my-localhost.example.org.', 'A'],
    ['localhosts.example.org.', 'A'],
    ['a.localhost.example.org.', 'A'],
    ['1.0.0.10.in-addr.arpa.', 'PTR'],
    ['1127.in-addr.arpa.', 'PTR'],
    ['1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa.', 'PTR'],
  ])('passes %s %s on', async (qname, qtype) => {
    expect(await answer(qname, qtype)).toBe(NEXT);
  });

  it('gives the SOA record its fixed data', async () => {
    const { message } = await answer('localhost.', 'SOA');
    const [record] = message?.answers ?? [];
    expect(record && readSoa(record)).toEqual({
      mname: 'localhost.',
      rname: 'root.localhost.',
      serial: 1,
      refreshSeconds: 0,
      retrySeconds: 0,
      expireSeconds: 0,
      minimumSeconds: 604_800,
    });
  });

  it('counts names around localhost, but not localhost itself', async () => {
    const host = fakeHost();
    expect(await host.metric('coredns_local_localhost_requests_total')).toBeUndefined();
    for (const name of ['localhost.', 'a.localhost.', 'localhost.example.org.', '127.in-addr.arpa.']) {
      await answer(name, 'A', 'local', host);
    }
    expect(await host.metric('coredns_local_localhost_requests_total')).toBe(2);
    expect(host.lines).toContain('[DEBUG] Intercepting localhost query for "a.localhost." A');
  });

  it('leaves names that begin with localhost alone when told to', async () => {
    const lines = 'local {\nlocalhost_prefix off\n}';
    expect(await answer('localhost.example.org.', 'A', lines)).toBe(NEXT);
    expect((await answer('a.localhost.', 'A', lines)).message?.answers).toHaveLength(1);
    const on = 'local {\nlocalhost_prefix on\n}';
    expect((await answer('localhost.example.org.', 'A', on)).message?.answers).toHaveLength(1);
  });

  it.each([
    ['an argument', 'local host', /unexpected line ending after 'host'/],
    ['an unknown option', 'local {\nprefix on\n}', /Corefile:3 .* unknown property 'prefix'/],
    [
      'localhost_prefix without a value',
      'local {\nlocalhost_prefix\n}',
      /unexpected line ending after 'localhost_prefix'/,
    ],
    [
      'localhost_prefix with another value',
      'local {\nlocalhost_prefix yes\n}',
      /must be on or off: received "yes"/,
    ],
    ['a second one', 'local\nlocal', /only be used once/],
  ])('refuses %s', (_case, lines, message) => {
    expect(() => setUp(setup, lines)).toThrow(message);
  });
});
