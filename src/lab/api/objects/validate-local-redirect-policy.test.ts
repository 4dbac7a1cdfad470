import { describe, expect, it } from 'vitest';
import { validateLocalRedirectPolicy } from './validate-local-redirect-policy.ts';

const frontend = { serviceMatcher: { serviceName: 'kube-dns', namespace: 'kube-system' } };
const backend = {
  localEndpointSelector: { matchLabels: { 'k8s-app': 'node-local-dns' } },
  toPorts: [
    { port: '53', name: 'dns', protocol: 'UDP' },
    { port: '53', name: 'dns-tcp', protocol: 'TCP' },
  ],
};
const spec = { redirectFrontend: frontend, redirectBackend: backend };
const withPorts = (toPorts: unknown) => ({ ...spec, redirectBackend: { ...backend, toPorts } });
const withSelector = (localEndpointSelector: unknown) => ({
  ...spec,
  redirectBackend: { ...backend, localEndpointSelector },
});

describe('validateLocalRedirectPolicy', () => {
  it.each([
    { name: 'the policy of the field reports', value: spec },
    { name: 'no spec at all', value: undefined },
    {
      name: 'an address matcher',
      value: {
        ...spec,
        redirectFrontend: {
          addressMatcher: { ip: '169.254.169.254', toPorts: [{ port: '80', protocol: 'TCP' }] },
        },
      },
    },
    { name: 'an empty backend port list', value: withPorts([]) },
    {
      name: 'ports that upstream has holes for',
      value: withPorts([
        { port: '60000', protocol: 'TCP' },
        { port: '65535', protocol: 'TCP' },
      ]),
    },
    { name: 'an empty label value', value: withSelector({ matchLabels: { a: '' } }) },
    { name: 'an empty selector', value: withSelector({}) },
    {
      name: 'fields nobody knows',
      value: { ...spec, nodeSelector: {}, skipRedirectFromBackend: true, description: 'x' },
    },
  ])('accepts $name', ({ value }) => {
    expect(validateLocalRedirectPolicy(value)).toEqual([]);
  });

  it.each([
    {
      name: 'an empty spec',
      value: {},
      fields: ['spec.redirectFrontend', 'spec.redirectBackend'],
      says: 'Required value',
    },
    { name: 'a spec that is a list', value: [], fields: ['spec'], says: 'must be of type object: "array"' },
    {
      name: 'no matcher',
      value: { ...spec, redirectFrontend: {} },
      fields: ['spec.redirectFrontend'],
      says: 'oneOf',
    },
    {
      name: 'both matchers',
      value: { ...spec, redirectFrontend: { ...frontend, addressMatcher: { ip: '1.1.1.1', toPorts: [] } } },
      fields: ['spec.redirectFrontend'],
      says: 'oneOf',
    },
    {
      name: 'an address matcher without ports',
      value: { ...spec, redirectFrontend: { addressMatcher: { ip: '1.1.1.1' } } },
      fields: ['spec.redirectFrontend.addressMatcher.toPorts'],
      says: 'Required value',
    },
    {
      name: 'a service matcher without namespace',
      value: { ...spec, redirectFrontend: { serviceMatcher: { serviceName: 'x' } } },
      fields: ['spec.redirectFrontend.serviceMatcher.namespace'],
      says: 'Required value',
    },
    {
      name: 'no selector',
      value: { ...spec, redirectBackend: { toPorts: [] } },
      fields: ['spec.redirectBackend.localEndpointSelector'],
      says: 'Required value',
    },
    {
      name: 'a port that is a number',
      value: withPorts([{ port: 53, protocol: 'UDP' }]),
      fields: ['spec.redirectBackend.toPorts[0].port'],
      says: 'must be of type string: "integer"',
    },
    {
      name: 'port 0',
      value: withPorts([{ port: '0', protocol: 'UDP' }]),
      fields: ['spec.redirectBackend.toPorts[0].port'],
      says: '"0"',
    },
    {
      name: 'a lower-case protocol',
      value: withPorts([{ port: '53', protocol: 'udp' }]),
      fields: ['spec.redirectBackend.toPorts[0].protocol'],
      says: 'supported values: "TCP", "UDP"',
    },
    {
      name: 'a long label value',
      value: withSelector({ matchLabels: { a: 'x'.repeat(64) } }),
      fields: ['spec.redirectBackend.localEndpointSelector.matchLabels.a'],
      says: 'label value',
    },
    {
      name: 'an unknown operator',
      value: withSelector({ matchExpressions: [{ key: 'a', operator: 'Gt' }] }),
      fields: ['spec.redirectBackend.localEndpointSelector.matchExpressions[0].operator'],
      says: '"DoesNotExist"',
    },
  ])('refuses $name by field', ({ value, fields, says }) => {
    const causes = validateLocalRedirectPolicy(value);
    expect(causes.map((cause) => cause.field)).toEqual(fields);
    for (const cause of causes) expect(cause.message).toContain(says);
  });

  // Spec 1.2: three rules with these messages.
  it.each([
    {
      field: 'redirectFrontend',
      value: { ...spec, redirectFrontend: { serviceMatcher: { serviceName: 'x', namespace: 'y' } } },
    },
    { field: 'redirectBackend', value: withPorts([{ port: '5353', protocol: 'UDP' }]) },
    { field: 'skipRedirectFromBackend', value: { ...spec, skipRedirectFromBackend: true } },
  ])('refuses a change of $field', ({ field, value }) => {
    const causes = validateLocalRedirectPolicy(value, { ...spec, skipRedirectFromBackend: false });
    expect(causes).toHaveLength(1);
    expect(causes[0]?.message).toContain(`${field} is immutable`);
  });

  it('lets the description change', () => {
    expect(
      validateLocalRedirectPolicy({ ...spec, description: 'new' }, { ...spec, description: 'old' }),
    ).toEqual([]);
  });
});
