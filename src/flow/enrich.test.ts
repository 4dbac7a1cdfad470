import { describe, expect, it } from 'vitest';
import { objectKey } from '../cluster/rows.ts';
import { EMPTY_SNAPSHOT } from '../cluster/snapshot.ts';
import { createStore } from '../store/store.ts';
import { createEnricher } from './enrich.ts';
import { ip, PODS, SAMPLE_CLUSTER, samplePod } from './testing/sample-cluster.ts';

describe('createEnricher', () => {
  const enricher = createEnricher(createStore(SAMPLE_CLUSTER), 'k8s-w1');

  it.each([
    { name: 'this node', address: '192.168.10.101', identity: 1 },
    { name: 'another node', address: '192.168.10.100', identity: 6 },
    { name: 'anything else', address: '142.250.196.110', identity: 2 },
    { name: 'loopback', address: '127.0.0.1', identity: 1 },
  ])('knows $name', ({ address, identity }) => {
    expect(enricher.lookup(ip(address)).endpoint.identity).toBe(identity);
  });

  it('gives a service address no endpoint, only its service', () => {
    const info = enricher.lookup(ip('10.96.0.10'));
    expect(info).toEqual({ endpoint: {}, service: { name: 'kube-dns', namespace: 'kube-system' } });
  });

  it('gives replicas one identity, other workloads another, on every node the same', () => {
    const other = createEnricher(createStore(SAMPLE_CLUSTER), 'k8s-ctr');
    const identity = (address: string) => enricher.lookup(ip(address)).endpoint.identity;
    expect(identity('172.20.0.23')).toBe(identity('172.20.1.99'));
    expect(identity('172.20.0.23')).not.toBe(identity('172.20.1.9'));
    expect(other.lookup(ip('172.20.1.9')).endpoint.identity).toBe(identity('172.20.1.9'));
  });

  it('follows the snapshot', () => {
    const store = createStore(EMPTY_SNAPSHOT);
    const following = createEnricher(store, 'k8s-w1');
    expect(following.lookup(ip('172.20.1.5')).pod).toBeUndefined();
    store.set(SAMPLE_CLUSTER);
    expect(following.lookup(ip('172.20.1.5')).pod).toBe('default/netshoot');
  });

  it.each([
    {
      name: 'the pod that still runs has the address',
      pod: { phase: 'Succeeded', createdAtMs: 9 },
      owner: 'default/netshoot',
    },
    { name: 'of two that run the newer has it', pod: { createdAtMs: 9 }, owner: 'kube-system/heir' },
    {
      name: 'a pod on the host network never has it',
      pod: { hostNetwork: true, createdAtMs: 9 },
      owner: 'default/netshoot',
    },
  ])('$name', ({ pod, owner }) => {
    const heir = samplePod('heir', { address: '172.20.1.5', ...pod });
    const pods = new Map([...PODS, heir].map((row) => [objectKey(row), row]));
    const enriched = createEnricher(createStore({ ...SAMPLE_CLUSTER, pods }), 'k8s-w1');
    expect(enriched.lookup(ip('172.20.1.5')).pod).toBe(owner);
  });
});
