import { describe, expect, it } from 'vitest';
import { createStore } from '../../store/store.ts';
import type { Host } from '../contract.ts';
import { directivesOf, fakeBlock, fakeHost, name, setUp } from '../fake-host.ts';
import { ask } from '../fake-query.ts';
import { clusterSnapshot } from './cases/cluster-fixture.ts';
import { parseKubernetes } from './parse-directive.ts';
import { podSearchPath } from './search-path.ts';
import { setup } from './setup.ts';
import { createServiceIndex } from './view/service-index.ts';

const cluster = clusterSnapshot({
  namespaces: ['shop'],
  pods: [{ ns: 'shop', name: 'me', ips: ['10.1.0.1', 'fd00::1'] }],
});

function path(qname: string, client: string) {
  const host = fakeHost();
  const lines = 'kubernetes cluster.local other.zone {\n pods verified\n}';
  const { options, need } = parseKubernetes({ directives: directivesOf(lines), block: fakeBlock, host });
  const view = createServiceIndex({ clock: host.clock, kinds: need.kinds });
  view.follow(createStore(cluster));
  return podSearchPath({ options, view, hostSearch: [name('example.net')] }, ask(qname, 'A', { client }));
}

describe('podSearchPath', () => {
  it.each([
    [
      'cluster.local.',
      '10.1.0.1',
      ['shop.svc.cluster.local.', 'svc.cluster.local.', 'cluster.local.', 'example.net.', '.'],
    ],
    [
      'a.Other.Zone.',
      'fd00::1',
      ['shop.svc.other.zone.', 'svc.other.zone.', 'other.zone.', 'example.net.', '.'],
    ],
    ['cluster.local.', '10.1.0.2', undefined],
    ['example.org.', '10.1.0.1', undefined],
  ])('of %s asked by %s', (qname, client, expected) => {
    expect(path(qname, client)).toEqual(expected);
  });

  it.each([
    ['pods verified', true],
    ['pods insecure', false],
  ])('is offered with %s: %s', (option, offered) => {
    const fake = fakeHost();
    const host: Host = { ...fake, cluster: () => createStore(cluster) };
    const instance = setUp(setup, `kubernetes cluster.local {\n ${option}\n}`, { host });
    expect(instance.searchPath !== undefined).toBe(offered);
  });
});
