import { describe, expect, it } from 'vitest';
import { type ClusterName, parseClusterName } from './cluster-name.ts';

const object = { kind: 'object', branch: 'svc', namespace: 'ns', name: 'db' } as const;

const cases: readonly (readonly [labels: string, meaning: ClusterName])[] = [
  ['', { kind: 'apex' }],
  ['svc', { kind: 'branch', branch: 'svc' }],
  ['pod', { kind: 'branch', branch: 'pod' }],
  ['ns.svc', { kind: 'namespace', branch: 'svc', namespace: 'ns' }],
  ['ns.pod', { kind: 'namespace', branch: 'pod', namespace: 'ns' }],
  ['svc.svc', { kind: 'namespace', branch: 'svc', namespace: 'svc' }],
  ['db.ns.svc', object],
  ['1-2-3-4.ns.pod', { ...object, branch: 'pod', name: '1-2-3-4' }],
  ['db-0.db.ns.svc', { ...object, endpoint: 'db-0' }],
  ['_db-0.db.ns.svc', { ...object, endpoint: '_db-0' }],
  ['_sql._tcp.db.ns.svc', { ...object, port: 'sql', protocol: 'tcp' }],
  ['sql.tcp.db.ns.svc', { ...object, port: 'sql', protocol: 'tcp' }],
  ['_sql.tcp.db.ns.svc', { ...object, port: 'sql', protocol: 'tcp' }],
  ['__sql._tcp.db.ns.svc', { ...object, port: '_sql', protocol: 'tcp' }],
  ['db-0._sql._tcp.db.ns.svc', { kind: 'invalid' }],
  ['a.b.c.d.db.ns.svc', { kind: 'invalid' }],
  ['zone-a.pin._zone.svc.db.ns.svc', { kind: 'invalid' }],
  ['*.ns.svc', { ...object, name: '*' }],
  ['db.ns.foo', { kind: 'invalid' }],
  ['foo', { kind: 'invalid' }],
  ['svc.foo', { kind: 'invalid' }],
  ['dns-version', { kind: 'version' }],
  ['a.dns-version', { kind: 'invalid' }],
  ['ns.dns', { kind: 'server' }],
  ['a.ns.dns', { kind: 'invalid' }],
  ['dns', { kind: 'invalid' }],
];

describe('parseClusterName with zones', () => {
  const zonal = { zonal: true, clusters: false };
  it.each([
    ['zone-a.pin._zone.db.ns.svc', { ...object, zonal: { zone: 'zone-a', orAll: false } }],
    ['a.b.c.prefer._zone.db.ns.svc', { ...object, zonal: { zone: 'a.b.c', orAll: true } }],
    ['pin._zone.db.ns.svc', { ...object, port: 'pin', protocol: 'zone' }],
    ['zone-a.maybe._zone.db.ns.svc', { kind: 'invalid' }],
    ['zone-a.pin._zone.db.ns.pod', { kind: 'invalid' }],
  ])('reads %s', (labels, meaning) => {
    expect(parseClusterName(labels.split('.'), zonal)).toEqual(meaning);
  });
});

describe('parseClusterName with clusters', () => {
  const clusters = { zonal: false, clusters: true };
  it.each([
    ['db-0.east.db.ns.svc', { ...object, endpoint: 'db-0', cluster: 'east' }],
    ['_sql._tcp.db.ns.svc', { ...object, port: 'sql', protocol: 'tcp' }],
    ['_sql.tcp.db.ns.svc', { ...object, port: 'sql', protocol: 'tcp' }],
    ['db-0.db.ns.svc', { ...object, endpoint: 'db-0' }],
    ['a.b.c.db.ns.svc', { kind: 'invalid' }],
  ])('reads %s', (labels, meaning) => {
    expect(parseClusterName(labels.split('.'), clusters)).toEqual(meaning);
  });
});

describe('parseClusterName', () => {
  it.each(cases)('reads %s', (labels, meaning) => {
    expect(parseClusterName(labels === '' ? [] : labels.split('.'))).toEqual(meaning);
  });
});
