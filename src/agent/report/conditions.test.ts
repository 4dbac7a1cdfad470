import { describe, expect, it } from 'vitest';
import { changeConditions, keptConditions } from './conditions.ts';
import type { Verdict } from './fold-reports.ts';

const NOON = Date.UTC(2026, 10, 22, 12);
const verdict = (fields: Partial<Verdict> = {}): Verdict => ({
  ...{ type: 'Realised', status: 'True', reason: 'EverywhereRealised', message: 'realised on 1 of 1 nodes' },
  ...fields,
});

describe('changeConditions', () => {
  it('writes a condition with the generation that the write itself makes (no status subresource)', () => {
    const written = changeConditions({
      current: undefined,
      verdicts: [verdict()],
      generation: 1,
      nowMs: NOON,
    });
    expect(written).toEqual([
      {
        ...verdict(),
        observedGeneration: 2,
        lastTransitionTime: '2026-11-22T12:00:00Z',
      },
    ]);
  });

  it('has nothing to write when the object says so, whatever its generation is', () => {
    const current = changeConditions({ current: [], verdicts: [verdict()], generation: 1, nowMs: NOON });
    for (const generation of [2, 3, 99])
      expect(
        changeConditions({ current, verdicts: [verdict()], generation, nowMs: NOON + 1e6 }),
      ).toBeUndefined();
  });

  it('moves the transition time with the status alone', () => {
    const current = changeConditions({ current: [], verdicts: [verdict()], generation: 1, nowMs: NOON });
    const words = changeConditions({
      ...{ current, generation: 2, nowMs: NOON + 60_000 },
      verdicts: [verdict({ message: 'realised on 2 of 2 nodes' })],
    });
    expect(words?.[0]).toMatchObject({ lastTransitionTime: '2026-11-22T12:00:00Z', observedGeneration: 3 });
    const turned = changeConditions({
      ...{ current: words, generation: 3, nowMs: NOON + 120_000 },
      verdicts: [verdict({ status: 'False' })],
    });
    expect(turned?.[0]).toMatchObject({ lastTransitionTime: '2026-11-22T12:02:00Z' });
  });

  it('leaves conditions of others where they are, and takes garbage for nothing', () => {
    const foreign = { type: 'Reviewed', status: 'True', by: 'somebody' };
    const current = [foreign, null, 7, { type: 'Realised', status: 5 }];
    const written = changeConditions({ current, verdicts: [verdict()], generation: 1, nowMs: NOON });
    expect(written).toContainEqual(foreign);
    expect(written?.filter(({ type }) => type === 'Realised').length).toBe(1);
  });
});

describe('keptConditions', () => {
  const written = [{ type: 'Accepted' }, { type: 'Realised' }];
  it.each([
    { name: 'an answer with them', answer: { status: { conditions: written } }, kept: true },
    { name: 'an answer without a status', answer: { spec: {} }, kept: false },
    { name: 'an answer with an emptied status', answer: { status: {} }, kept: false },
    { name: 'no object at all', answer: 'ok', kept: false },
  ])('tells from $name whether they were stored', ({ answer, kept }) => {
    expect(keptConditions(answer, written)).toBe(kept);
  });
});
