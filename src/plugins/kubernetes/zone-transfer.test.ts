import { describe, expect, it } from 'vitest';
import { CLASS, OPCODE, TYPE } from '../../dns/codes.ts';
import { encodeMessage } from '../../dns/encode-message.ts';
import { plainQuery } from '../../dns/plain-query.ts';
import { replyTo } from '../../dns/reply.ts';
import { createStore } from '../../store/store.ts';
import type { Host } from '../contract.ts';
import { fakeHost, name, setUp } from '../fake-host.ts';
import { readCaseFile } from './cases/case-file.ts';
import { type ClusterFixture, clusterSnapshot } from './cases/cluster-fixture.ts';
import { recordText } from './cases/record-text.ts';
import { setup } from './setup.ts';

const shared = readCaseFile(new URL('cases/zone.yaml', import.meta.url)).cluster ?? {};
/** When the virtual clock begins. */
const SERIAL = 1_767_225_600;

function start(cluster: ClusterFixture = shared, lines = 'kubernetes cluster.local in-addr.arpa ip6.arpa') {
  const fake = fakeHost();
  const store = createStore(clusterSnapshot(cluster));
  const host: Host = { ...fake, cluster: () => store };
  const instance = setUp(setup, lines, { host });
  void instance.onStart?.();
  const batches = (zone: string, serial?: number) => instance.transfer?.(name(zone), serial);
  const records = (zone: string, serial?: number) => [...(batches(zone, serial) ?? [])].flat();
  return { store, batches, records };
}

describe('the zone transfer of kubernetes', () => {
  it('begins and ends with the SOA', () => {
    const types = start()
      .records('cluster.local')
      .map(({ type }) => type);
    expect(types.at(0)).toBe(TYPE.SOA);
    expect(types.at(-1)).toBe(TYPE.SOA);
    expect(types.filter((type) => type === TYPE.SOA)).toHaveLength(2);
  });

  it('has every kind of record, each once', () => {
    const texts = start().records('Cluster.local').slice(1).map(recordText);
    expect(new Set(texts).size).toBe(texts.length);
    expect(texts).toEqual(
      expect.arrayContaining([
        'dns-version.cluster.local. 28800 TXT "1.1.0"',
        'svc1.testns.svc.cluster.local. 5 A 10.96.1.1',
        'dual.testns.svc.cluster.local. 5 AAAA fd00:10:96::3',
        'svc1.testns.svc.cluster.local. 5 SRV 0 100 80 svc1.testns.svc.cluster.local.',
        '_http._tcp.svc1.testns.svc.cluster.local. 5 SRV 0 100 80 svc1.testns.svc.cluster.local.',
        'web-3.svc1.testns.svc.cluster.local. 5 A 172.20.0.3',
        'hdls.testns.svc.cluster.local. 5 A 172.20.0.22',
        'db-0.hdls.testns.svc.cluster.local. 5 A 172.20.0.22',
        '_dns._udp.hdls.testns.svc.cluster.local. 5 SRV 0 50 53 db-0.hdls.testns.svc.cluster.local.',
        'ext.testns.svc.cluster.local. 5 CNAME ext.example.net.',
      ]),
    );
    expect(texts.filter((text) => text.includes('172.20.0.2 ') || text.includes('.gone.svc.'))).toEqual([]);
    expect(texts.some((text) => / NS /.test(text))).toBe(true);
  });

  it('has the pointers of a reverse zone', () => {
    const texts = start().records('in-addr.arpa').map(recordText);
    expect(texts).toContain('1.1.96.10.in-addr.arpa. 5 PTR svc1.testns.svc.cluster.local.');
    expect(texts).toContain('22.0.20.172.in-addr.arpa. 5 PTR db-0.hdls.testns.svc.cluster.local.');
  });

  it('is the SOA alone for those who have the zone as it is', () => {
    expect(
      start()
        .records('cluster.local', SERIAL)
        .map(({ type }) => type),
    ).toEqual([TYPE.SOA]);
    expect(start().records('cluster.local', SERIAL - 1).length).toBeGreaterThan(2);
  });

  it('is not given of other zones, nor before all is known', () => {
    expect(start().batches('svc.cluster.local')).toBeUndefined();
    const { store, batches } = start();
    store.set(clusterSnapshot(shared, ['services']));
    expect(batches('cluster.local')).toBeUndefined();
  });

  it('is of one moment, whatever changes while it is taken', () => {
    const { store, batches } = start();
    const taken = batches('cluster.local')?.[Symbol.iterator]();
    store.set(clusterSnapshot({ namespaces: [] }));
    const rest = [];
    for (let next = taken?.next(); next?.done === false; next = taken?.next()) rest.push(...next.value);
    const texts = rest.map(recordText);
    expect(texts).toContain('db-0.hdls.testns.svc.cluster.local. 5 A 172.20.0.22');
    expect(texts).toContain('svc1.testns.svc.cluster.local. 5 A 10.96.1.1');
    expect(texts.at(0)).toBe(texts.at(-1));
  });

  it('fits its messages, and leaves nothing out of a service with thousands of endpoints', () => {
    const long = 'x'.repeat(63);
    const endpoints = Array.from({ length: 5000 }, (_, i) => ({
      ips: [`10.${1 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`],
      hostname: `${'h'.repeat(50)}-${i}`,
    }));
    const { batches } = start({
      namespaces: [long],
      services: [{ ns: long, name: long, ports: [`${'p'.repeat(15)} 80/TCP`] }],
      slices: [{ ns: long, service: long, name: 's', ports: [`${'p'.repeat(15)} 80/TCP`], endpoints }],
    });
    let addresses = 0;
    for (const batch of batches('cluster.local') ?? []) {
      const question = { name: name('cluster.local'), type: TYPE.AXFR, class: CLASS.IN };
      const query = { ...plainQuery(question, { id: 1, recursionDesired: false }), opcode: OPCODE.QUERY };
      expect(encodeMessage(replyTo(query, { answers: batch })).length).toBeLessThan(65_536);
      addresses += batch.filter(({ type }) => type === TYPE.A).length;
    }
    // Each under the service's name, under that of its port, and under its own; and the server's own.
    expect(addresses).toBeGreaterThanOrEqual(15_000);
  });
});
