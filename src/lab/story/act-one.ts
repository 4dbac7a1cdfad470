/** Act 1, no policy: the query works, and goes past the node's cache. */

import type { Flow } from '../../flow/api.ts';
import { formatCompact } from '../../flow/print/compact.ts';
import { flowTraceId } from '../../flow/trace-id.ts';
import { findQueries, judgeQuery, type QueryVerdict, unseenVerdict } from '../../flow/verdict.ts';
import { showDoctor, startDoctor } from './ask-doctor.ts';
import {
  type Act,
  CLIENT,
  command,
  type DigAnswer,
  dig,
  digSummary,
  heading,
  indent,
  type Stage,
} from './stage.ts';

const NAME = 'google.com';

export const actOne: Act = async (stage) => {
  const { say } = stage;
  say(heading('Act 1  No policy: dig works, and no query enters the cache'));
  const report = startDoctor();
  const { answer, verdict } = await askAndJudge(stage);
  say(indent(verdict.evidence));
  return [
    ...(await showDoctor(stage, report, 'BYPASSED')),
    ...answerFailures(answer),
    ...(verdict.verdict === 'BYPASSED' ? [] : [`the query should have been BYPASSED: ${verdict.evidence}`]),
    ...(verdict.server?.startsWith('kube-system/coredns-')
      ? []
      : ['no coredns pod was seen to get the query']),
  ];
};

/** One dig in netshoot, its flows printed as `zerohop observe` prints them, and the verdict over it. */
export async function askAndJudge(stage: Stage): Promise<{ answer: DigAnswer; verdict: QueryVerdict }> {
  const { say, tap } = stage;
  tap.mark();
  say(command(`npx zerohop lab exec netshoot -- dig ${NAME}`));
  const answer = await dig(NAME);
  say(indent(digSummary(answer)));
  const flows = await tap.settled();
  const query = findQueries(flows, { clientPod: CLIENT, name: NAME }).at(-1);
  if (query === undefined) return { answer, verdict: unseenVerdict({ clientPod: CLIENT, name: NAME }) };
  const verdict = judgeQuery(flows, query, { caches: stage.caches });
  say('  its flows, as npx zerohop observe --protocol udp --port 53 --print-node-name shows them:');
  for (const flow of interesting(flows, query.traceId)) {
    say(indent(formatCompact({ flow, node_name: flow.node_name, time: flow.time }, { printNodeName: true })));
  }
  return { answer, verdict };
}

/** The query itself, and what the cache asked upstream because of it. */
function interesting(flows: readonly Flow[], traceId: string): Flow[] {
  const upstream = (flow: Flow) =>
    flow.l7?.dns?.query.toLowerCase() === `${NAME}.` &&
    [flow.source, flow.destination].some((end) => end.pod_name?.startsWith('node-local-dns-') === true) &&
    flowTraceId(flow) !== traceId;
  return flows.filter((flow) => flowTraceId(flow) === traceId || upstream(flow));
}

export function answerFailures(answer: DigAnswer): string[] {
  const failures: string[] = [];
  if (answer.status !== 'NOERROR') failures.push(`dig should have answered NOERROR: ${answer.status}`);
  if (!answer.addresses.includes('142.250.196.110')) failures.push(`dig should have the address of ${NAME}`);
  if (!answer.server.startsWith('10.96.0.10#53')) {
    failures.push(`the reply should come from the asked address: ${answer.server}`);
  }
  return failures;
}
