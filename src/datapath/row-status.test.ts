import { expect, test } from 'vitest';
import { nextStatus, preciseNow, retryDelayMs } from './row-status.ts';

test('nextStatus: the first success is done after one attempt', () => {
  expect(nextStatus(undefined, { changed: true }, 5)).toEqual({ state: 'done', sinceMs: 5, attempts: 1 });
});

test('nextStatus: done stays as it was while nothing changes, and gets a new time when something does', () => {
  const done = nextStatus(undefined, { changed: true }, 5);
  expect(nextStatus(done, { changed: false }, 9)).toBe(done);
  expect(nextStatus(done, { changed: true }, 9)).toEqual({ state: 'done', sinceMs: 9, attempts: 1 });
});

test('nextStatus: failures keep the time of the first and count up, and success tells how many it took', () => {
  const first = nextStatus(undefined, { error: new Error('Cannot find it') }, 5);
  const second = nextStatus(first, { error: new Error('Cannot find it') }, 9);
  expect(second).toEqual({ state: 'error', sinceMs: 5, attempts: 2, error: 'Cannot find it' });
  expect(nextStatus(second, { changed: true }, 12)).toEqual({ state: 'done', sinceMs: 12, attempts: 3 });
});

test('retryDelayMs doubles from a quarter of a second to half a minute', () => {
  expect([1, 2, 3, 8, 100].map(retryDelayMs)).toEqual([250, 500, 1000, 30_000, 30_000]);
});

test('preciseNow has microseconds, and follows the wall clock when that is set', () => {
  const hands = { wall: 1000, monotonic: 10.25 };
  const clock = {
    nowMs: () => hands.wall,
    monotonicMs: () => hands.monotonic,
    after: () => ({ cancel: () => undefined }),
  };
  const now = preciseNow(clock);
  hands.monotonic += 0.75;
  expect(now()).toBe(1000.75);
  hands.wall = 50_000;
  expect(now()).toBe(50_000);
});
