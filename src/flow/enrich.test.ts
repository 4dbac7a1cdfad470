import { describe, expect, it } from 'vitest';
import { type EndpointSliceRow, objectKey, type PodRow } from '../cluster/rows.ts';
import { type ClusterSnapshot, EMPTY_SNAPSHOT } from '../cluster/snapshot.ts';
import { parsePrefix } from '../net/prefix.ts';
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

describe('pods of other nodes, of which the agent watches none', () => {
  const slice = (name: string, address: string, pod: string): EndpointSliceRow => ({
    ...{
      namespace: 'kube-system',
      name,
      uid: name,
      createdAtMs: 0,
      serviceName: 'kube-dns',
      addressType: 'IPv4',
    },
    endpoints: [
      {
        ...{ addresses: [ip(address)], ready: true, serving: true, terminating: false, nodeName: 'k8s-ctr' },
        targetPod: { namespace: 'kube-system', name: pod },
      },
    ],
    ports: [],
  });
  const withSlices = (generation: number, ...slices: readonly EndpointSliceRow[]): ClusterSnapshot => ({
    ...{ ...SAMPLE_CLUSTER, pods: new Map(), generation },
    endpointSlices: new Map(slices.map((row) => [objectKey(row), row])),
  });

  it('are named by the slices of the services they are behind', () => {
    const store = createStore(withSlices(1, slice('a', '172.20.0.23', 'coredns-a')));
    const enricher = createEnricher(store, 'k8s-w1');
    const { endpoint, pod } = enricher.lookup(ip('172.20.0.23'));
    expect(pod).toBe('kube-system/coredns-a');
    expect(endpoint).toMatchObject({ namespace: 'kube-system', pod_name: 'coredns-a' });
    store.set(withSlices(2, slice('a', '172.20.0.24', 'coredns-b')));
    expect(enricher.lookup(ip('172.20.0.24')).pod).toBe('kube-system/coredns-b');
    expect(enricher.lookup(ip('172.20.0.23')).pod).toBeUndefined();
  });

  it('keep their name while one of two services still has them', () => {
    const two = [slice('a', '172.20.0.23', 'coredns-a'), slice('b', '172.20.0.23', 'coredns-a')] as const;
    const store = createStore(withSlices(1, ...two));
    const enricher = createEnricher(store, 'k8s-w1');
    enricher.lookup(ip('172.20.0.23'));
    store.set(withSlices(2, two[1]));
    expect(enricher.lookup(ip('172.20.0.23')).pod).toBe('kube-system/coredns-a');
    store.set(withSlices(3));
    expect(enricher.lookup(ip('172.20.0.23')).pod).toBeUndefined();
  });

  it('are told apart from the world where they have no name, and get all of theirs when somebody knows', () => {
    const known = new Map<string, PodRow>();
    const asked: string[] = [];
    const remotePod = (address: string) => {
      asked.push(address);
      return known.get(address);
    };
    const enricher = createEnricher(createStore(withSlices(1)), 'k8s-w1', { remotePod });
    expect(enricher.lookup(ip('172.20.0.77'))).toMatchObject({
      ...{ endpoint: { labels: ['reserved:unmanaged'] }, provisional: true },
    });
    known.set('172.20.0.77', samplePod('client', { address: '172.20.0.77', labels: { run: 'client' } }));
    expect(enricher.lookup(ip('172.20.0.77'))).toMatchObject({
      ...{ pod: 'kube-system/client', endpoint: { labels: expect.arrayContaining(['k8s:run=client']) } },
    });
    enricher.lookup(ip('8.8.8.8'));
    expect(asked).not.toContain('8.8.8.8');
  });

  it('have the ranges of nodes where the cluster hands them out, so that other private addresses are the world', () => {
    const prefix = parsePrefix('172.20.0.0/24');
    const ctr = SAMPLE_CLUSTER.nodes.get('/k8s-ctr');
    if (prefix === undefined || ctr === undefined) throw new Error('no node');
    const nodes = new Map([['/k8s-ctr', { ...ctr, podPrefixes: [prefix] }]]);
    const enricher = createEnricher(createStore({ ...withSlices(1), nodes }), 'k8s-w1');
    expect(enricher.lookup(ip('172.20.0.77')).endpoint.identity).toBe(3);
    expect(enricher.lookup(ip('172.21.0.77')).endpoint.identity).toBe(2);
  });
});
