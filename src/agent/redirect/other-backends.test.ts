import { expect, test } from 'vitest';
import type { EndpointSliceRow, ServiceRow } from '../../cluster/rows.ts';
import { type ClusterSnapshot, EMPTY_SNAPSHOT, type KindName } from '../../cluster/snapshot.ts';
import { type Ip, parseIp } from '../../net/ip.ts';
import { type Port, toPort } from '../../net/port.ts';
import { otherBackends } from './other-backends.ts';

const ALL: readonly KindName[] = ['services', 'endpointSlices', 'pods', 'localRedirectPolicies'];
const ROW = { namespace: 'kube-system', uid: '', createdAtMs: 0 };

function ip(text: string): Ip {
  const parsed = parseIp(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
}

function portOf(number: number): Port {
  const port = toPort(number);
  if (port === undefined) throw new Error(String(number));
  return port;
}

const DNS: ServiceRow = {
  ...ROW,
  name: 'kube-dns',
  type: 'ClusterIP',
  clusterIPs: [ip('10.96.0.10'), ip('fd00:10::a')],
  headless: false,
  externalIPs: [],
  ports: [
    { name: 'dns', port: portOf(53), protocol: 'UDP' },
    { name: 'dns-tcp', port: portOf(53), protocol: 'TCP' },
    { name: 'metrics', port: portOf(9153), protocol: 'UDP' },
  ],
  selector: {},
  publishNotReadyAddresses: false,
};

function slice(
  name: string,
  serviceName: string,
  addresses: readonly string[],
  ready = true,
): EndpointSliceRow {
  return {
    ...ROW,
    name,
    serviceName,
    addressType: name.endsWith('6') ? 'IPv6' : 'IPv4',
    endpoints: addresses.map((address) => ({
      addresses: [ip(address)],
      ...{ ready, serving: ready, terminating: !ready },
    })),
    ports: [
      { name: 'dns', port: portOf(5353), protocol: 'UDP' },
      { name: 'dns-tcp', port: portOf(5354), protocol: 'TCP' },
      { name: 'metrics', port: portOf(9153), protocol: 'UDP' },
    ],
  };
}

function snapshot(synced: readonly KindName[] = ALL): ClusterSnapshot {
  const slices = [
    slice('four', 'kube-dns', ['172.20.1.2', '172.20.2.2']),
    slice('leaving', 'kube-dns', ['172.20.3.2'], false),
    slice('six6', 'kube-dns', ['fd00::102']),
    slice('other', 'web', ['172.20.4.2']),
  ];
  return {
    ...EMPTY_SNAPSHOT,
    generation: 1,
    synced: new Set(synced),
    services: new Map([['kube-system/kube-dns', DNS]]),
    endpointSlices: new Map(slices.map((row) => [`kube-system/${row.name}` as const, row])),
  };
}

const at = (address: string, port: number) => ({ address: ip(address), port });

test('otherBackends names the endpoints of the port by its name, those that leave included', () => {
  expect(otherBackends(snapshot(), at('10.96.0.10', 53))).toEqual([
    at('172.20.1.2', 5353),
    at('172.20.2.2', 5353),
    at('172.20.3.2', 5353),
  ]);
});

test('otherBackends keeps to the family of the address', () => {
  expect(otherBackends(snapshot(), at('fd00:10::a', 53))).toEqual([at('fd00::102', 5353)]);
});

test.each([at('169.254.20.10', 53), at('10.96.0.10', 5353)])(
  'otherBackends of what is no port of a service: none',
  (place) => {
    expect(otherBackends(snapshot(), place)).toEqual([]);
  },
);

test.each(ALL)('otherBackends does not know while %s have not been listed', (missing) => {
  const synced = ALL.filter((kind) => kind !== missing);
  expect(otherBackends(snapshot(synced), at('10.96.0.10', 53))).toBeUndefined();
});
