/** A cache that a policy redirects to must leave interfaces and packet filter alone: both are then somebody else's work. */
import type { Check, Finding, Fix } from '../../check.ts';
import { type DnsServer, dnsPicture, nodeCacheSwitches } from '../../picture/dns-picture.ts';
import { policiesFor } from '../../picture/redirects.ts';
import { addArguments, workloadOf } from '../patch-workload.ts';
import { isStockUnderReplacement } from './d27-stock-manifest.ts';

export const d28: Check = {
  id: 'D28',
  title: 'The node cache sets up the node although a policy redirects to it',
  pains: ['P1', 'P9', 'P10'],
  needs: { cluster: ['services', 'workloads', 'pods', 'localRedirectPolicies'] },
  run(site) {
    const picture = dnsPicture(site);
    return picture.caches.flatMap((cache) => {
      const policies = policiesFor(cache, site.cluster, picture);
      const missing = missingSwitches(cache);
      // A cache on the host that zerohop redirects to by address needs its interface.
      const hosted = policies.some(({ backendAddresses }) => backendAddresses !== undefined);
      if (policies.length === 0 || hosted || missing.length === 0) return [];
      if (isStockUnderReplacement(cache, picture, site.cluster)) return [];
      return [finding(cache, missing, policies.map(({ key }) => key).join(', '))];
    });
  },
};

function missingSwitches(cache: DnsServer): readonly string[] {
  const switches = nodeCacheSwitches(cache);
  if (switches === undefined) return [];
  return [
    ...(switches.skipTeardown ? [] : ['-skipteardown=true']),
    ...(switches.setupInterface ? ['-setupinterface=false'] : []),
    ...(switches.setupIptables ? ['-setupiptables=false'] : []),
  ];
}

function finding(cache: DnsServer, missing: readonly string[], policies: string): Finding {
  const list = missing.join(' ');
  return {
    id: 'D28',
    severity: 'warning',
    title: d28.title,
    object: cache.name,
    evidence: [
      `policy ${policies} redirects to ${cache.name}`,
      `its container ${cache.container.name} lacks ${list}`,
    ],
    cause: cache.spec.hostNetwork
      ? 'the cache adds its interface and rules to the node and takes them away when it ends, in competition with the redirect'
      : 'the cache makes an interface and rules within its own pod, for which it needs rights it should not have, and logs an error for each that it cannot make',
    fix: fixOf(cache, missing),
  };
}

function fixOf(cache: DnsServer, missing: readonly string[]): Fix {
  const workload = workloadOf(cache.name);
  const place = cache.spec.containers.indexOf(cache.container);
  const command = workload === undefined ? undefined : addArguments(workload, Math.max(0, place), missing);
  if (command !== undefined) return { kind: 'command', text: command };
  const args = [...cache.container.args, ...missing].map((arg) => JSON.stringify(arg)).join(', ');
  return {
    kind: 'text',
    text: `Set the arguments of container ${cache.container.name} to:\nargs: [${args}]`,
  };
}
