import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { GetFlowsResponse } from '../api.ts';
import { compileFilters } from '../filter/compile-filters.ts';
import { createFlowPrinter } from '../print/printer.ts';
import { KUBE_DNS, sampleFlow } from '../testing/sample-flow.ts';
import { answerFromJson } from './flow-from-json.ts';
import { readFlowLines } from './read-flow-lines.ts';

async function read(
  lines: readonly string[],
): Promise<{ responses: GetFlowsResponse[]; warnings: string[] }> {
  const warnings: string[] = [];
  const responses: GetFlowsResponse[] = [];
  async function* source() {
    yield* lines;
  }
  for await (const response of readFlowLines(source(), { warn: (text) => warnings.push(text) })) {
    responses.push(response);
  }
  return { responses, warnings };
}

const FLOW = sampleFlow({
  destination_service: KUBE_DNS,
  interface: { index: 3, name: 'eth0' },
  l4: { TCP: { source_port: 1, destination_port: 53, flags: { SYN: true } } },
  l7: { type: 'RESPONSE', latency_ns: '5', dns: { query: 'a.', qtypes: ['A'], ips: ['10.0.0.1'], ttl: 30 } },
});
const ANSWER: GetFlowsResponse = { flow: FLOW, node_name: 'worker-1', time: FLOW.time };

describe('readFlowLines', () => {
  it('reads again what was written', async () => {
    const lost: GetFlowsResponse = {
      lost_events: { source: 'HUBBLE_RING_BUFFER', num_events_lost: '7', cpu: 1 },
      node_name: 'worker-1',
      time: FLOW.time,
    };
    const status: GetFlowsResponse = {
      node_status: { state_change: 'NODE_GONE', node_names: ['a'] },
      node_name: 'relay',
      time: FLOW.time,
    };
    const answers = [ANSWER, lost, status];
    const { responses, warnings } = await read(answers.map((answer) => JSON.stringify(answer)));
    expect(responses).toEqual(answers);
    expect(warnings).toEqual([]);
  });

  it('reads a bare flow, as old clients wrote it', async () => {
    const { responses } = await read(['', JSON.stringify(FLOW)]);
    expect(responses[0]?.flow).toEqual(FLOW);
  });

  it('warns once of fields and once of lines that it does not know, and goes on', async () => {
    const odd = JSON.stringify({ ...ANSWER, flow: { ...FLOW, extensions: {}, uuid: 7 } });
    const { responses, warnings } = await read([odd, 'oops', odd, '[]', JSON.stringify(ANSWER)]);
    expect(responses).toHaveLength(3);
    expect(responses[0]?.flow?.Summary).toBe('UDP');
    expect(warnings).toHaveLength(2);
    expect(warnings[0]).toContain('line 1');
    expect(warnings[1]).toContain('line 2');
  });

  it('makes of any JSON something that can be filtered and printed, or nothing', () => {
    const filters = compileFilters({
      whitelist: [
        { source_pod: ['a/b'], source_label: ['a'], source_workload: [{ name: 'a' }] },
        { dns_query: ['a'] },
      ],
    });
    const field = fc.constantFrom(...Object.keys(FLOW), 'source_names', 'trace_context', 'egress_allowed_by');
    const part = fc.dictionary(field, fc.oneof(fc.jsonValue(), fc.constantFrom(...Object.values(FLOW))));
    fc.assert(
      fc.property(fc.oneof(part, fc.record({ flow: part }), fc.jsonValue()), (value) => {
        const flow = answerFromJson(value)?.response.flow;
        if (flow === undefined || !filters.ok) return;
        expect(typeof filters.value(flow)).toBe('boolean');
        for (const output of ['compact', 'dict', 'table', 'json']) {
          const printer = createFlowPrinter({ output, printPolicyNames: true });
          if (printer.ok) printer.value.print({ flow, node_name: '', time: '' });
        }
      }),
    );
  });
});
