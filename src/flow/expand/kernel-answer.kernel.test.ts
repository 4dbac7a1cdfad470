/** What is told of a query that the packet program itself answered: from its own record, over both families. Needs root. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { AnswerRig, addressAnswer, dnsQuery } from '../../datapath/testing/answer-rig.ts';
import { FAMILIES } from '../../datapath/testing/program-rig.ts';
import { TestNode } from '../testing/test-node.ts';

const NAME = ['www', 'example', 'org'];
let rig: AnswerRig;

beforeAll(async () => {
  rig = await AnswerRig.open('answer-flows');
});

afterAll(() => rig.close());

beforeEach(() => rig.reset());

test.each(FAMILIES)('over $name both packets and both messages are told, with who answered', ({ family }) => {
  rig.put(addressAnswer(NAME, { answers: [{ type: 1, data: Uint8Array.of(198, 51, 100, 1) }] }));
  const asked = rig.rig.query(family, { payload: dnsQuery({ labels: NAME, id: 4711, opt: {} }) });
  rig.run(asked);
  const [event] = rig.programs.events();
  if (event === undefined) throw new Error('The program told nothing');
  const node = new TestNode();
  const flows = node.see(event);
  expect(flows.map(({ verdict, is_reply }) => `${verdict} ${is_reply}`)).toEqual([
    ...['FORWARDED false', 'TRACED undefined', 'FORWARDED false', 'FORWARDED true', 'FORWARDED true'],
  ]);
  expect(flows[1]?.Summary).toBe('UDP answered by the kernel');
  expect(flows.flatMap(({ l7 }) => l7 ?? [])).toMatchObject([
    { type: 'REQUEST', dns: { query: 'www.example.org.', qtypes: ['A'], observation_source: 'kernel' } },
    { type: 'RESPONSE', dns: { ips: ['198.51.100.1'], observation_source: 'kernel' } },
  ]);
  expect(Number(flows.at(-1)?.l7?.latency_ns)).toBe(event.tookNs);
  expect(flows.at(-1)?.IP).toMatchObject({ source: asked.destination, destination: asked.source });
  expect(new Set(flows.map(({ trace_context }) => trace_context?.parent.trace_id)).size).toBe(1);
  expect(node.packets.flowsEver).toBe(flows.length);
});
