import { expect, it } from 'vitest';
import type { WireDoctor, WireFinding } from '../wire.ts';
import { groupFindings, isHealthy } from './group-findings.ts';

const finding = (id: string, severity: WireFinding['severity'], node?: string): WireFinding => ({
  ...{ id, severity, title: id, evidence: [], cause: 'why', fix: { kind: 'text', text: 'do' } },
  ...(node === undefined ? {} : { node }),
});

it('tells once what is the same on several nodes, the worst first', () => {
  const groups = groupFindings([
    finding('D31', 'info', 'a'),
    finding('D31', 'info', 'b'),
    finding('D26', 'bypassed'),
    finding('D01', 'broken', 'a'),
    finding('D31', 'info', 'a'),
  ]);
  expect(groups.map(({ finding: { id }, where }) => [id, where])).toEqual([
    ['D01', ['a']],
    ['D26', []],
    ['D31', ['a', 'b']],
  ]);
});

const pod = (verdict: WireDoctor['pods'][number]['verdict']) => ({
  pod: 'a/b',
  node: 'w1',
  verdict,
  cause: '',
});
const report = (over: Partial<WireDoctor> = {}): WireDoctor => ({
  ...{ atMs: 0, findings: [finding('D31', 'info')], pods: [pod('ENTERED')], unknown: [] },
  ...over,
});

it.each([
  { name: 'every pod entered', over: {}, healthy: true },
  { name: 'nobody saw who answered one of them', over: { pods: [pod('ENTERED'), pod('UNKNOWN')] } },
  { name: 'nobody was probed', over: { pods: [] } },
  { name: 'a node was not looked at', over: { unknown: ['w2: it took too long'] } },
  { name: 'something was found', over: { findings: [finding('D26', 'bypassed')] } },
  { name: 'there is no report', over: { error: 'gone' } },
])('is healthy only when all is known and well: $name', ({ over, healthy = false }) => {
  expect(isHealthy(report(over))).toBe(healthy);
});
