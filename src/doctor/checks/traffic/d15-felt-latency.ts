/**
 * What a client waits against what its server takes, both of the same queries: histograms of a server begin when it reads a
 * query and so leave out everything that happens on the way, and every loss.
 */
import type { Check, Finding } from '../../check.ts';
import { shellWord } from '../shell-word.ts';
import { latencyText, type SummarisedNode, summarised } from './flow-checks.ts';

export const d15: Check = {
  id: 'D15',
  title: 'Clients wait much longer than their server takes',
  pains: ['P25'],
  needs: { agent: ['flows'] },
  run: (site) => summarised(site).flatMap(finding),
};

const LEAST_COUNT = 50;
/** Of the 99th percentile: what a network between two nodes never takes, and how much of the server's own it may be. */
const LARGE_GAP_MS = 20;
const LARGE_FACTOR = 3;

function finding({ name, flows }: SummarisedNode): readonly Finding[] {
  const { comparedLatencyMs: felt, serverLatencyMs: served, retries } = flows;
  if (felt === undefined || served === undefined || felt.count < LEAST_COUNT) return [];
  const gap = felt.p99 - served.p99;
  if (gap < LARGE_GAP_MS || felt.p99 < served.p99 * LARGE_FACTOR) return [];
  const lossy = gap >= 900;
  return [
    {
      id: 'D15',
      severity: 'warning',
      title: d15.title,
      node: name,
      evidence: [
        `at the clients: ${latencyText(felt)} (${felt.count} queries)`,
        `at the server's own interface, the same queries: ${latencyText(served)}`,
        `${retries} queries were sent again after more than a second`,
      ],
      cause: lossy
        ? 'a difference of a second and more is a packet that was lost and sent again: connection tracking, a full queue, or a server that restarted'
        : 'the time goes between the pod and the server: the network between nodes, address translation, or a queue on the way',
      fix: {
        kind: 'command',
        text: [
          `zerohop observe --node-name ${shellWord(name)} --slow ${Math.max(1, Math.round(felt.p99 / 2))} --last 20`,
          'nstat -az UdpRcvbufErrors IpExtInNoRoutes # on the node of the server: datagrams that found its queue full',
        ].join('\n'),
      },
    },
  ];
}
