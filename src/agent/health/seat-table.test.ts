import { describe, expect, it } from 'vitest';
import { SeatTable } from './seat-table.ts';

describe('SeatTable', () => {
  it('gives every seat but the first, each once', () => {
    const table = new SeatTable(5);
    const taken = Array.from({ length: 5 }, () => table.take());
    expect(taken).toEqual([1, 2, 3, 4, undefined]);
    table.giveBack(3);
    expect(table.take()).toBe(3);
  });

  it('gives a seat again as late as it can', () => {
    const table = new SeatTable(5);
    for (const expected of [1, 2, 3, 4, 1, 2]) {
      expect(table.take()).toBe(expected);
      table.giveBack(expected);
    }
  });

  it('keeps seats for those who may come back, and gives them to who proposes them', () => {
    let reserved = [2];
    const table = new SeatTable(4, () => reserved);
    expect([table.take(), table.take(), table.take()]).toEqual([3, 1, undefined]);
    expect(table.take(2)).toBe(2);
    table.giveBack(1);
    expect(table.take(2)).toBe(1);
    table.giveBack(2);
    reserved = [];
    expect(table.take()).toBe(2);
  });

  it.each([0, -1, 4])('does not give seat %d, whoever proposes it', (seat) => {
    expect(new SeatTable(4).take(seat)).toBe(1);
  });
});
