import { expect, test } from 'vitest';
import { countPossibleCpus } from './bpf-map.ts';

test.each([
  ['0\n', 1],
  ['0-3\n', 4],
  ['0,2-127\n', 128],
  ['0-1,4\n', 5],
])(
  'countPossibleCpus of %j is %d: the kernel copies a value for every number up to the last',
  (text, count) => {
    expect(countPossibleCpus(text)).toBe(count);
  },
);
