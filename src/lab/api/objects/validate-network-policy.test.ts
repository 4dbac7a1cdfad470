import { describe, expect, it } from 'vitest';
import { withDefaults } from './defaults.ts';
import { validateNetworkPolicy } from './validate-network-policy.ts';

function specOf(spec: object): Readonly<Record<string, unknown>> {
  return withDefaults('NetworkPolicy', { spec }, () => '').spec as Readonly<Record<string, unknown>>;
}
const egress = (rule: object) => ({ podSelector: {}, policyTypes: ['Egress'], egress: [rule] });
const udp = (port: object) => egress({ ports: [{ protocol: 'UDP', ...port }] });
const to = (peer: object) => egress({ to: [peer] });

describe('validateNetworkPolicy', () => {
  it.each([
    { name: 'nothing but a selector', spec: { podSelector: {} } },
    { name: 'everything', spec: egress({}) },
    { name: 'a range', spec: udp({ port: 53, endPort: 60 }) },
    { name: 'a name', spec: udp({ port: 'dns-tcp' }) },
    { name: 'a block with a hole', spec: to({ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } }) },
    { name: 'both selectors', spec: to({ podSelector: {}, namespaceSelector: {} }) },
    { name: 'another protocol', spec: egress({ ports: [{ protocol: 'SCTP' }] }) },
  ])('takes $name', ({ spec }) => {
    expect(validateNetworkPolicy(specOf(spec))).toEqual([]);
  });

  it.each([
    { spec: to({}), says: 'must specify a peer' },
    { spec: to({ ipBlock: { cidr: '10.0.0.0/8' }, podSelector: {} }), says: 'both ipBlock and another peer' },
    { spec: to({ ipBlock: { cidr: '10.0.0.0' } }), says: 'must be a valid CIDR value' },
    { spec: to({ ipBlock: { cidr: '10.0.0.0/8', except: ['11.0.0.0/16'] } }), says: 'strict subset' },
    { spec: to({ ipBlock: { cidr: '10.0.0.0/8', except: ['10.0.0.0/8'] } }), says: 'strict subset' },
    { spec: udp({ port: 0 }), says: 'between 1 and 65535' },
    { spec: udp({ port: '53' }), says: 'at least one letter' },
    { spec: udp({ port: 53, endPort: 52 }), says: 'greater than or equal to `port`' },
    { spec: udp({ port: 'dns', endPort: 60 }), says: '`port` is non-numeric' },
    { spec: udp({ endPort: 60 }), says: '`port` is not specified' },
    { spec: udp({ protocol: 'udp' }), says: 'Unsupported value: "udp"' },
    { spec: { podSelector: {}, policyTypes: ['egress'] }, says: 'Unsupported value: "egress"' },
    {
      spec: { podSelector: { matchExpressions: [{ key: 'a', operator: 'Like' }] } },
      says: 'not a valid selector operator',
    },
    {
      spec: to({ podSelector: { matchExpressions: [{ key: 'a', operator: 'In', values: [] }] } }),
      says: "when `operator` is 'In' or 'NotIn'",
    },
  ])('refuses with "$says"', ({ spec, says }) => {
    expect(validateNetworkPolicy(specOf(spec)).map(({ message }) => message)).toEqual([
      expect.stringContaining(says),
    ]);
  });
});

describe('withDefaults of a NetworkPolicy', () => {
  it.each([
    { spec: { podSelector: {} }, policyTypes: ['Ingress'] },
    { spec: { podSelector: {}, egress: [] }, policyTypes: ['Ingress'] },
    { spec: { podSelector: {}, egress: [{}] }, policyTypes: ['Ingress', 'Egress'] },
    { spec: { podSelector: {}, policyTypes: ['Egress'] }, policyTypes: ['Egress'] },
  ])('$spec: $policyTypes', ({ spec, policyTypes }) => {
    expect(specOf(spec)).toMatchObject({ policyTypes });
  });

  it('writes down the protocol that a missing one means', () => {
    expect(specOf({ egress: [{ ports: [{ port: 53 }] }] })).toMatchObject({
      egress: [{ ports: [{ port: 53, protocol: 'TCP' }] }],
    });
  });
});
