import { describe, expect, it } from 'vitest';
import { convertEndpointSlice, convertImportedSlice } from './convert-endpoint-slice.ts';
import { convertServiceImport } from './convert-service-import.ts';

const metadata = { name: 'x', namespace: 'ns', uid: 'u-1' };

describe('convertEndpointSlice beyond what the cluster itself needs', () => {
  const labels = {
    'multicluster.kubernetes.io/service-name': 'web',
    'multicluster.kubernetes.io/source-cluster': 'east',
  };
  const endpoints = [{ addresses: ['10.0.0.1'] }];

  it('reads when the change happened, and nothing from a time that is none', () => {
    const slice = (time: unknown) =>
      convertEndpointSlice({
        metadata: {
          ...metadata,
          labels: { 'kubernetes.io/service-name': 'web' },
          annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': time },
        },
        addressType: 'IPv4',
        endpoints,
      });
    expect(slice('2026-01-02T03:04:05.5Z')).toMatchObject({
      value: { triggeredAtMs: Date.UTC(2026, 0, 2, 3, 4, 5, 500) },
    });
    expect(slice('yesterday')).not.toHaveProperty('value.triggeredAtMs');
    expect(slice(7)).not.toHaveProperty('value.triggeredAtMs');
  });

  it('reads a slice of an import under the name of the import', () => {
    const slice = { metadata: { ...metadata, labels }, addressType: 'IPv4', endpoints };
    expect(convertImportedSlice(slice)).toMatchObject({
      value: { serviceName: 'web', sourceCluster: 'east' },
    });
    expect(convertEndpointSlice(slice)).toEqual({ ok: true, value: undefined });
  });
});

describe('convertServiceImport', () => {
  it.each([
    [
      { type: 'ClusterSetIP', ips: ['10.1.0.1'], ports: [{ port: 80 }] },
      { clusterIPs: ['10.1.0.1'], headless: false },
    ],
    [
      { type: 'Headless', ips: ['10.1.0.1'] },
      { clusterIPs: [], headless: true, ports: [] },
    ],
    [{ type: 'ClusterSetIP' }, { clusterIPs: [], headless: false }],
  ])('reads %j', (spec, row) => {
    expect(convertServiceImport({ metadata, spec })).toMatchObject({ ok: true, value: row });
  });

  it('refuses a type that is not known', () => {
    expect(convertServiceImport({ metadata, spec: {} })).toMatchObject({ ok: false });
  });
});
