import { expect, test } from 'vitest';
import { AppError } from '../../fault/app-error.ts';
import type { AnswerShelf } from '../datapath.ts';
import { AnswerShelves } from './answer-shelves.ts';
import { memoryShelfStore } from './memory-shelf-store.ts';
import type { ShelfStore } from './shelf-store.ts';

const fail = (text: string) => () => {
  throw new AppError('SYS_CALL_FAILED', text);
};

function open(over: Partial<ShelfStore> = {}, kept = new Map<number, AnswerShelf>()) {
  const said: string[] = [];
  const log = { warning: (text: string) => said.push(text) };
  const store = { ...memoryShelfStore(kept), ...over };
  const randomBytes = (count: number) => new Uint8Array(count);
  return { said, shelves: new AnswerShelves({ store, entries: 1000, log, randomBytes }) };
}

test('where the kernel has no memory for a shelf there is none, and it says so', () => {
  const { shelves, said } = open({ create: fail('Cannot create map 1_small: ENOMEM') });
  expect([shelves.open(), shelves.list()]).toEqual([undefined, []]);
  expect(said).toEqual([
    'datapath: Cannot make room for 1000 answers in the kernel: Cannot create map 1_small: ENOMEM',
  ]);
});

test('a number of which something is left that would not go is not given out', () => {
  const kept = new Map<number, AnswerShelf>();
  open({}, kept).shelves.open();
  const { shelves, said } = open({ open: () => undefined, discard: fail('Cannot delete: EPERM') }, kept);
  expect(said).toEqual(['datapath: answers of shelf 1: Cannot delete: EPERM']);
  const numbers = Array.from({ length: 15 }, () => shelves.open()?.number);
  expect(numbers).toEqual([...[2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15], undefined]);
});

test('a shelf that cannot be opened is taken away, and no reason not to start', () => {
  const kept = new Map<number, AnswerShelf>();
  open({}, kept).shelves.open();
  const { shelves, said } = open({ open: fail('Cannot open 1-log: EPERM') }, kept);
  expect([shelves.list(), said]).toEqual([[], ['datapath: answers of shelf 1: Cannot open 1-log: EPERM']]);
  expect(kept.size).toBe(0);
});
