/**
 * Answers that did not fit into a datagram (TC, RFC 2181 section 9): the client has to ask again by TCP, which the resolver
 * of musl before 1.2.4 never does, and a client without EDNS gets 512 bytes only.
 */
import type { Check, Finding, Fix } from '../../check.ts';
import type { FlowSummary } from '../../site/agent-facts.ts';
import { shellWord } from '../shell-word.ts';
import { type SummarisedNode, secondsText, shareText, summarised } from './flow-checks.ts';

export const d14: Check = {
  id: 'D14',
  title: 'Answers do not fit, and their clients do not ask by TCP',
  pains: ['P14', 'P15'],
  needs: { agent: ['flows'] },
  run: (site) => summarised(site).flatMap(finding),
};

/** Truncation that is followed by TCP is as it should be; much of it costs a second round for each answer. */
const LARGE_SHARE = 0.05;
const LEAST_TRUNCATED = 20;

function finding({ name, flows, seconds }: SummarisedNode): readonly Finding[] {
  const { queries, truncated, truncatedAndDropped, truncatedWithoutEdns, droppingPods } = flows;
  const dropped = truncatedAndDropped > 0;
  const many = truncated >= LEAST_TRUNCATED && truncated > queries * LARGE_SHARE;
  if (!dropped && !many) return [];
  const [pod] = droppingPods;
  return [
    {
      id: 'D14',
      severity: dropped ? 'broken' : 'warning',
      title: dropped ? d14.title : 'Many answers do not fit into a datagram',
      node: name,
      ...(droppingPods.length === 1 && pod !== undefined ? { pod } : {}),
      evidence: [
        `${truncated} answers by UDP were truncated in ${secondsText(seconds)}: ${shareText(truncated, queries, 'queries')}`,
        ...(dropped
          ? [
              `${truncatedAndDropped} of them were not asked for again by TCP: pods ${droppingPods.join(', ')}`,
            ]
          : []),
        ...(truncatedWithoutEdns > 0
          ? [`${truncatedWithoutEdns} answered queries without EDNS, which may have 512 bytes`]
          : []),
        ...(flows.parallelQueries > 0
          ? [`${flows.parallelQueries} queries went to two servers at once, which is how musl asks`]
          : []),
      ],
      cause: causeOf(flows),
      fix: fixOf(flows),
    },
  ];
}

function causeOf({ truncatedAndDropped, truncatedWithoutEdns, truncated }: FlowSummary): string {
  if (truncatedAndDropped > 0)
    return 'the resolver in these pods ignores the TC bit (musl before 1.2.4, in Alpine up to 3.17), or TCP to port 53 is closed to them: names with many records are seen as without any';
  if (truncatedWithoutEdns * 2 > truncated)
    return 'these clients do not use EDNS, so everything beyond 512 bytes is asked for twice';
  return 'answers are larger than the client or the server allows by UDP, and each is asked for twice';
}

function fixOf({ droppingPods, truncatedAndDropped }: FlowSummary): Fix {
  const [pod = ''] = droppingPods;
  const [namespace = '', name = ''] = pod.split('/');
  if (truncatedAndDropped > 0)
    return {
      kind: 'command',
      text: [
        `kubectl exec -n ${shellWord(namespace)} ${shellWord(name)} -- sh -c 'cat /etc/alpine-release; ldd --version 2>&1 | head -2' # 3.18 and later ask by TCP`,
        `zerohop observe --pod ${shellWord(pod)} --port 53 --protocol tcp --last 20 # nothing: TCP is closed, or never tried`,
      ].join('\n'),
    };
  return {
    kind: 'text',
    text: 'Put into the spec of the pods, so that glibc says how much it takes:\n{"dnsConfig":{"options":[{"name":"edns0"}]}}',
  };
}
