import { expect, it } from 'vitest';
import type { ListedEntry } from '../answers/node-answers.ts';
import { formatAnswerList } from './answer-list.ts';

const ENTRY: ListedEntry = {
  ...{ shelf: 1, view: 2, listener: '*:53', name: 'www.example.org.', type: 'A', rcode: 'NOERROR' },
  ...{ dnssecOk: false, checkingDisabled: false, rotates: false, logged: false },
  ...{ records: [2, 0, 0], ttl: 25, hits: 1234, size: 'small' },
};
const { listener: _, ...UNHEARD } = ENTRY;

it('has a line for each answer, with all that tells it from others', () => {
  const other: ListedEntry = {
    ...{ ...UNHEARD, name: 'no.example.org.', type: 'AAAA', rcode: 'NXDOMAIN', records: [0, 1, 0] },
    ...{ dnssecOk: true, checkingDisabled: true, rotates: true, logged: true, size: 'large' },
  };
  expect(formatAnswerList({ entries: [ENTRY, other], left: 0 })).toBe(
    [
      'SHELF   LISTENER   NAME               TYPE   FLAGS              RCODE      RECORDS   TTL   HITS   SIZE',
      '1       *:53       www.example.org.   A      -                  NOERROR    2/0/0     25    1234   small',
      '1       view 2     no.example.org.    AAAA   DO,CD,rotate,log   NXDOMAIN   0/1/0     25    1234   large',
      '',
    ].join('\n'),
  );
});

it('cuts a name that would pad every line, where it can be seen', () => {
  const bytes = (text: string, count: number) => `${text.repeat(count)}.`;
  const name = [63, 63, 63, 61].map((count) => bytes('\\001', count)).join('');
  const lines = formatAnswerList({ entries: [ENTRY, { ...ENTRY, name }], left: 0 })
    .trimEnd()
    .split('\n');
  expect(lines[2]).toContain(`${name.slice(0, 79)}…   A `);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(160);
  const long = `${'x'.repeat(63)}.${'y'.repeat(15)}.`;
  expect(formatAnswerList({ entries: [{ ...ENTRY, name: long }], left: 0 })).toContain(` ${long} `);
});

it('says how many there are beside', () => {
  expect(formatAnswerList({ entries: [ENTRY], left: 7 })).toMatch(/\n7 more are not listed\n$/);
});

it('is its title alone when there is none', () => {
  expect(formatAnswerList({ entries: [], left: 0 }).trimEnd().split('\n')).toHaveLength(1);
});
