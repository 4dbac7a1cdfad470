import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createHeardLog } from '../testing/scripted-server.ts';
import { convertNamed } from './conversion.ts';
import { convertEndpointSlice } from './convert-endpoint-slice.ts';
import { convertLocalRedirectPolicy } from './convert-local-redirect-policy.ts';
import { convertNamespace, convertNode } from './convert-node.ts';
import { convertPod } from './convert-pod.ts';
import { convertService } from './convert-service.ts';
import { KIND_SOURCES } from './kind-sources.ts';

const metadata = {
  name: 'x',
  namespace: 'ns',
  uid: 'u-1',
  creationTimestamp: '2025-08-03T03:40:56Z',
};
const identity = { name: 'x', namespace: 'ns', uid: 'u-1', createdAtMs: Date.UTC(2025, 7, 3, 3, 40, 56) };

describe('convertService', () => {
  const base = { ...identity, externalIPs: [], selector: {}, publishNotReadyAddresses: false };
  const cases = [
    {
      name: 'a cluster address with named ports, SCTP left out',
      spec: {
        clusterIP: '10.96.0.10',
        clusterIPs: ['10.96.0.10', 'fd00::a'],
        selector: { 'k8s-app': 'kube-dns' },
        ports: [
          { name: 'dns', port: 53, protocol: 'UDP' },
          { name: 'dns-tcp', port: 53 },
          { name: 'sctp', port: 9, protocol: 'SCTP' },
        ],
      },
      row: {
        ...base,
        type: 'ClusterIP',
        clusterIPs: ['10.96.0.10', 'fd00::a'],
        headless: false,
        selector: { 'k8s-app': 'kube-dns' },
        ports: [
          { name: 'dns', port: 53, protocol: 'UDP' },
          { name: 'dns-tcp', port: 53, protocol: 'TCP' },
        ],
        sctpPorts: [{ name: 'sctp', port: 9 }],
      },
    },
    {
      name: 'a headless service',
      spec: { clusterIP: 'None', clusterIPs: ['None'], publishNotReadyAddresses: true },
      row: {
        ...base,
        type: 'ClusterIP',
        clusterIPs: [],
        headless: true,
        ports: [],
        publishNotReadyAddresses: true,
      },
    },
    {
      name: 'an external name',
      spec: { type: 'ExternalName', externalName: 'db.example.org' },
      row: {
        ...base,
        type: 'ExternalName',
        clusterIPs: [],
        headless: false,
        externalName: 'db.example.org',
        ports: [],
      },
    },
    {
      name: 'an old object without clusterIPs, with addresses and ports that do not parse',
      spec: {
        type: 'LoadBalancer',
        clusterIP: '10.96.0.11',
        externalIPs: ['1.2.3.4', 'x'],
        ports: [{ port: 0 }, { port: '53' }, null],
      },
      row: {
        ...base,
        type: 'LoadBalancer',
        clusterIPs: ['10.96.0.11'],
        headless: false,
        externalIPs: ['1.2.3.4'],
        ports: [],
      },
    },
  ];
  it.each(cases)('reads $name', ({ spec, row }) => {
    expect(convertService({ metadata, spec })).toEqual({ ok: true, value: row });
  });

  it('reads what a load balancer gave, address before host name, and nothing from what it wrote badly', () => {
    const ingress = [
      { ip: '192.0.2.1', hostname: 'a.example' },
      { hostname: 'lb.example' },
      { ip: 'x' },
      null,
      {},
    ];
    expect(convertService({ metadata, spec: {}, status: { loadBalancer: { ingress } } })).toMatchObject({
      value: { ingressIPs: ['192.0.2.1'], ingressNames: ['lb.example'] },
    });
  });

  it('refuses a type it does not know', () => {
    expect(convertService({ metadata, spec: { type: 'Magic' } })).toMatchObject({ ok: false });
  });
});

describe('convertEndpointSlice', () => {
  const labels = { 'kubernetes.io/service-name': 'kube-dns' };

  it('reads conditions as discovery/v1 defines their absence', () => {
    const converted = convertEndpointSlice({
      metadata: { ...metadata, labels },
      addressType: 'IPv4',
      endpoints: [
        {
          addresses: ['172.20.0.23'],
          nodeName: 'k8s-ctr',
          zone: 'a',
          hostname: 'h',
          targetRef: { kind: 'Pod', name: 'p' },
        },
        { addresses: ['172.20.1.99'], conditions: { ready: false, serving: true, terminating: true } },
        { addresses: ['172.20.1.98'], conditions: { ready: false } },
        { addresses: ['not an address'] },
      ],
      ports: [
        { name: 'dns', port: 53, protocol: 'UDP' },
        { name: '', port: 80 },
      ],
    });
    expect(converted).toEqual({
      ok: true,
      value: {
        ...identity,
        serviceName: 'kube-dns',
        addressType: 'IPv4',
        endpoints: [
          {
            addresses: ['172.20.0.23'],
            ready: true,
            serving: true,
            terminating: false,
            hostname: 'h',
            nodeName: 'k8s-ctr',
            zone: 'a',
            targetPod: { namespace: 'ns', name: 'p' },
          },
          { addresses: ['172.20.1.99'], ready: false, serving: true, terminating: true },
          { addresses: ['172.20.1.98'], ready: false, serving: false, terminating: false },
        ],
        ports: [
          { name: 'dns', port: 53, protocol: 'UDP' },
          { port: 80, protocol: 'TCP' },
        ],
      },
    });
  });

  it.each([
    { name: 'of no service', object: { metadata, addressType: 'IPv4' } },
    { name: 'of host names', object: { metadata: { ...metadata, labels }, addressType: 'FQDN' } },
  ])('leaves out slices $name without calling them bad', ({ object }) => {
    expect(convertEndpointSlice(object)).toEqual({ ok: true, value: undefined });
  });

  it('refuses an address type it does not know', () => {
    expect(convertEndpointSlice({ metadata: { ...metadata, labels } })).toMatchObject({ ok: false });
  });
});

describe('convertPod', () => {
  it('reads what the policy and the observer need', () => {
    const converted = convertPod({
      metadata: {
        ...metadata,
        labels: { 'pod-template-hash': '674b8bbfcf' },
        deletionTimestamp: '2025-08-03T04:00:00Z',
        ownerReferences: [
          { kind: 'Other', name: 'o' },
          { kind: 'ReplicaSet', name: 'coredns-674b8bbfcf', controller: true },
        ],
      },
      spec: {
        nodeName: 'k8s-w1',
        hostNetwork: true,
        initContainers: [{ ports: [{ containerPort: 1 }] }],
        containers: [
          { ports: [{ name: 'dns', containerPort: 53, protocol: 'UDP' }] },
          { ports: [{ containerPort: 9153 }] },
          {},
        ],
      },
      status: {
        phase: 'Running',
        podIP: '172.20.1.5',
        podIPs: [{ ip: '172.20.1.5' }, { ip: 'fd00::5' }],
        conditions: [
          { type: 'Initialized', status: 'False' },
          { type: 'Ready', status: 'True' },
        ],
      },
    });
    expect(converted).toEqual({
      ok: true,
      value: {
        ...identity,
        nodeName: 'k8s-w1',
        podIPs: ['172.20.1.5', 'fd00::5'],
        hostNetwork: true,
        phase: 'Running',
        ready: true,
        deleting: true,
        labels: { 'pod-template-hash': '674b8bbfcf' },
        containerPorts: [
          { name: 'dns', port: 53, protocol: 'UDP' },
          { port: 9153, protocol: 'TCP' },
        ],
        workload: { kind: 'Deployment', name: 'coredns' },
      },
    });
  });

  it('takes a pod that has not been scheduled', () => {
    expect(convertPod({ metadata, status: { phase: 'Pending' } })).toMatchObject({
      value: { nodeName: '', podIPs: [], ready: false, deleting: false, containerPorts: [] },
    });
  });

  it.each([
    { name: 'a DaemonSet', owner: { kind: 'DaemonSet', name: 'node-local-dns' } },
    { name: 'a ReplicaSet of nobody', owner: { kind: 'ReplicaSet', name: 'bare' } },
  ])('names $name as the workload itself', ({ owner }) => {
    const converted = convertPod({
      metadata: { ...metadata, ownerReferences: [{ ...owner, controller: true }] },
    });
    expect(converted).toMatchObject({ value: { workload: owner } });
  });
});

describe('convertNode and convertNamespace', () => {
  it('read addresses and labels', () => {
    const addresses = [
      { type: 'Hostname', address: 'k8s-ctr' },
      { type: 'InternalIP', address: '192.168.10.100' },
      { type: 'ExternalIP', address: '1.2.3.4' },
    ];
    const cluster = { ...metadata, namespace: undefined, labels: { a: 'b', broken: 5 } };
    expect(convertNode({ metadata: cluster, status: { addresses } })).toMatchObject({
      value: { namespace: '', internalIPs: ['192.168.10.100'], labels: { a: 'b' } },
    });
    expect(convertNamespace({ metadata: cluster })).toMatchObject({
      value: { name: 'x', labels: { a: 'b' } },
    });
  });
});

describe('annotation zerohop.io/redirect', () => {
  it.each([
    { text: 'permit', redirect: 'permit' },
    { text: 'deny', redirect: 'deny' },
    { text: 'Deny', redirect: undefined },
    { text: true, redirect: undefined },
    { text: undefined, redirect: undefined },
  ])('$text of a pod and of a namespace becomes $redirect', ({ text, redirect }) => {
    const metadata = { name: 'x', annotations: { 'zerohop.io/redirect': text } };
    for (const converted of [convertPod({ metadata }), convertNamespace({ metadata })])
      expect(converted.ok && converted.value?.redirect).toBe(redirect);
  });
});

describe('convertLocalRedirectPolicy', () => {
  it('gives the same row when only the status, and with it the generation, has changed', () => {
    const spec = { redirectBackend: { toPorts: [] } };
    const before = { metadata: { name: 'p', generation: 1, resourceVersion: '1' }, spec };
    const after = {
      ...{ metadata: { name: 'p', generation: 2, resourceVersion: '2' }, spec },
      status: { conditions: [{ type: 'Accepted', status: 'True' }] },
    };
    expect(convertLocalRedirectPolicy(after)).toEqual(convertLocalRedirectPolicy(before));
  });

  it('reads the policy of the field reports', () => {
    const ports = [
      { port: '53', name: 'dns', protocol: 'UDP' },
      { port: '53', name: 'dns-tcp', protocol: 'TCP' },
    ];
    const converted = convertLocalRedirectPolicy({
      metadata,
      spec: {
        redirectFrontend: { serviceMatcher: { serviceName: 'kube-dns', namespace: 'kube-system' } },
        redirectBackend: {
          localEndpointSelector: { matchLabels: { 'k8s-app': 'node-local-dns' } },
          toPorts: ports,
        },
      },
    });
    expect(converted).toEqual({
      ok: true,
      value: {
        ...identity,
        skipRedirectFromBackend: false,
        serviceMatcher: { serviceName: 'kube-dns', namespace: 'kube-system', toPorts: [] },
        backendSelector: { matchLabels: { 'k8s-app': 'node-local-dns' }, matchExpressions: [] },
        backendPorts: ports,
      },
    });
  });

  it('keeps broken ports, so that the policy is refused and does not work without them', () => {
    const toPorts = [{ port: 53, protocol: 'UDP' }, null];
    const converted = convertLocalRedirectPolicy({
      metadata,
      spec: {
        redirectFrontend: { addressMatcher: { ip: '169.254.1.1', toPorts } },
        redirectBackend: { toPorts },
      },
    });
    const kept = [
      { port: '', protocol: 'UDP' },
      { port: '', protocol: '' },
    ];
    expect(converted).toMatchObject({
      value: { addressMatcher: { ip: '169.254.1.1', toPorts: kept }, backendPorts: kept },
    });
  });

  it('tells an empty selector from a missing one', () => {
    const withSelector = (redirectBackend: object) =>
      convertLocalRedirectPolicy({ metadata, spec: { redirectBackend } });
    expect(withSelector({ localEndpointSelector: {} })).toMatchObject({
      value: { backendSelector: { matchLabels: {} } },
    });
    expect(withSelector({})).not.toHaveProperty('value.backendSelector');
  });

  it('refuses a label that is no string instead of widening the selector', () => {
    const redirectBackend = { localEndpointSelector: { matchLabels: { app: 5 } } };
    expect(convertLocalRedirectPolicy({ metadata, spec: { redirectBackend } })).toMatchObject({ ok: false });
  });
});

describe('every converter', () => {
  const json = fc.letrec((tie) => ({
    node: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom(null, 'x', '', 'IPv4', '10.0.0.1', 53, -1, 1e300, true),
      fc.array(tie('node'), { maxLength: 3 }),
      fc.dictionary(
        fc.constantFrom(
          'metadata',
          'spec',
          'status',
          'name',
          'labels',
          'ports',
          'endpoints',
          'redirectBackend',
          'redirectFrontend',
          '__proto__',
          'conditions',
          'containers',
        ),
        tie('node'),
        { maxKeys: 5 },
      ),
    ),
  })).node;

  it.each(Object.values(KIND_SOURCES))('never throws on any JSON: $resource', ({ resource, convert }) => {
    fc.assert(
      fc.property(json, (object) => {
        const log = createHeardLog();
        const tally = { badObjects: 0 };
        convertNamed<unknown>({ resource, log, convert }, tally, object);
        expect(log.lines).toHaveLength(tally.badObjects);
      }),
    );
  });
});
