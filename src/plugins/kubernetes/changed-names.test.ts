import { describe, expect, it } from 'vitest';
import { type ClusterSnapshot, EMPTY_SNAPSHOT } from '../../cluster/snapshot.ts';
import { createStore } from '../../store/store.ts';
import type { Host } from '../contract.ts';
import { fakeHost, setUp } from '../fake-host.ts';
import { type ClusterFixture, clusterSnapshot } from './cases/cluster-fixture.ts';
import { setup } from './setup.ts';

const DIRECTIVE = 'kubernetes cluster.local in-addr.arpa ip6.arpa';

/** Starts on one cluster, changes to another, and gives what caches were told to forget. */
function changed(before: ClusterFixture, after: ClusterFixture, lines = DIRECTIVE): readonly string[] {
  const { fake, store } = start(lines, clusterSnapshot(before));
  fake.changed.splice(0);
  store.set(clusterSnapshot(after));
  return [...fake.changed].sort();
}

function start(lines: string, first: ClusterSnapshot) {
  const fake = fakeHost();
  const store = createStore(first);
  const host: Host = { ...fake, cluster: () => store };
  const instance = setUp(setup, lines, { host });
  void instance.onStart?.();
  return { fake, store, instance };
}

const base: ClusterFixture = {
  namespaces: ['ns'],
  services: [
    { ns: 'ns', name: 'web', ips: ['10.96.0.1'], ports: ['http 80/TCP'] },
    { ns: 'ns', name: 'db', ports: ['sql 5432/TCP'] },
    { ns: 'ns', name: 'alias', externalName: 'web.ns.svc.cluster.local' },
    { ns: 'ns', name: 'alias-of-alias', externalName: 'Alias.ns.svc.cluster.local.' },
    { ns: 'ns', name: 'member', externalName: 'db-0.db.ns.svc.cluster.local' },
    { ns: 'ns', name: 'elsewhere', externalName: 'example.org' },
  ],
  slices: [{ ns: 'ns', service: 'db', name: 'db-1', endpoints: [{ ips: ['10.1.0.1'], hostname: 'db-0' }] }],
};

function withService(name: string, fields: object): ClusterFixture {
  return {
    ...base,
    services: base.services?.map((one) => (one.name === name ? { ...one, ...fields } : one)) ?? [],
  };
}

function withEndpoints(
  ...endpoints: NonNullable<ClusterFixture['slices']>[number]['endpoints'][number][]
): ClusterFixture {
  return { ...base, slices: [{ ns: 'ns', service: 'db', name: 'db-1', endpoints }] };
}

describe('kubernetes tells caches', () => {
  it('the service, its aliases, and the addresses it has and had', () => {
    expect(changed(base, withService('web', { ips: ['10.96.0.2', 'fd00::2'] }))).toEqual([
      '1.0.96.10.in-addr.arpa.',
      '2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa.',
      '2.0.96.10.in-addr.arpa.',
      'alias-of-alias.ns.svc.cluster.local.',
      'alias.ns.svc.cluster.local.',
      'web.ns.svc.cluster.local.',
    ]);
  });

  it('the service of endpoints that changed, and only the addresses that came or went', () => {
    const after = withEndpoints({ ips: ['10.1.0.1'], hostname: 'db-0' }, { ips: ['10.1.0.2'] });
    expect(changed(base, after)).toEqual([
      '2.0.1.10.in-addr.arpa.',
      'db.ns.svc.cluster.local.',
      'member.ns.svc.cluster.local.',
    ]);
  });

  it('an address whose host name changed', () => {
    expect(changed(base, withEndpoints({ ips: ['10.1.0.1'], hostname: 'db-9' }))).toContain(
      '1.0.1.10.in-addr.arpa.',
    );
  });

  it('an endpoint that is no longer ready', () => {
    const after = withEndpoints({ ips: ['10.1.0.1'], hostname: 'db-0', ready: false });
    expect(changed(base, after)).toContain('1.0.1.10.in-addr.arpa.');
  });

  it('an alias that leads somewhere else', () => {
    expect(changed(base, withService('elsewhere', { externalName: 'example.net' }))).toEqual([
      'elsewhere.ns.svc.cluster.local.',
    ]);
  });

  it('a namespace that came, with all that is in it', () => {
    expect(changed(base, { ...base, namespaces: ['ns', 'new'] })).toEqual([
      'new.pod.cluster.local.',
      'new.svc.cluster.local.',
    ]);
  });

  it('aliases into a namespace that went', () => {
    const services = [
      { ns: 'a', name: 'alias', externalName: 'web.b.svc.cluster.local' },
      ...(base.services ?? []),
    ];
    const { namespaces: _, ...rest } = base;
    expect(
      changed({ ...rest, services, namespaces: ['ns', 'b'] }, { ...rest, services, namespaces: ['ns'] }),
    ).toEqual(['alias.a.svc.cluster.local.', 'b.pod.cluster.local.', 'b.svc.cluster.local.']);
  });

  it('the pods that are verified', () => {
    const pod = { ns: 'ns', name: 'p', ips: ['10.1.0.9', 'fd00::9'] };
    const lines = `${DIRECTIVE} {\n pods verified\n}`;
    expect(changed(base, { ...base, pods: [pod] }, lines)).toEqual([
      '10-1-0-9.ns.pod.cluster.local.',
      'ns.pod.cluster.local.',
    ]);
    expect(changed(base, { ...base, pods: [pod] })).toEqual([]);
  });

  it('no pointer where no reverse zone is served', () => {
    expect(
      changed(base, withService('web', { ips: ['10.96.0.2'] }), 'kubernetes Cluster.Local other.zone'),
    ).toEqual(
      [
        'alias-of-alias.ns.svc.cluster.local.',
        'alias.ns.svc.cluster.local.',
        'web.ns.svc.cluster.local.',
        'alias-of-alias.ns.svc.other.zone.',
        'alias.ns.svc.other.zone.',
        'web.ns.svc.other.zone.',
      ].sort(),
    );
  });

  it('nothing of a change that no answer shows', () => {
    const { fake, store } = start(DIRECTIVE, clusterSnapshot(base));
    fake.changed.splice(0);
    const snapshot = clusterSnapshot(base);
    const services = new Map(
      [...snapshot.services].map(([key, row]) => [key, { ...row, selector: { app: 'x' } }]),
    );
    store.set({ ...snapshot, services });
    expect(fake.changed).toEqual([]);
  });

  it('the imports in the zones of other clusters alone', () => {
    const lines = 'kubernetes cluster.local set.local {\n multicluster set.local\n}';
    const imports = [{ ns: 'ns', name: 'web', ips: ['10.241.0.1'] }];
    expect(changed(base, { ...base, imports }, lines)).toEqual(['web.ns.svc.set.local.']);
    expect(changed(base, withService('elsewhere', { externalName: 'example.net' }), lines)).toEqual([
      'elsewhere.ns.svc.cluster.local.',
    ]);
  });

  it('whole zones when everything becomes known, or too much changes at once', () => {
    const { fake, store } = start(DIRECTIVE, EMPTY_SNAPSHOT);
    store.set(clusterSnapshot(base));
    const zones = ['cluster.local.', 'in-addr.arpa.', 'ip6.arpa.'];
    expect(fake.changed).toEqual(zones);
    const services = Array.from({ length: 2001 }, (_, i) => ({ ns: 'ns', name: `s${i}`, ips: [] }));
    expect(changed(base, { ...base, services })).toEqual(zones);
  });
});
