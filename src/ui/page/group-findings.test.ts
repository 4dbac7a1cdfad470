import { expect, it } from 'vitest';
import type { WireFinding } from '../wire.ts';
import { groupFindings } from './group-findings.ts';

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
