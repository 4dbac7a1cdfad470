import { expect, it } from 'vitest';
import { parseFlowsRequest, readFlows } from '../../flow/read-flows.ts';
import { FakeFlowLog } from '../../flow/testing/fake-flow-log.ts';
import { sampleFlow } from '../../flow/testing/sample-flow.ts';
import { formatTime } from '../../flow/time.ts';
import { Turns } from '../../flow/turns.ts';
import { systemClock } from '../../telemetry/clock.ts';
import { isKnown } from '../site/known.ts';
import { type NodeFlows, sumFlows } from './sum-flows.ts';

const KEPT = 20_000;

it('reads the newest of a full log, and no more of it than it can sum up in time', async () => {
  const log = new FakeFlowLog(KEPT);
  const startMs = systemClock.nowMs() - KEPT;
  for (let n = 0; n < KEPT; n++) {
    const timeNs = BigInt(Math.round(startMs + n)) * 1_000_000n;
    const time = formatTime(timeNs);
    const flow = sampleFlow({ time, event_type: { type: 129, sub_type: 0 } });
    log.push({ timeNs, responses: [{ flow, node_name: 'k8s-w1', time }] });
  }
  let told = 0;
  const source: NodeFlows = {
    node: 'k8s-w1',
    async *flows(request, signal) {
      const query = parseFlowsRequest(request);
      if (!query.ok) throw new Error(query.reason);
      const options = { log, query: query.value, nodeName: 'k8s-w1', clock: systemClock, signal };
      for await (const response of readFlows({ ...options, turns: new Turns() })) {
        told++;
        yield response;
      }
    },
  };
  const summaries = await sumFlows([source], {
    ...{ clock: systemClock, timeoutMs: 60_000, servers: [], domain: 'cluster.local' },
  });
  const summary = summaries.get('k8s-w1');
  expect(told).toBe(5000);
  expect(summary !== undefined && isKnown(summary) && Math.round(summary.value.sinceMs)).toBe(
    Math.round(startMs + KEPT - 5000),
  );
});
