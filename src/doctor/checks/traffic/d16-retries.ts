/**
 * The same message from the same port more than a second later: a client that did not get its answer. What it hides behind
 * is a lookup that takes exactly as long as the resolver's timeout, and works.
 */
import type { Check, Finding, Fix } from '../../check.ts';
import { knownOr } from '../../site/known.ts';
import type { NodeFacts } from '../../site/node-facts.ts';
import { shellWord } from '../shell-word.ts';
import { type SummarisedNode, secondsText, shareText, summarised } from './flow-checks.ts';

export const d16: Check = {
  id: 'D16',
  title: 'Queries are sent again because their answers do not come',
  pains: ['P7', 'P12'],
  needs: { agent: ['flows'] },
  run: (site) => summarised(site).flatMap(finding),
};

/** One may be a laptop that slept; of many queries some are lost on every network. */
const LEAST_RETRIES = 3;
const USUAL_SHARE = 0.001;
/** From here on names cannot be resolved at all for somebody. */
const BROKEN_SHARE = 0.05;

function finding({ name, node: { facts }, flows, seconds }: SummarisedNode): readonly Finding[] {
  const { queries, retries, retryingPods, unanswered, lost } = flows;
  const missing = Math.max(retries, unanswered ?? 0);
  if (missing < LEAST_RETRIES || missing < queries * USUAL_SHARE) return [];
  const onlyPod = retryingPods.length === 1 ? retryingPods[0]?.pod : undefined;
  return [
    {
      id: 'D16',
      severity: missing >= queries * BROKEN_SHARE ? 'broken' : 'warning',
      title: d16.title,
      node: name,
      ...(onlyPod === undefined ? {} : { pod: onlyPod }),
      evidence: [
        `${retries} retries in ${secondsText(seconds)}: ${shareText(retries, queries, 'queries')}`,
        ...(unanswered === undefined
          ? [`the observer itself lost ${lost} packets, so nobody can say how many stayed without an answer`]
          : [`${unanswered} queries had no answer after 5 s`]),
        ...retryingPods.slice(0, 5).map((row) => `${row.pod}: ${row.retries}`),
      ],
      cause: causeOf(facts),
      fix: fixOf(name, onlyPod ?? retryingPods[0]?.pod),
    },
  ];
}

/** The most probable one of those that the node shows. */
function causeOf({ conntrack }: NodeFacts): string {
  const facts = knownOr(conntrack, undefined);
  const waiting = facts?.entries.filter(({ unreplied }) => unreplied).length ?? 0;
  const { insert_failed: now = 0 } = facts?.counters ?? {};
  const { insert_failed: before = now } = facts?.before?.counters ?? {};
  if (now > before) return 'connection tracking drops one of two packets that come at once (see D07 and D13)';
  if (waiting > 0)
    return `connections wait for a server that does not answer (${waiting} of them): retries from the same port go to the same one each time, until its entry is gone (see D07)`;
  return 'queries or answers are lost: a server that restarts or is overloaded, a full queue, or a network that drops';
}

function fixOf(node: string, pod: string | undefined): Fix {
  const who = pod === undefined ? `--node-name ${shellWord(node)}` : `--pod ${shellWord(pod)}`;
  return {
    kind: 'command',
    text: [
      `zerohop observe ${who} --port 53 --last 200 # who was asked the second time, and by whom it was answered`,
      'conntrack -L -p udp --orig-port-dst 53 2>/dev/null | grep UNREPLIED # on the node',
    ].join('\n'),
  };
}
