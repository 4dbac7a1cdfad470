/** What the DNS server's cluster watch asks of a whole API server, held against the rules that manifests grant it. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createKubeClient } from '../../kube/client.ts';
import { startClusterWatch } from '../../kube/cluster-watch.ts';
import { DNS_MULTICLUSTER_RULES, DNS_RULES, DNS_VERIFIED_PODS_RULES } from '../../kube/rbac.ts';
import { grantsOf, isGranted, requestOf } from '../../kube/testing/rbac-check.ts';
import { createHeardLog, until } from '../../kube/testing/scripted-server.ts';
import { neededKinds } from '../../plugins/kubernetes/options.ts';
import { systemClock } from '../../telemetry/clock.ts';
import { createApiServer } from './http-server.ts';

vi.setConfig({ testTimeout: 30_000 });

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const thing of opened.splice(0).reverse()) await thing.close();
});

async function startRecording() {
  const api = createApiServer({ clock: systemClock });
  const requests: { readonly method: string; readonly url: string }[] = [];
  const server = createServer((req, res) => {
    requests.push({ method: req.method ?? '', url: req.url ?? '' });
    api.handler(req, res);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = createKubeClient({ server: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
  opened.push({
    close() {
      client.close();
      api.close();
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  });
  return { client, requests };
}

const cases = [
  { name: 'pods insecure', options: { endpoints: true, pods: 'insecure' }, rules: DNS_RULES },
  {
    name: 'pods verified',
    options: { endpoints: true, pods: 'verified' },
    rules: [...DNS_RULES, ...DNS_VERIFIED_PODS_RULES],
  },
  {
    name: 'multicluster',
    options: { endpoints: true, pods: 'disabled', multiclusterZones: ['clusterset.local.'] },
    rules: [...DNS_RULES, ...DNS_MULTICLUSTER_RULES],
  },
] as const;

describe('the rules of the DNS server', () => {
  it.each(cases)(
    'grant exactly what the kubernetes plugin asks for with $name',
    async ({ options, rules }) => {
      const { client, requests } = await startRecording();
      const kinds = neededKinds({ multiclusterZones: [], ...options } as Parameters<typeof neededKinds>[0]);
      const watch = startClusterWatch({
        ...{ client, kinds, log: createHeardLog(), clock: systemClock, random: Math.random },
      });
      opened.push(watch);
      const asked = () => requests.flatMap(({ method, url }) => requestOf(method, url) ?? []);
      // The lab does not know imports: there is nothing to watch, and the list is asked for.
      const settled = kinds.filter((kind) => kind !== 'serviceImports');
      await until('watches', () => asked().filter(({ verb }) => verb === 'watch').length >= settled.length);
      await until(
        'every kind',
        () => new Set(asked().map(({ resource }) => resource)).size >= grantsOf(rules).length / 2,
      );
      expect(asked().filter((request) => !isGranted(request, { cluster: rules }))).toEqual([]);
      const used = new Set(asked().map(({ apiGroup, resource, verb }) => `${apiGroup}/${resource} ${verb}`));
      const unused = grantsOf(rules).filter((grant) => !used.has(grant));
      expect(unused).toEqual(
        unused.filter((grant) => grant === 'multicluster.x-k8s.io/serviceimports watch'),
      );
    },
  );
});

describe('the check of rules', () => {
  it.each([
    { method: 'GET', url: '/api/v1/pods?limit=500', verb: 'list', resource: 'pods' },
    { method: 'GET', url: '/api/v1/pods?watch=true', verb: 'watch', resource: 'pods' },
    { method: 'GET', url: '/api/v1/namespaces', verb: 'list', resource: 'namespaces' },
    {
      method: 'PATCH',
      url: '/apis/cilium.io/v2/namespaces/a/ciliumlocalredirectpolicies/b',
      verb: 'patch',
      resource: 'ciliumlocalredirectpolicies',
    },
    { method: 'PUT', url: '/api/v1/namespaces/a/pods/b/status', verb: 'update', resource: 'pods/status' },
    { method: 'DELETE', url: '/api/v1/namespaces/a/pods', verb: 'deletecollection', resource: 'pods' },
  ])('reads $method $url as $verb of $resource', ({ method, url, verb, resource }) => {
    expect(requestOf(method, url)).toMatchObject({ verb, resource });
  });

  it('refuses what no rule grants, and a Role outside its namespace', () => {
    const rules = [{ apiGroups: [''], resources: ['pods'], verbs: ['list'] }];
    const list = (namespace: string) => ({ verb: 'list', apiGroup: '', resource: 'pods', namespace });
    expect(isGranted({ verb: 'watch', apiGroup: '', resource: 'pods' }, { cluster: rules })).toBe(false);
    const inNamespace = { namespace: 'a', rules };
    expect(isGranted(list('a'), { cluster: [], inNamespace })).toBe(true);
    expect(isGranted(list('b'), { cluster: [], inNamespace })).toBe(false);
  });
});
