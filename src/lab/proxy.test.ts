import { describe, expect, test } from 'vitest';
import type { EndpointSliceRow, ServiceRow } from '../cluster/rows.ts';
import { EMPTY_SNAPSHOT } from '../cluster/snapshot.ts';
import { parseIp } from '../net/ip.ts';
import { type Protocol, toPort } from '../net/port.ts';
import { proxyRules } from './proxy.ts';

const ip = (text: string) => parseIp(text) ?? expect.unreachable();
const port = (value: number) => toPort(value) ?? expect.unreachable();
const object = { namespace: 'kube-system', uid: 'u', createdAtMs: 0 };
const dns = { name: 'dns', port: port(53), protocol: 'UDP' as Protocol };

const service: ServiceRow = {
  ...object,
  name: 'kube-dns',
  type: 'ClusterIP',
  clusterIPs: [ip('10.96.0.10')],
  headless: false,
  externalIPs: [],
  ports: [dns],
  selector: {},
  publishNotReadyAddresses: false,
};

const slice = (endpoints: readonly (readonly [string, boolean])[]): EndpointSliceRow => ({
  ...object,
  name: 'kube-dns-x',
  serviceName: 'kube-dns',
  addressType: 'IPv4',
  endpoints: endpoints.map(([address, ready]) => ({
    addresses: [ip(address)],
    ready,
    serving: ready,
    terminating: false,
  })),
  ports: [dns],
});

const rulesFor = (endpoints: readonly (readonly [string, boolean])[]) =>
  proxyRules({
    ...EMPTY_SNAPSHOT,
    services: new Map([['kube-system/kube-dns', service]]),
    endpointSlices: new Map([['kube-system/kube-dns-x', slice(endpoints)]]),
  });

describe('proxyRules', () => {
  test('spreads a service over its ready endpoints of the whole cluster', () => {
    const rules = rulesFor([
      ['172.20.1.9', true],
      ['172.20.0.7', true],
      ['172.20.1.8', false],
    ]);
    expect(rules).toContain(
      'ip daddr 10.96.0.10 udp dport 53 dnat ip to numgen random mod 2 map { 0 : 172.20.0.7 . 53, 1 : 172.20.1.9 . 53 }',
    );
    expect(rules).not.toContain('172.20.1.8');
  });

  test('rejects at once when no endpoint is ready, as kube-proxy does', () => {
    const rules = rulesFor([['172.20.1.8', false]]);
    expect(rules).toContain('ip daddr 10.96.0.10 udp dport 53 reject');
    expect(rules).not.toContain('dnat');
  });
});
