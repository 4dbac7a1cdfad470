/** What a reader may count on: rows do not move while read, and nothing grows without end. */
import { describe, expect, it } from 'vitest';
import type { WireQuery, WireRows } from '../wire.ts';
import { formatChoice, NO_FILTERS, parseChoice } from './filters.ts';
import { firstState, hold, MAX_ROWS, openRow, release, takeRows } from './page-state.ts';
import { latencyText, rateText, visibleText } from './text.ts';

const START = firstState({ show: '', filters: NO_FILTERS });

function row(id: number): WireQuery {
  const { atMs, client, node, name, type, server } = {
    atMs: id,
    client: 'a/b',
    node: 'n',
    name: 'x.',
    type: 'A',
    server: 's',
  };
  return { id, atMs, client, node, asker: 'pod', name, type, outcome: 'entered', server };
}

const told = (first: number, count: number, fresh = false): WireRows => {
  return { rows: Array.from({ length: count }, (_, index) => row(first + index)), skipped: 0, fresh };
};
const ids = (rows: readonly WireQuery[]) => rows.map(({ id }) => id);

describe('takeRows', () => {
  it('puts the newest first', () => {
    expect(ids(takeRows(takeRows(START, told(1, 2, true)), told(3, 2)).rows)).toEqual([4, 3, 2, 1]);
  });

  it('moves nothing while somebody reads, and brings everything when nobody does', () => {
    const held = takeRows(hold(takeRows(START, told(1, 2, true)), 'pointer', true), told(3, 2));
    expect(ids(held.rows)).toEqual([2, 1]);
    expect(held.waiting).toHaveLength(2);
    expect(ids(hold(held, 'pointer', false).rows)).toEqual([4, 3, 2, 1]);
  });

  it('stays held for as long as any reason does', () => {
    const both = hold(openRow(takeRows(START, told(1, 1, true)), 1), 'pointer', true);
    const one = takeRows(hold(both, 'pointer', false), told(2, 1));
    expect(ids(one.rows)).toEqual([1]);
    expect(ids(release(one).rows)).toEqual([2, 1]);
  });

  it('shows what a new filter asked for, held or not', () => {
    const held = hold(takeRows(START, told(1, 2, true)), 'focus', true);
    expect(ids(takeRows(held, told(7, 1, true)).rows)).toEqual([7]);
  });

  it('keeps a bounded number and counts the rest', () => {
    let state = hold(START, 'hand', true);
    for (let i = 0; i < 100; i++) state = takeRows(state, told(i * 100, 100));
    expect(state.waiting).toHaveLength(MAX_ROWS);
    expect(state.waiting.length + state.skipped).toBe(10_000);
    expect(release(state).rows).toHaveLength(MAX_ROWS);
  });
});

describe('visibleText', () => {
  it('shows what would steer, hide or turn as its number, and leaves the rest', () => {
    expect(visibleText('\u001b[31m\u202egro\u200b.\u0000')).toBe('\\u001b[31m\\u202egro\\u200b.\\u0000');
    expect(visibleText('<b>bücher.例え.</b>')).toBe('<b>bücher.例え.</b>');
  });
});

it('the address keeps what is chosen', () => {
  const choice = {
    show: 'shop/cart',
    filters: { ...NO_FILTERS, name: 'a&b=<>', slow: '100', bypassed: true },
  };
  expect(parseChoice(formatChoice(choice))).toEqual(choice);
  expect(parseChoice('?unknown=1')).toEqual({ show: '', filters: NO_FILTERS });
});

it('numbers are short', () => {
  expect([0, 0.04, 3.14, 42, 1234, 56_789].map(rateText)).toEqual(['0', '<0.1', '3.1', '42', '1.2k', '57k']);
  expect([undefined, 0.0021, 0.08, 1.23, 240, 1400].map(latencyText)).toEqual([
    '–',
    '2.1 µs',
    '80 µs',
    '1.2 ms',
    '240 ms',
    '1.4 s',
  ]);
});
