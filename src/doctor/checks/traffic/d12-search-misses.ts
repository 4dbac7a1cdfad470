/**
 * Queries that the search list makes and that find nothing: with ndots:5 a name of the outside is asked for with every end
 * of the list first, twice over for A and AAAA. Harmless as long as a cache on the node answers them; many at once are what
 * outages of cluster DNS are made of.
 */
import type { ObjectKey } from '../../../cluster/rows.ts';
import { objectKey } from '../../../cluster/rows.ts';
import type { Check, Finding, Fix } from '../../check.ts';
import { knownOr } from '../../site/known.ts';
import type { Site } from '../../site/site.ts';
import { patchWorkload } from '../patch-workload.ts';
import { countText, type SummarisedNode, secondsText, shareText, summarised } from './flow-checks.ts';

export const d12: Check = {
  id: 'D12',
  title: 'Most queries are made by search lists and find nothing',
  pains: ['P13', 'P24'],
  needs: { agent: ['flows'] },
  run: (site) => summarised(site).flatMap((node) => finding(site, node)),
};

const LEAST_MISSES = 20;
const LARGE_SHARE = 0.4;
/** A second. Below it the waste is there and nobody feels it. */
const FELT_RATE = 50;

function finding(site: Site, { name, flows, seconds }: SummarisedNode): readonly Finding[] {
  const { queries, searchMisses, topNames, topPods, topSuffixes } = flows;
  if (searchMisses < LEAST_MISSES || searchMisses < queries * LARGE_SHARE) return [];
  const wasting = topPods
    .filter((pod) => pod.searchMisses > 0)
    .sort((a, b) => b.searchMisses - a.searchMisses);
  const rate = searchMisses / seconds;
  return [
    {
      id: 'D12',
      severity: rate >= FELT_RATE ? 'warning' : 'info',
      title: d12.title,
      node: name,
      evidence: [
        `${shareText(searchMisses, queries, 'queries')} in ${secondsText(seconds)} came of search lists and were answered NXDOMAIN`,
        ...wasting
          .slice(0, 3)
          .map(
            (pod) => `${pod.pod}: ${countText(pod.searchMisses)} of its ${countText(pod.queries)} queries`,
          ),
        `with the ends ${topSuffixes
          .slice(0, 4)
          .map(({ suffix, misses }) => `${suffix} (${countText(misses)})`)
          .join(', ')}`,
        `most asked: ${topNames
          .slice(0, 5)
          .map((top) => `${top.name} (${countText(top.queries)})`)
          .join(', ')}`,
      ],
      cause:
        'options ndots:5 of resolv.conf: a name with fewer than five dots is tried with every end of the search list before it is tried as it is',
      fix: fixFor(site, wasting[0]?.pod),
    },
  ];
}

/** For the pod that wastes most; a change of its template is what lasts. */
function fixFor({ cluster }: Site, pod: ObjectKey | undefined): Fix {
  const row = knownOr(cluster.pods, []).find((one) => objectKey(one) === pod);
  const { workload, namespace = '' } = row ?? {};
  const command =
    workload === undefined
      ? undefined
      : patchWorkload({ ...workload, namespace }, { dnsConfig: { options: [NDOTS] } });
  if (command !== undefined) return { kind: 'command', text: command };
  const where = pod === undefined ? 'pods that ask for names of the outside' : `pod ${pod}`;
  return {
    kind: 'text',
    text: `Put into the spec of ${where}, so that a name with two dots is tried as it is first:\n${JSON.stringify({ dnsConfig: { options: [NDOTS] } })}`,
  };
}

const NDOTS = { name: 'ndots', value: '2' };
