/** What scenario files cannot say: lists that have not been read yet, and input that no API server would give. */
import { describe, expect, it } from 'vitest';
import type { LocalRedirectPolicyRow, PodRow, ServiceRow } from '../cluster/rows.ts';
import { type ClusterSnapshot, EMPTY_SNAPSHOT, type KindName } from '../cluster/snapshot.ts';
import { parseIp } from '../net/ip.ts';
import { toPort } from '../net/port.ts';
import { derive } from './derive.ts';
import { listFrontends } from './list-frontends.ts';

const ALL: readonly KindName[] = ['services', 'endpointSlices', 'pods', 'localRedirectPolicies'];

function snapshot(synced: readonly KindName[], addressed = false): ClusterSnapshot {
  const row = { namespace: 'demo', uid: '', createdAtMs: 0 };
  const address = parseIp('10.96.7.7');
  const podAddress = parseIp('172.20.0.11');
  const port = toPort(80);
  if (address === undefined || podAddress === undefined || port === undefined) throw new Error('bad fixture');
  const service: ServiceRow = {
    ...row,
    name: 'web',
    type: 'ClusterIP',
    clusterIPs: [address],
    headless: false,
    externalIPs: [],
    ports: [{ port, protocol: 'TCP' }],
    selector: {},
    publishNotReadyAddresses: false,
  };
  const pod: PodRow = {
    ...row,
    name: 'proxy',
    nodeName: 'k8s-w1',
    podIPs: [podAddress],
    hostNetwork: false,
    phase: 'Running',
    ready: true,
    deleting: false,
    labels: {},
    containerPorts: [],
  };
  const toPorts = [{ port: '80', protocol: 'TCP' }];
  const policy: LocalRedirectPolicyRow = {
    ...row,
    name: 'redirect',
    skipRedirectFromBackend: false,
    ...(addressed
      ? { addressMatcher: { ip: '10.96.7.7', toPorts } }
      : { serviceMatcher: { serviceName: 'web', namespace: 'demo', toPorts } }),
    backendSelector: { matchLabels: {}, matchExpressions: [] },
    backendPorts: toPorts,
  };
  return {
    ...EMPTY_SNAPSHOT,
    generation: 7,
    synced: new Set(synced),
    services: synced.includes('services') ? new Map([['demo/web', service]]) : new Map(),
    pods: new Map([['demo/proxy', pod]]),
    localRedirectPolicies: new Map([['demo/redirect', policy]]),
  };
}

describe('derive', () => {
  it('carries the generation of its snapshot', () => {
    expect(derive(snapshot(ALL), { nodeName: 'k8s-w1' }).generation).toBe(7);
  });

  it.each([
    { missing: 'services' as const },
    { missing: 'pods' as const },
    { missing: 'localRedirectPolicies' as const },
  ])('redirects nothing before $missing have been listed', ({ missing }) => {
    const table = derive(snapshot(ALL.filter((kind) => kind !== missing)), { nodeName: 'k8s-w1' });
    expect(table.redirects).toEqual([]);
    expect(table.policies).toMatchObject([
      { state: 'waiting', reason: `${missing} have not been listed yet` },
    ]);
  });

  it('does not take an address that may turn out to be a service’s', () => {
    const table = derive(snapshot(['pods', 'localRedirectPolicies'], true), { nodeName: 'k8s-w1' });
    expect(table.redirects).toEqual([]);
  });

  it('redirects without endpoint slices, which a redirect does not need', () => {
    const table = derive(snapshot(['services', 'pods', 'localRedirectPolicies']), { nodeName: 'k8s-w1' });
    expect(table.redirects).toMatchObject([{ type: 'LocalRedirect', policy: 'demo/redirect' }]);
  });

  it('lets an address matcher have a service’s address when the operator insists, and gives it back', () => {
    const options = { nodeName: 'k8s-w1', allowServiceAddresses: true };
    const taken = derive(snapshot(ALL, true), options);
    expect(taken.redirects).toMatchObject([
      { type: 'LocalRedirect', service: 'demo/redirect:local-redirect' },
    ]);
    const without = { ...snapshot(ALL, true), pods: new Map() };
    expect(listFrontends(without, derive(without, options))).toMatchObject([
      { type: 'ClusterIP', service: 'demo/web' },
    ]);
  });

  it('neither floods nor steers a terminal with what a stranger wrote into a policy', () => {
    const base = snapshot(ALL);
    const [policy] = [...base.localRedirectPolicies.values()];
    if (policy === undefined) throw new Error('bad fixture');
    const ports = [{ port: `\u001b[2J\u009b2J\n${'9'.repeat(100_000)}`, protocol: 'TCP' }];
    const rows = new Map([['demo/redirect', { ...policy, backendPorts: ports }]]);
    const [state] = derive({ ...base, localRedirectPolicies: rows }, { nodeName: 'k8s-w1' }).policies;
    expect(state?.state).toBe('malformed');
    expect(state?.reason.length).toBeLessThan(1100);
    expect(state?.reason).not.toMatch(/\p{Cc}/u);
  });

  it('keeps a reason readable when a hundred pods are in trouble', () => {
    const base = snapshot(ALL);
    const [pod] = [...base.pods.values()];
    if (pod === undefined) throw new Error('bad fixture');
    const pods = new Map(
      Array.from({ length: 100 }, (_, i) => [`demo/p${i}`, { ...pod, name: `p${i}`, ready: false }] as const),
    );
    const [state] = derive({ ...base, pods }, { nodeName: 'k8s-w1' }).policies;
    expect(state?.reason).toMatch(/^pod demo\/p0 is not ready; .*; and 94 more$/);
  });
});
