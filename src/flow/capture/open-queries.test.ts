import { expect, it } from 'vitest';
import { OpenQueries } from './open-queries.ts';

const [CLIENT, ID, QUESTION] = [0x1234567, 42, (1 << 8) | 12];
const SECOND = 1e9;

it('OpenQueries measures from the first time that a query was asked, when it was asked again', () => {
  const open = new OpenQueries();
  open.ask(CLIENT, ID, QUESTION, 0);
  open.ask(CLIENT, ID, QUESTION, 5 * SECOND);
  expect(open.answer(CLIENT, ID, 5.25 * SECOND)).toBe(5.25 * SECOND);
  // The other answer, if it comes, is to nothing.
  expect(open.answer(CLIENT, ID, 5.5 * SECOND)).toBeLessThan(0);
});

it('OpenQueries takes the same id for a query of its own when something else is asked, or long after', () => {
  const open = new OpenQueries();
  open.ask(CLIENT, ID, QUESTION, 0);
  open.ask(CLIENT, ID, QUESTION + 1, 5 * SECOND);
  expect(open.answer(CLIENT, ID, 5.25 * SECOND)).toBe(0.25 * SECOND);
  open.ask(CLIENT, ID, QUESTION, 10 * SECOND);
  open.ask(CLIENT, ID, QUESTION, 41 * SECOND);
  expect(open.answer(CLIENT, ID, 42 * SECOND)).toBe(SECOND);
});

it('OpenQueries knows no latency of an answer that nobody asked for, or that comes too late', () => {
  const open = new OpenQueries();
  expect(open.answer(CLIENT, ID, 0)).toBeLessThan(0);
  open.ask(CLIENT, ID, QUESTION, 0);
  expect(open.answer(CLIENT + 1, ID, 1)).toBeLessThan(0);
  expect(open.answer(CLIENT, ID, 31 * SECOND)).toBeLessThan(0);
});
