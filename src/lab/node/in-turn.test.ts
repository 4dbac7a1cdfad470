import { expect, it } from 'vitest';
import { createTurns } from './in-turn.ts';

/** Work that ends when it is told to. */
function controlled(name: string, done: string[]) {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const work = async () => {
    done.push(`${name} begins`);
    await promise;
  };
  return { work, end: resolve, fail: () => reject(new Error(name)) };
}

it('createTurns runs what concerns one pod in order, and does not wait for another pod', async () => {
  const turns = createTurns();
  const done: string[] = [];
  const stop = controlled('stop a', done);
  const start = controlled('start a', done);
  const other = controlled('stop b', done);
  const all = [turns.run('a', stop.work), turns.run('a', start.work), turns.run('b', other.work)];
  await Promise.resolve();
  expect(done).toEqual(['stop a begins', 'stop b begins']);
  for (const each of [stop, start, other]) each.end();
  await Promise.all(all);
  expect(done.at(-1)).toBe('start a begins');
});

it('createTurns goes on after a failure, which is its own caller’s to see', async () => {
  const turns = createTurns();
  const done: string[] = [];
  const first = controlled('first', done);
  const second = controlled('second', done);
  const failed = turns.run('a', first.work);
  const next = turns.run('a', second.work);
  first.fail();
  second.end();
  await expect(failed).rejects.toThrow('first');
  await next;
  expect(done).toEqual(['first begins', 'second begins']);
});
