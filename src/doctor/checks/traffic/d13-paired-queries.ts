/**
 * A and AAAA from one source port within a millisecond, as glibc and musl send them. Where their packets are translated by
 * connection tracking, two processors may enter the same connection at once: one of the two is dropped, and the client waits
 * five seconds. Where a cache of the node takes them untracked, they are harmless.
 */
import type { Check, Finding } from '../../check.ts';
import { knownOr } from '../../site/known.ts';
import type { ConntrackFact, NodeFacts } from '../../site/node-facts.ts';
import { countText, type SummarisedNode, secondsText, shareText, summarised } from './flow-checks.ts';

export const d13: Check = {
  id: 'D13',
  title: 'Pairs of A and AAAA queries go through connection tracking',
  pains: ['P11'],
  needs: { agent: ['flows'], node: ['conntrack'] },
  run: (site) => summarised(site).flatMap(finding),
};

const LEAST_PAIRS = 10;

function finding({ name, node: { facts }, flows, seconds }: SummarisedNode): readonly Finding[] {
  const { pairsToServices, queries } = flows;
  if (pairsToServices < LEAST_PAIRS || !translates(facts)) return [];
  const failed = losses(knownOr<ConntrackFact | undefined>(facts.conntrack, undefined));
  const { retries } = flows;
  const hurts = failed.now > 0 || (failed.ever > 0 && retries > 0);
  return [
    {
      id: 'D13',
      severity: hurts ? 'warning' : 'info',
      title: d13.title,
      node: name,
      evidence: [
        `${countText(pairsToServices)} pairs left pods for the address of a service within ${secondsText(seconds)}: ${shareText(pairsToServices * 2, queries, 'queries')}`,
        `insert_failed ${failed.now > 0 ? `+${failed.now} while looking, ` : ''}${failed.ever} since boot; ${retries} queries were sent again after more than a second`,
      ],
      cause:
        'both packets of a pair make the same new connection; when two processors enter it at once one packet is dropped, and its query waits for the timeout of 5 s',
      fix: {
        kind: 'text',
        text: [
          'Let a cache on the node take queries ahead of connection tracking: kubectl apply -k deploy/kustomize/overlays/cache-and-agent',
          'until then, in the spec of pods that lose queries (glibc only):',
          '{"dnsConfig":{"options":[{"name":"single-request-reopen"}]}}',
        ].join('\n'),
      },
    },
  ];
}

/** Somebody on the node translates by connection tracking: kube-proxy by rules, or an entry that shows it. */
function translates({ proxy, conntrack }: NodeFacts): boolean {
  const mode = knownOr(proxy, undefined)?.mode;
  if (mode === 'iptables' || mode === 'nftables' || mode === 'ipvs') return true;
  return (
    knownOr(conntrack, undefined)?.entries.some((entry) => entry.replySource !== entry.destination) === true
  );
}

function losses(conntrack: ConntrackFact | undefined): { readonly now: number; readonly ever: number } {
  const ever = conntrack?.counters.insert_failed ?? 0;
  const before = conntrack?.before?.counters.insert_failed ?? ever;
  return { now: Math.max(0, ever - before), ever };
}
