import { describe, expect, test } from 'vitest';
import type { PodRow } from '../cluster/rows.ts';
import { parseIp } from '../net/ip.ts';
import { endpointSlice } from './endpoint-slices.ts';

const pod = (name: string, address: string, change: Partial<PodRow> = {}): PodRow => ({
  namespace: 'kube-system',
  name,
  uid: name,
  createdAtMs: 0,
  nodeName: 'k8s-w1',
  podIPs: [parseIp(address) ?? expect.unreachable()],
  hostNetwork: false,
  phase: 'Running',
  ready: true,
  deleting: false,
  labels: { 'k8s-app': 'kube-dns' },
  containerPorts: [],
  ...change,
});

const service = {
  metadata: { namespace: 'kube-system', name: 'kube-dns' },
  spec: {
    selector: { 'k8s-app': 'kube-dns' },
    ports: [{ name: 'dns', port: 53, protocol: 'UDP', targetPort: 5353 }],
  },
};

describe('endpointSlice', () => {
  test('holds the selected pods in order, with their readiness and the target port', () => {
    const slice = endpointSlice(service, [
      pod('b', '172.20.1.2', { ready: false }),
      pod('a', '172.20.0.2'),
      pod('other', '172.20.0.3', { labels: {} }),
      pod('elsewhere', '172.20.0.4', { namespace: 'default' }),
      pod('leaving', '172.20.1.5', { deleting: true }),
    ]);
    expect(slice?.endpoints).toMatchObject([
      { addresses: ['172.20.0.2'], conditions: { ready: true } },
      { addresses: ['172.20.1.2'], conditions: { ready: false } },
      { addresses: ['172.20.1.5'], conditions: { ready: false, terminating: true } },
    ]);
    expect(slice?.ports).toEqual([{ name: 'dns', port: 5353, protocol: 'UDP' }]);
  });

  test('leaves services without a selector alone', () => {
    expect(endpointSlice({ ...service, spec: {} }, [pod('a', '172.20.0.2')])).toBeUndefined();
  });
});
