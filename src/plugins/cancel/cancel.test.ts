import { expect, it } from 'vitest';
import { replyTo } from '../../dns/reply.ts';
import type { Reply } from '../../server/handler.ts';
import { fakeHost, setUp } from '../fake-host.ts';
import { ask } from '../fake-query.ts';
import { setup } from './setup.ts';

function start(lines: string) {
  const host = fakeHost();
  const answers: PromiseWithResolvers<Reply> = Promise.withResolvers();
  const handler = setUp(setup, lines, { host }).plugin?.(() => answers.promise);
  return { host, answers, reply: Promise.resolve(handler?.(ask('a.test.'))) };
}

it('ends a query in SERVFAIL once its time is over', async () => {
  const { host, reply } = start('cancel 2s');
  host.clock.pass(2000);
  expect(await reply).toMatchObject({ rcode: 2, error: { message: 'context deadline exceeded' } });
});

it('waits 5.001 s when nothing else is said, and lets an answer in time pass', async () => {
  const { host, answers, reply } = start('cancel');
  const query = ask('a.test.');
  host.clock.pass(5000);
  answers.resolve({ rcode: 0, message: replyTo(query.message) });
  expect((await reply)?.rcode).toBe(0);
  expect(host.clock.pending).toBe(0);
});

it('leaves an answer that comes at once alone', () => {
  const host = fakeHost();
  const reply = { rcode: 3 };
  expect(setUp(setup, 'cancel', { host }).plugin?.(() => reply)(ask('a.test.'))).toBe(reply);
  expect(host.clock.pending).toBe(0);
});

it.each([
  ['cancel soon', 'invalid duration: "soon"'],
  ['cancel 0', 'invalid negative duration: "0"'],
  ['cancel -1s', 'invalid negative duration: "-1s"'],
  ['cancel 1s 2s', "Wrong argument count or unexpected line ending after '2s'"],
  ['cancel\ncancel', 'this plugin can only be used once per Server Block'],
])('refuses %j', (lines, text) => {
  expect(() => setUp(setup, lines)).toThrow(text);
});
