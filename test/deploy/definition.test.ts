/** The definition of the policies: what Cilium's accepts it accepts, what Cilium's refuses by name it refuses. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { chartDefinitions } from './chart-template.ts';
import { compileSchema } from './json-schema.ts';
import { KUSTOMIZE } from './manifest.ts';

const FILE = `${KUSTOMIZE}crd/ciliumlocalredirectpolicies.yaml`;

interface Schema {
  readonly [word: string]: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
}
interface Definition {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly names: object;
    readonly group: string;
    readonly scope: string;
    readonly versions: readonly {
      readonly name: string;
      readonly schema: { readonly openAPIV3Schema: Schema };
      readonly [field: string]: unknown;
    }[];
  };
}
const definition = parse(readFileSync(FILE, 'utf8')) as Definition;
const [version] = definition.spec.versions;
const schema = version?.schema.openAPIV3Schema ?? {};
const against = compileSchema(schema);

function at(...path: readonly string[]): Schema {
  return path.reduce<Schema>((from, name) => from.properties?.[name] ?? {}, schema);
}

/** As both field reports have it. */
const POLICY = {
  apiVersion: 'cilium.io/v2',
  kind: 'CiliumLocalRedirectPolicy',
  metadata: { name: 'nodelocaldns', namespace: 'kube-system' },
  spec: {
    redirectFrontend: { serviceMatcher: { serviceName: 'kube-dns', namespace: 'kube-system' } },
    redirectBackend: {
      localEndpointSelector: { matchLabels: { 'k8s-app': 'node-local-dns' } },
      toPorts: [
        { port: '53', name: 'dns', protocol: 'UDP' },
        { port: '53', name: 'dns-tcp', protocol: 'TCP' },
      ],
    },
  },
};
const BACKEND = POLICY.spec.redirectBackend;
const withSpec = (spec: object) => ({ ...POLICY, spec: { ...POLICY.spec, ...spec } });
const withPort = (port: string) =>
  withSpec({ redirectBackend: { ...BACKEND, toPorts: [{ port, protocol: 'UDP' }] } });
const withAddress = (ip: string) =>
  withSpec({ redirectFrontend: { addressMatcher: { ip, toPorts: [{ port: '80', protocol: 'TCP' }] } } });

describe('the definition of the policies', () => {
  it('has the names of the original', () => {
    expect(definition).toMatchObject({
      metadata: { name: 'ciliumlocalredirectpolicies.cilium.io' },
      spec: { group: 'cilium.io', scope: 'Namespaced' },
    });
    expect(definition.spec.names).toEqual({
      kind: 'CiliumLocalRedirectPolicy',
      listKind: 'CiliumLocalRedirectPolicyList',
      plural: 'ciliumlocalredirectpolicies',
      singular: 'ciliumlocalredirectpolicy',
      shortNames: ['clrp'],
      categories: ['cilium', 'ciliumpolicy'],
    });
    expect(definition.spec.versions).toMatchObject([
      { name: 'v2', served: true, storage: true, subresources: {} },
    ]);
    expect(version?.additionalPrinterColumns).toEqual([
      { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
    ]);
  });

  it.each([
    { path: [], required: ['metadata'] },
    { path: ['spec'], required: ['redirectBackend', 'redirectFrontend'] },
    { path: ['spec', 'redirectFrontend'], required: undefined },
    { path: ['spec', 'redirectFrontend', 'addressMatcher'], required: ['ip', 'toPorts'] },
    { path: ['spec', 'redirectFrontend', 'serviceMatcher'], required: ['namespace', 'serviceName'] },
    { path: ['spec', 'redirectBackend'], required: ['localEndpointSelector', 'toPorts'] },
    { path: ['spec', 'redirectBackend', 'localEndpointSelector'], required: undefined },
    { path: ['status'], required: undefined },
  ])('requires of $path what the original requires', ({ path, required }) => {
    expect(at(...path).required).toEqual(required);
  });

  it.each(['redirectFrontend', 'redirectBackend', 'skipRedirectFromBackend'])(
    'lets nobody change %s, in the words of the original',
    (field) => {
      expect(at('spec', field)['x-kubernetes-validations']).toEqual([
        { rule: 'self == oldSelf', message: `${field} is immutable` },
      ]);
    },
  );

  it('keeps fields it does not know, and what agents write to the status', () => {
    for (const path of [
      ['spec'],
      ['spec', 'redirectFrontend'],
      ['spec', 'redirectFrontend', 'addressMatcher'],
      ['spec', 'redirectFrontend', 'serviceMatcher'],
      ['spec', 'redirectBackend'],
      ['status'],
    ]) {
      expect(at(...path)['x-kubernetes-preserve-unknown-fields'], path.join('.')).toBe(true);
    }
    expect(at('spec', 'skipRedirectFromBackend').default).toBe(false);
  });

  it.each([
    { name: 'the policy of both field reports', object: POLICY },
    { name: 'an object without a spec', object: { ...POLICY, spec: undefined } },
    { name: 'an empty list of ports', object: withSpec({ redirectBackend: { ...BACKEND, toPorts: [] } }) },
    {
      name: 'an empty selector',
      object: withSpec({ redirectBackend: { ...BACKEND, localEndpointSelector: {} } }),
    },
    { name: 'an IPv4 address', object: withAddress('169.254.169.254') },
    { name: 'an IPv6 address', object: withAddress('fd00::10') },
    { name: 'IPv4 in IPv6', object: withAddress('::ffff:10.0.0.1') },
    { name: 'an address with a zone', object: withAddress('fe80::1%eth0') },
    { name: 'white space around an address', object: withAddress(' 10.0.0.1 ') },
    { name: 'a field of a later version', object: withSpec({ nodeSelector: { matchLabels: {} } }) },
    { name: 'conditions', object: { ...POLICY, status: { ok: true, conditions: [{ type: 'Accepted' }] } } },
  ])('accepts $name', ({ object }) => {
    expect(against(JSON.parse(JSON.stringify(object)))).toEqual([]);
  });

  it('accepts every port there is, and those with leading zeros as the original does', () => {
    const refused = Array.from({ length: 65535 }, (_, index) => String(index + 1)).filter(
      (port) => !portPattern().test(port),
    );
    expect(refused).toEqual([]);
    expect(against(withPort('053'))).toEqual([]);
    for (const port of ['0', '65536', '99999', '100000', '5x', '', '-1', ' 53']) {
      expect(against(withPort(port)), port).not.toEqual([]);
    }
  });

  it.each([
    {
      name: 'both matchers',
      object: withSpec({
        redirectFrontend: {
          ...POLICY.spec.redirectFrontend,
          addressMatcher: { ip: '10.0.0.1', toPorts: [{ port: '53', protocol: 'UDP' }] },
        },
      }),
    },
    { name: 'neither matcher', object: withSpec({ redirectFrontend: {} }) },
    { name: 'no backend', object: { ...POLICY, spec: { redirectFrontend: POLICY.spec.redirectFrontend } } },
    {
      name: 'another protocol',
      object: withSpec({ redirectBackend: { ...BACKEND, toPorts: [{ port: '53', protocol: 'SCTP' }] } }),
    },
    {
      name: 'a port that is a number',
      object: withSpec({ redirectBackend: { ...BACKEND, toPorts: [{ port: 53, protocol: 'UDP' }] } }),
    },
    { name: 'a word for an address', object: withAddress('localhost') },
    {
      name: 'an operator that labels do not have',
      object: withSpec({
        redirectBackend: {
          ...BACKEND,
          localEndpointSelector: { matchExpressions: [{ key: 'a', operator: 'Gt' }] },
        },
      }),
    },
    {
      name: 'a label value that is none',
      object: withSpec({
        redirectBackend: { ...BACKEND, localEndpointSelector: { matchLabels: { a: '-b' } } },
      }),
    },
  ])('refuses $name', ({ object }) => {
    expect(against(object)).not.toEqual([]);
  });

  it('is the same in the chart', () => {
    expect(chartDefinitions()).toEqual([definition]);
  });
});

function portPattern(): RegExp {
  const items = at('spec', 'redirectBackend', 'toPorts').items as Schema;
  return new RegExp(String(items.properties?.port?.pattern));
}
