import { describe, expect, it } from 'vitest';
import { RCODE, TYPE, typeName } from '../../dns/codes.ts';
import type { ResourceRecord } from '../../dns/message.ts';
import { recordAddress } from '../../dns/rdata/address.ts';
import { readSoa } from '../../dns/rdata/soa.ts';
import { readSrv } from '../../dns/rdata/srv.ts';
import { recordTarget } from '../../dns/rdata/target.ts';
import { replyTo } from '../../dns/reply.ts';
import type { Reply } from '../../server/handler.ts';
import { fakeHost, name, setUp } from '../fake-host.ts';
import { ask, ip, record } from '../fake-query.ts';
import { type FakeCluster, fakeCluster } from './fake-cluster.ts';
import { setup } from './setup.ts';

const NEXT: Reply = { rcode: -1 };

function cluster(): FakeCluster {
  return fakeCluster(
    [
      {
        key: 'ns/web',
        externalIPs: ['192.0.2.1'],
        ingressIPs: ['192.0.2.2', '2001:db8::2'],
        ports: ['http 80/TCP', 'https 443/TCP'],
      },
      { key: 'ns/inside', ports: ['http 80/TCP'] },
      { key: 'ns/named', ingressNames: ['Lb.Example.net'], ports: ['http 80/TCP'] },
      { key: 'ns/mixed', externalIPs: ['192.0.2.5'], ingressNames: ['lb.example.net'] },
      {
        key: 'ns/db',
        headless: true,
        ports: ['sql 5432/TCP'],
        endpoints: ['db-0 10.1.0.1', 'DB-1 10.1.0.2'],
      },
      { key: 'ns/dns', externalIPs: ['192.0.2.53', '2001:db8::53'], endpoints: ['self 10.9.9.9'] },
      { key: 'hidden/secret', externalIPs: ['192.0.2.99'] },
    ],
    ['ns'],
  );
}

function start(
  lines = 'k8s_external example.org in-addr.arpa ip6.arpa',
  known: FakeCluster | undefined = cluster(),
) {
  const host = fakeHost({
    neighbours: { clusterNames: known },
    resolve: async (query, target, type) =>
      type === TYPE.A
        ? replyTo(query.message, { answers: [record(`${target} 60 A 198.51.100.1`)] })
        : undefined,
  });
  const instance = setUp(setup, lines, { host });
  const begin = () => instance.onStart?.();
  const handler = instance.plugin?.(() => NEXT);
  const query = async (text: string) => {
    const [qname = '', type = ''] = text.split(' ');
    return (await handler?.(ask(qname, type))) ?? NEXT;
  };
  return { host, instance, begin, query, known };
}

function text(one: ResourceRecord): string {
  const srv = readSrv(one);
  const data =
    srv === undefined ? (recordAddress(one) ?? recordTarget(one)) : `${srv.weight} ${srv.port} ${srv.target}`;
  const soa = readSoa(one);
  const soaText = soa && `${soa.mname} ${soa.rname} ${soa.serial} ${soa.minimumSeconds}`;
  return `${one.name} ${one.ttlSeconds} ${typeName(one.type)} ${soaText ?? data}`;
}

interface Case {
  readonly q: string;
  readonly a?: readonly string[];
  readonly extra?: readonly string[];
  readonly is?: 'NODATA' | 'NXDOMAIN' | 'NEXT' | 'REFUSED' | 'SERVFAIL';
}

const cases: readonly Case[] = [
  {
    q: 'web.ns.example.org. A',
    a: ['web.ns.example.org. 5 A 192.0.2.1', 'web.ns.example.org. 5 A 192.0.2.2'],
  },
  { q: 'Web.NS.Example.ORG. AAAA', a: ['Web.NS.Example.ORG. 5 AAAA 2001:db8::2'] },
  { q: '_http._tcp.web.ns.example.org. AAAA', a: ['_http._tcp.web.ns.example.org. 5 AAAA 2001:db8::2'] },
  { q: '_ftp._tcp.web.ns.example.org. A', is: 'NXDOMAIN' },
  { q: 'web.ns.example.org. MX', is: 'NODATA' },
  { q: 'web.ns.example.org. AXFR', is: 'REFUSED' },
  {
    q: '_https._tcp.web.ns.example.org. SRV',
    a: ['_https._tcp.web.ns.example.org. 5 SRV 33 443 web.ns.example.org.'],
    extra: [
      'web.ns.example.org. 5 A 192.0.2.1',
      'web.ns.example.org. 5 A 192.0.2.2',
      'web.ns.example.org. 5 AAAA 2001:db8::2',
    ],
  },
  { q: 'inside.ns.example.org. A', is: 'NXDOMAIN' },
  { q: 'nothing.ns.example.org. A', is: 'NXDOMAIN' },
  { q: 'ns.example.org. A', is: 'NODATA' },
  { q: 'nowhere.example.org. A', is: 'NXDOMAIN' },
  { q: 'secret.hidden.example.org. A', is: 'NXDOMAIN' },
  { q: 'a.b.c.web.ns.example.org. A', is: 'NXDOMAIN' },
  { q: 'x.web.ns.example.org. A', is: 'NXDOMAIN' },
  {
    q: 'named.ns.example.org. A',
    a: ['named.ns.example.org. 5 CNAME Lb.Example.net.', 'Lb.Example.net. 60 A 198.51.100.1'],
  },
  { q: 'named.ns.example.org. AAAA', a: ['named.ns.example.org. 5 CNAME Lb.Example.net.'] },
  { q: 'named.ns.example.org. CNAME', a: ['named.ns.example.org. 5 CNAME Lb.Example.net.'] },
  { q: 'named.ns.example.org. SRV', a: ['named.ns.example.org. 5 SRV 100 80 Lb.Example.net.'] },
  { q: 'mixed.ns.example.org. A', a: ['mixed.ns.example.org. 5 A 192.0.2.5'] },
  { q: 'db.ns.example.org. A', is: 'NXDOMAIN' },
  {
    q: 'example.org. SOA',
    a: ['example.org. 5 SOA ns1.dns.example.org. hostmaster.dns.example.org. 1767225600 5'],
  },
  {
    q: 'example.org. NS',
    a: ['example.org. 5 NS ns1.dns.example.org.'],
    extra: ['ns1.dns.example.org. 5 A 10.9.9.9'],
  },
  { q: 'example.org. A', is: 'NODATA' },
  { q: 'dns.example.org. A', is: 'NODATA' },
  { q: 'ns1.dns.example.org. A', a: ['ns1.dns.example.org. 5 A 10.9.9.9'] },
  { q: 'ns1.dns.example.org. AAAA', is: 'NODATA' },
  { q: 'ns1.dns.example.org. TXT', is: 'NODATA' },
  { q: 'ns2.dns.example.org. A', is: 'NXDOMAIN' },
  { q: 'a.ns1.dns.example.org. A', is: 'NXDOMAIN' },
  { q: '2.2.0.192.in-addr.arpa. PTR', a: ['2.2.0.192.in-addr.arpa. 5 PTR web.ns.example.org.'] },
  { q: '7.2.0.192.in-addr.arpa. PTR', is: 'NXDOMAIN' },
  { q: '2.0.192.in-addr.arpa. PTR', is: 'NXDOMAIN' },
  { q: 'example.net. A', is: 'NEXT' },
];

async function check({ q, a, extra, is }: Case, query: (text: string) => Promise<Reply>): Promise<void> {
  const reply = await query(q);
  if (is === 'NEXT') return expect(reply).toBe(NEXT);
  if (is === 'REFUSED') return expect(reply).toEqual({ rcode: RCODE.REFUSED });
  const rcode = is === 'NXDOMAIN' ? RCODE.NXDOMAIN : is === 'SERVFAIL' ? RCODE.SERVFAIL : RCODE.NOERROR;
  expect(reply.rcode).toBe(rcode);
  expect(reply.message?.flags).toMatchObject({ authoritative: true, recursionAvailable: false });
  expect(reply.message?.answers.map(text)).toEqual(a ?? []);
  if (a !== undefined) expect(reply.message?.additionals.map(text)).toEqual(extra ?? []);
  if (is !== undefined) expect(reply.message?.authorities.map((one) => one.type)).toEqual([TYPE.SOA]);
}

describe('k8s_external', () => {
  it.each(cases)('answers $q', async (one) => {
    const { begin, query } = start();
    void begin();
    await check(one, query);
  });

  it.each<Case>([
    { q: 'db.ns.example.org. A', a: ['db.ns.example.org. 5 A 10.1.0.1', 'db.ns.example.org. 5 A 10.1.0.2'] },
    { q: 'db-1.db.ns.example.org. A', a: ['db-1.db.ns.example.org. 5 A 10.1.0.2'] },
    { q: 'db-9.db.ns.example.org. A', is: 'NXDOMAIN' },
    {
      q: '_sql._tcp.db.ns.example.org. SRV',
      a: [
        '_sql._tcp.db.ns.example.org. 5 SRV 50 5432 db-0.db.ns.example.org.',
        '_sql._tcp.db.ns.example.org. 5 SRV 50 5432 DB-1.db.ns.example.org.',
      ],
      extra: ['db-0.db.ns.example.org. 5 A 10.1.0.1', 'DB-1.db.ns.example.org. 5 A 10.1.0.2'],
    },
    { q: 'web.ns.example.org. AAAA', a: ['web.ns.example.org. 5 AAAA 2001:db8::2'] },
  ])('answers $q with headless', async (one) => {
    const { begin, query } = start('k8s_external example.org {\n headless\n}');
    void begin();
    await check(one, query);
  });

  it('names itself by the outside addresses of the service it stands behind', async () => {
    const { begin, query, known } = start('k8s_external example.org {\n apex ns\n ttl 60\n}');
    void begin();
    if (known !== undefined) known.state.own = ['ns/dns'];
    await check({ q: 'ns1.ns.example.org. AAAA', a: ['ns1.ns.example.org. 60 AAAA 2001:db8::53'] }, query);
    await check({ q: 'ns1.ns.example.org. A', a: ['ns1.ns.example.org. 60 A 192.0.2.53'] }, query);
  });

  it('hands only names that do not exist to the next plugin', async () => {
    const { begin, query } = start('k8s_external example.org {\n fallthrough\n}');
    void begin();
    await check({ q: 'nothing.ns.example.org. A', is: 'NEXT' }, query);
    await check({ q: 'web.ns.example.org. MX', is: 'NODATA' }, query);
  });

  it('does not deny what it cannot know yet', async () => {
    const { begin, query, known } = start();
    void begin();
    if (known !== undefined) known.state.synced = false;
    await check({ q: 'nothing.ns.example.org. A', is: 'SERVFAIL' }, query);
  });

  it('tells caches which names have changed', () => {
    const { begin, host, known } = start('k8s_external example.org');
    void begin();
    known?.tell({ all: true });
    known?.tell({ services: [{ namespace: 'ns', name: 'web' }], addresses: [ip('192.0.2.1')] });
    expect(host.changed).toEqual(['example.org.', 'web.ns.example.org.', '1.2.0.192.in-addr.arpa.']);
  });

  it('hands the zone out, SOA first and last', () => {
    const { begin, instance } = start('k8s_external example.org');
    void begin();
    const records = [...(instance.transfer?.(name('example.org'), undefined) ?? [])].flat();
    expect(records.map(text)).toEqual(
      expect.arrayContaining(['named.ns.example.org. 5 CNAME Lb.Example.net.']),
    );
    expect(records.at(0)?.type).toBe(TYPE.SOA);
    expect(records.at(-1)?.type).toBe(TYPE.SOA);
    expect(records.filter(({ type }) => type === TYPE.SOA)).toHaveLength(2);
    expect(instance.transfer?.(name('example.net'), undefined)).toBeUndefined();
    expect([...(instance.transfer?.(name('example.org'), 1_767_225_600) ?? [])].flat()).toHaveLength(1);
  });

  it.each([
    ['k8s_external a {\n apex a.b\n}', 'apex must be one label: "a.b"'],
    ['k8s_external a {\n ttl 3601\n}', 'ttl must be in range [0, 3600]: 3601'],
    ['k8s_external a {\n ttl x\n}', 'invalid ttl: "x"'],
    ['k8s_external a {\n headless yes\n}', "unexpected line ending after 'yes'"],
    ['k8s_external a {\n upstream\n}', "unknown property 'upstream'"],
    ['k8s_external a\nk8s_external b', 'this plugin can only be used once per Server Block'],
  ])('refuses %j', (lines, reason) => {
    expect(() => start(lines)).toThrow(reason);
  });

  it('does not start without kubernetes in its block', () => {
    const host = fakeHost();
    const instance = setUp(setup, 'k8s_external example.org', { host });
    expect(() => instance.onStart?.()).toThrow('kubernetes must stand in the same server block');
  });
});
