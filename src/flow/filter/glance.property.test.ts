import fc from 'fast-check';
import { expect, it } from 'vitest';
import { systemClock } from '../../telemetry/clock.ts';
import type { FlowFilter, GetFlowsRequest, GetFlowsResponse } from '../api.ts';
import { parseFlowsRequest, readFlows } from '../read-flows.ts';
import { anyPacket } from '../testing/any-packet.ts';
import { TestNode } from '../testing/test-node.ts';
import { formatTime, parseTime } from '../time.ts';
import { Turns } from '../turns.ts';
import { compileFilters } from './compile-filters.ts';

const address = fc.constantFrom(
  '172.20.1.5',
  '172.20.1.9',
  '10.96.0.10',
  'fd00:0::5',
  '172.20.0.0/16',
  '10.0.0.1',
);
const port = fc.constantFrom('53', '5353', '41022', '5000', '80');
const few = <T>(one: fc.Arbitrary<T>) => fc.array(one, { maxLength: 2 });
const filter: fc.Arbitrary<FlowFilter> = fc.record(
  {
    ...{ source_ip: few(address), destination_ip: few(address) },
    ...{ source_port: few(port), destination_port: few(port) },
    verdict: fc.constantFrom([], ['DROPPED' as const], ['TRANSLATED' as const]),
  },
  { requiredKeys: [] },
);

const START_NS = 1_772_532_000_000_000_000n;
const moment = fc.option(
  fc.nat(20).map((ms) => formatTime(START_NS + BigInt(ms) * 1_000_000n)),
  { nil: undefined },
);

/** By judging every flow that there is. */
function expected(node: TestNode, { whitelist, since, until }: GetFlowsRequest): readonly GetFlowsResponse[] {
  const matches = compileFilters({ ...(whitelist && { whitelist }) });
  if (!matches.ok) throw new Error(matches.reason);
  const [sinceNs = 0n, untilNs = 1n << 64n] = [parseTime(since ?? ''), parseTime(until ?? '')];
  const rows = Array.from({ length: node.recorder.flows.next }, (_, row) => node.responsesAt(row));
  return rows.flat().filter(({ flow, time }) => {
    const timeNs = parseTime(time) ?? 0n;
    return timeNs >= sinceNs && timeNs <= untilNs && (flow === undefined || matches.value(flow));
  });
}

it('a look at a packet hides no flow that is asked for', async () => {
  const request = fc.record({ whitelist: fc.array(filter, { maxLength: 3 }), since: moment, until: moment });
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyPacket, { maxLength: 12 }),
      request,
      async (events, { since, until, whitelist }) => {
        const node = new TestNode();
        for (const [ms, event] of events.entries()) node.see({ ...event, timeNs: BigInt(ms) * 1_000_000n });
        const asked: GetFlowsRequest = { whitelist, ...(since && { since }), ...(until && { until }) };
        const query = parseFlowsRequest(asked);
        if (!query.ok) throw new Error(query.reason);
        const answers = await Array.fromAsync(
          readFlows({
            ...{ log: node.recorder.flows, query: query.value, nodeName: 'k8s-w1' },
            ...{ clock: systemClock, signal: new AbortController().signal, turns: new Turns() },
          }),
        );
        expect(answers).toEqual(expected(node, asked));
      },
    ),
    { numRuns: 1000 },
  );
}, 60_000);

it('puts no flows together of packets between others', () => {
  const whitelist = [{ source_ip: ['10.0.0.1'] }, { destination_port: ['80'], source_port: ['53'] }];
  const query = parseFlowsRequest({ whitelist });
  const node = new TestNode();
  fc.assert(
    fc.property(anyPacket, (event) => {
      const { next } = node.recorder.flows;
      node.see(event);
      const glance = node.recorder.flows.glance(next);
      expect(query.ok && glance !== undefined && query.value.isPossible?.(glance)).toBe(false);
    }),
  );
});
