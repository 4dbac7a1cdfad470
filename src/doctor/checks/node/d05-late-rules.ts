/** The original puts its interface and rules there only when its first sync interval has passed: a minute after each start. */
import type { Check, Finding } from '../../check.ts';
import { knownOr } from '../../site/known.ts';
import type { NodeSite, Site } from '../../site/site.ts';
import { isNotrackOf, type NodeCacheProcess, nodeCaches } from './node-cache-process.ts';

export const d05: Check = {
  id: 'D05',
  title: 'The node cache runs and does not take queries yet',
  pains: ['P6'],
  needs: { node: ['rules', 'interfaces', 'processes'] },
  run: (site) =>
    site.nodes.flatMap((node) => nodeCaches(node.facts).flatMap((cache) => finding(node, cache, site) ?? [])),
};

function finding(
  { name, facts }: NodeSite,
  cache: NodeCacheProcess,
  { takenAtMs }: Site,
): Finding | undefined {
  const { startedAtMs, syncSeconds, localIps, setupInterface, setupIptables, label } = cache;
  if (startedAtMs === undefined) return undefined;
  const ageSeconds = Math.max(0, Math.round((takenAtMs - startedAtMs) / 1000));
  if (ageSeconds > syncSeconds) return undefined;
  const rules = knownOr(facts.rules, []);
  const bound = new Set(knownOr(facts.interfaces, []).flatMap(({ addresses }) => addresses));
  const evidence = localIps.flatMap((address) => [
    ...(setupIptables && !rules.some((rule) => isNotrackOf(rule, address))
      ? [`no rule NOTRACK for ${address} port 53 yet`]
      : []),
    ...(setupInterface && !bound.has(address) ? [`no interface has ${address} yet`] : []),
  ]);
  if (evidence.length === 0) return undefined;
  return {
    id: 'D05',
    severity: 'warning',
    title: d05.title,
    node: name,
    evidence: [
      `${label} started ${ageSeconds} s ago and looks after its rules every ${syncSeconds} s`,
      ...evidence,
    ],
    cause: cache.hasPidfile
      ? 'it has not come to its first look after interface and rules'
      : 'without -pidfile the first look is a whole -syncinterval after the start, and the same after every restart',
    fix: {
      kind: 'text',
      text: `Wait ${syncSeconds - ageSeconds} s and look again; start it with -pidfile, or run zerohop's cache, which sets up before it serves`,
    },
  };
}
