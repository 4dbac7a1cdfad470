/** What the kubernetes plugin's watch asks of an API server, held against the rules that manifests grant it. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { DNS_MULTICLUSTER_RULES, DNS_RULES, DNS_VERIFIED_PODS_RULES } from '../kube/rbac.ts';
import { grantsOf, isGranted, requestOf } from '../kube/testing/rbac-check.ts';
import { createHeardLog, startScriptedServer, until } from '../kube/testing/scripted-server.ts';
import { neededKinds } from '../plugins/kubernetes/options.ts';
import { systemClock } from '../telemetry/clock.ts';
import { loadClusterSource } from './cluster-source.ts';

vi.setConfig({ testTimeout: 30_000 });

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const thing of opened.splice(0).reverse()) await thing.close();
});

type Options = Parameters<typeof neededKinds>[0];
const IMPORTS = ['clusterset.local.'] as unknown as Options['multiclusterZones'];
const cases = [
  { name: 'pods insecure', pods: 'insecure', zones: [], rules: DNS_RULES },
  { name: 'pods verified', pods: 'verified', zones: [], rules: [...DNS_RULES, ...DNS_VERIFIED_PODS_RULES] },
  {
    name: 'multicluster',
    pods: 'disabled',
    zones: IMPORTS,
    rules: [...DNS_RULES, ...DNS_MULTICLUSTER_RULES],
  },
] as const;

describe('the rules of the DNS server', () => {
  it.each(cases)(
    'grant exactly what the kubernetes plugin asks for with $name',
    async ({ pods, zones, rules }) => {
      const server = await startScriptedServer((_req, res, url) => {
        if (url.searchParams.get('watch') === 'true') res.flushHeaders();
        else res.end(JSON.stringify({ metadata: { resourceVersion: '1' }, items: [] }));
      });
      opened.push(server);
      const source = await loadClusterSource({ clock: systemClock, random: Math.random });
      const kinds = neededKinds({ endpoints: true, pods, multiclusterZones: zones });
      opened.push(source.open({ kinds, endpoint: server.endpoint }, createHeardLog()));
      const asked = () =>
        server.requests.flatMap(
          (line) => requestOf(line.split(' ')[0] ?? '', line.split(' ')[1] ?? '') ?? [],
        );
      await until('the watches', () => asked().filter(({ verb }) => verb === 'watch').length >= kinds.length);
      expect(asked().filter((request) => !isGranted(request, { cluster: rules }))).toEqual([]);
      const used = new Set(asked().map(({ apiGroup, resource, verb }) => `${apiGroup}/${resource} ${verb}`));
      expect(grantsOf(rules).filter((grant) => !used.has(grant))).toEqual([]);
    },
  );
});
