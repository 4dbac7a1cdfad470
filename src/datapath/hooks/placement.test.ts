import { describe, expect, test } from 'vitest';
import type { FilterRow } from '../../sys/hook/filters.ts';
import { type Chain, type ChainEntry, LAST_PRIORITY, placeIn, statusOf } from './placement.ts';

function link(name: string): ChainEntry {
  return { kind: 'tcx', programId: 7, name, ours: name === 'ours' };
}

function filter(name: string, priority: number): ChainEntry {
  const row: FilterRow = {
    ifindex: 1,
    direction: 'in',
    priority,
    handle: 1,
    kind: 'bpf',
    name,
    programId: 7,
  };
  return { kind: 'clsact', programId: 7, name, ours: name === 'ours', filter: row };
}

const both = ['tcx', 'clsact'] as const;
const old = ['clsact'] as const;
const byLink = { kind: 'tcx', place: 'last' };
const byFilter = { kind: 'clsact', priority: LAST_PRIORITY };

describe('placeIn, last,', () => {
  test.each([
    { name: 'nobody', chain: [], kinds: both, place: byLink },
    { name: 'nobody, on a kernel without TCX', chain: [], kinds: old, place: byFilter },
    { name: 'a link', chain: [link('cni')], kinds: both, place: byLink },
    { name: 'a filter', chain: [filter('cni', 1)], kinds: both, place: byFilter },
    {
      name: 'a filter with a great number',
      chain: [filter('cni', 60_000)],
      kinds: both,
      place: { kind: 'clsact', priority: 60_001 },
    },
    {
      name: 'a filter with the greatest number',
      chain: [filter('cni', 65_535)],
      kinds: both,
      place: { kind: 'clsact', priority: 65_535 },
    },
    { name: 'ours alone', chain: [link('ours')], kinds: both, place: { kind: 'stay', index: 0 } },
    {
      name: 'ours behind a link',
      chain: [link('cni'), link('ours')],
      kinds: both,
      place: { kind: 'stay', index: 1 },
    },
    {
      name: 'ours and a link that came behind it',
      chain: [link('ours'), link('cni')],
      kinds: both,
      place: byFilter,
    },
    {
      name: 'ours and a link that came behind it, where only links are allowed',
      chain: [link('ours'), link('cni')],
      kinds: ['tcx'] as const,
      place: byLink,
    },
    {
      name: 'both of ours, from a move that a crash ended',
      chain: [link('ours'), link('cni'), filter('ours', LAST_PRIORITY)],
      kinds: both,
      place: { kind: 'stay', index: 2 },
    },
    {
      name: 'a filter of ours that is still good where TCX would be, too',
      chain: [filter('ours', LAST_PRIORITY)],
      kinds: both,
      place: { kind: 'stay', index: 0 },
    },
  ])('beside $name', ({ chain, kinds, place }) => {
    expect(placeIn(chain, { order: 'last', kinds })).toEqual(place);
  });
});

describe('placeIn, first,', () => {
  test.each([
    { name: 'a link', chain: [link('cni')], kinds: both, place: { kind: 'tcx', place: 'first' } },
    {
      name: 'a filter, without TCX',
      chain: [filter('cni', 1)],
      kinds: old,
      place: { kind: 'clsact', priority: 1 },
    },
    {
      name: 'ours ahead of all',
      chain: [link('ours'), link('cni'), filter('cni', 1)],
      kinds: both,
      place: { kind: 'stay', index: 0 },
    },
    {
      name: 'a link ahead of ours',
      chain: [link('cni'), link('ours')],
      kinds: both,
      place: { kind: 'tcx', place: 'first' },
    },
  ])('beside $name', ({ chain, kinds, place }) => {
    expect(placeIn(chain, { order: 'first', kinds })).toEqual(place);
  });
});

describe('statusOf', () => {
  const alone: Chain = [link('ours')];
  test.each([
    { name: 'nothing of ours on the way out', chains: { in: alone, out: [] }, order: undefined },
    { name: 'nobody else', chains: { in: alone, out: alone }, order: 'alone' },
    { name: 'others ahead', chains: { in: [link('cni'), link('ours')], out: alone }, order: 'after' },
    {
      name: 'one ahead and one behind',
      chains: { in: [link('cni'), link('ours')], out: [link('ours'), filter('cni', 1)] },
      order: 'before',
    },
  ])('$name: $order', ({ chains, order }) => {
    expect(statusOf(chains)?.order).toBe(order);
  });

  test('names others with direction and priority', () => {
    expect(statusOf({ in: [filter('cni', 1), filter('ours', LAST_PRIORITY)], out: alone })).toEqual({
      kind: 'clsact',
      order: 'after',
      others: [{ kind: 'clsact', name: 'cni', id: 7, priority: 1, direction: 'in', ahead: true }],
    });
  });
});
