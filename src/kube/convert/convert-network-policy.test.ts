import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { convertNetworkPolicy } from './convert-network-policy.ts';
import { convertNamespace } from './convert-node.ts';
import { convertPod } from './convert-pod.ts';

const metadata = { name: 'x', namespace: 'ns', uid: 'u-1' };
const UDP_53 = { ports: [{ first: 53, last: 53 }] };

function rowOf(spec: unknown): unknown {
  const converted = convertNetworkPolicy({ metadata, spec });
  return converted.ok ? converted.value : converted;
}
const egressOf = (...egress: unknown[]) => rowOf({ policyTypes: ['Egress'], egress });

describe('convertNetworkPolicy', () => {
  it.each([
    { name: 'no types and no rules', spec: { podSelector: {} } },
    { name: 'no types and an empty list of rules', spec: { egress: [] } },
    { name: 'no types and rules for ingress', spec: { ingress: [{}] } },
    { name: 'ingress alone, whatever rules there are', spec: { policyTypes: ['Ingress'], egress: [{}] } },
    { name: 'no spec', spec: undefined },
  ])('leaves out what is not about egress: $name', ({ spec }) => {
    expect(convertNetworkPolicy({ metadata, spec })).toEqual({ ok: true, value: undefined });
  });

  it('reads the example of the documentation', () => {
    const row = rowOf({
      podSelector: { matchLabels: { role: 'db' } },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [{ from: [{ ipBlock: { cidr: '172.17.0.0/16' } }] }],
      egress: [
        { to: [{ ipBlock: { cidr: '10.0.0.0/24' } }], ports: [{ protocol: 'UDP', port: 53 }] },
        { to: [{ ipBlock: { cidr: '10.0.0.0/24' } }], ports: [{ protocol: 'TCP', port: 5978 }] },
      ],
    });
    expect(row).toEqual({
      ...metadata,
      createdAtMs: 0,
      podSelector: { matchLabels: { role: 'db' }, matchExpressions: [] },
      egress: [
        { peers: [{ kind: 'block', prefix: { address: '10.0.0.0', length: 24 }, except: [] }], ...UDP_53 },
      ],
    });
  });

  it.each([
    { name: 'a type alone', spec: { policyTypes: ['Egress'] } },
    { name: 'rules alone', spec: { egress: [null] } },
    { name: 'types that cannot be read', spec: { policyTypes: 'Egress' } },
    { name: 'a type that is not known', spec: { policyTypes: ['egress'] } },
    { name: 'rules that cannot be read', spec: { policyTypes: ['Egress'], egress: 'all' } },
  ])('closes by $name', ({ spec }) => {
    expect(rowOf(spec)).toMatchObject({ egress: [], podSelector: { matchLabels: {} } });
  });

  it.each([
    { name: 'a number', podSelector: 5 },
    { name: 'a list', podSelector: [] },
    { name: 'a label that is no text', podSelector: { matchLabels: { a: 1 } } },
    { name: 'an expression that is none', podSelector: { matchExpressions: [null] } },
    {
      name: 'values that are no texts',
      podSelector: { matchExpressions: [{ key: 'a', operator: 'In', values: [1] }] },
    },
  ])('does not know whom it closes by $name', ({ podSelector }) => {
    expect(rowOf({ podSelector, policyTypes: ['Egress'] })).not.toHaveProperty('podSelector');
  });

  it.each([
    { name: 'everything', rule: {}, read: [{}] },
    { name: 'everything, by empty lists', rule: { to: [], ports: [] }, read: [{}] },
    { name: 'everything, by nulls', rule: { to: null, ports: null }, read: [{}] },
    {
      name: 'every UDP port',
      rule: { ports: [{ protocol: 'UDP' }] },
      read: [{ ports: [{ first: 1, last: 65535 }] }],
    },
    {
      name: 'a range and a name',
      rule: {
        ports: [
          { protocol: 'UDP', port: 50, endPort: 60 },
          { protocol: 'UDP', port: 'dns' },
        ],
      },
      read: [{ ports: [{ first: 50, last: 60 }, { name: 'dns' }] }],
    },
    { name: 'nothing by a port without a protocol, which is TCP', rule: { ports: [{ port: 53 }] }, read: [] },
    { name: 'nothing by SCTP', rule: { ports: [{ protocol: 'SCTP', port: 53 }] }, read: [] },
    {
      name: 'nothing by a range that ends before it begins',
      rule: { ports: [{ protocol: 'UDP', port: 60, endPort: 50 }] },
      read: [],
    },
    {
      name: 'nothing by a range from a name',
      rule: { ports: [{ protocol: 'UDP', port: 'dns', endPort: 60 }] },
      read: [],
    },
    {
      name: 'nothing by a range without a beginning',
      rule: { ports: [{ protocol: 'UDP', endPort: 60 }] },
      read: [],
    },
    { name: 'nothing by ports that cannot be read', rule: { ports: 'all' }, read: [] },
    { name: 'nothing by peers that cannot be read', rule: { to: [null, {}, 5] }, read: [] },
    { name: 'nothing by a null', rule: null, read: [] },
    { name: 'nothing by a block that is none', rule: { to: [{ ipBlock: { cidr: '10.0.0.0' } }] }, read: [] },
    {
      name: 'nothing by an exception that is none',
      rule: { to: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['x'] } }] },
      read: [],
    },
    {
      name: 'nothing by a block beside a selector',
      rule: { to: [{ ipBlock: { cidr: '10.0.0.0/8' }, podSelector: {} }] },
      read: [],
    },
    {
      name: 'nothing by a half readable pair',
      rule: { to: [{ podSelector: {}, namespaceSelector: 5 }] },
      read: [],
    },
    {
      name: 'selectors, empty ones too',
      rule: { to: [{ namespaceSelector: {} }, { podSelector: { matchLabels: { a: 'b' } } }] },
      read: [
        {
          peers: [
            { kind: 'pods', namespaces: { matchLabels: {}, matchExpressions: [] } },
            { kind: 'pods', pods: { matchLabels: { a: 'b' }, matchExpressions: [] } },
          ],
        },
      ],
    },
  ])('opens $name', ({ rule, read }) => {
    expect(egressOf(rule)).toMatchObject({ egress: read });
  });

  it('refuses nothing that has a name, and never opens by what it cannot read', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (to, ports) => {
        const closed = egressOf({ to: [to], ports: [ports] });
        // Text, numbers and the like are no peers and no ports; an object of a random shape is neither.
        expect(closed).toMatchObject({ egress: [] });
      }),
    );
    fc.assert(
      fc.property(fc.jsonValue(), (spec) => {
        expect(convertNetworkPolicy({ metadata, spec }).ok).toBe(true);
      }),
    );
  });
});

describe('annotation zerohop.io/kernel-answers', () => {
  it.each([
    ['allow', 'allow'],
    ['deny', 'deny'],
    ['yes', 'unreadable'],
    ['', 'unreadable'],
    [7, 'unreadable'],
    [null, 'unreadable'],
    [undefined, undefined],
  ])('%j is read as %j', (written, read) => {
    const annotated = { metadata: { ...metadata, annotations: { 'zerohop.io/kernel-answers': written } } };
    for (const converted of [convertPod(annotated), convertNamespace(annotated)]) {
      expect(converted.ok && converted.value?.kernelAnswers).toBe(read);
    }
  });
});
