import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { replyTo } from '../dns/reply.ts';
import { name, queryFor } from '../dns/testing/packets.ts';
import type { Handler, Query } from './handler.ts';
import type { ListenerConduct } from './listener-options.ts';
import { QueryDesk } from './query-desk.ts';
import type { ServerRoute } from './router.ts';
import { HandClock } from './testing/clock.ts';
import { memoryLog } from './testing/log.ts';
import { arrivalOf, decoded } from './testing/replies.ts';

function deskFor(conduct: ListenerConduct): QueryDesk {
  return new QueryDesk({ ...conduct, server: 'dns://:53', log: memoryLog(), clock: new HandClock() });
}

const rcode =
  (code: number): Handler =>
  () => ({ rcode: code });

const route = (zone: string, fields: Partial<ServerRoute>): ServerRoute => ({
  zones: [name(zone)],
  ...fields,
});

test('blocks of one zone are asked from top to bottom, and the first whose view agrees takes the query', async () => {
  const seen: Query[] = [];
  const desk = deskFor({
    routes: [
      route('.', { view: 'small', accepts: ({ question }) => question.name === 'a.', handler: rcode(1) }),
      route('.', {
        view: 'inside',
        accepts: (query) => {
          query.metadata.set('site', 'west');
          return true;
        },
        handler: (query) => {
          seen.push(query);
          return { rcode: 3 };
        },
      }),
      route('.', { handler: rcode(0) }),
    ],
  });
  expect(decoded(await desk.serve(arrivalOf(queryFor('b.')))).rcode).toBe(3);
  expect(seen).toMatchObject([{ view: 'inside', zone: '.' }]);
  expect(seen[0]?.metadata.get('site')).toBe('west');
});

test('when no view of a zone agrees, the search goes on towards the root', async () => {
  const desk = deskFor({
    routes: [
      route('org.', { view: 'x', accepts: () => false, handler: rcode(1) }),
      route('.', { handler: rcode(3) }),
    ],
  });
  expect(decoded(await desk.serve(arrivalOf(queryFor('a.org.')))).rcode).toBe(3);
});

test('a dropped reply is silence over UDP and over TCP', async () => {
  const desk = deskFor({ routes: [route('.', { handler: () => ({ rcode: 5, drop: true }) })] });
  expect(await desk.serve(arrivalOf(queryFor('a.')))).toBeUndefined();
  expect(await desk.serve(arrivalOf(queryFor('a.'), 'tcp'))).toBeUndefined();
});

test('further messages are made one by one over TCP, and never over UDP', async () => {
  let made = 0;
  const handler: Handler = ({ message }) => ({
    rcode: 0,
    message: replyTo(message),
    more: (function* () {
      for (; made < 2; made++) yield replyTo(message);
    })(),
  });
  const desk = deskFor({ routes: [route('.', { handler })] });
  expect(await desk.serve(arrivalOf(queryFor('a.')))).toBeInstanceOf(Uint8Array);
  const long = await desk.serve(arrivalOf(queryFor('a.', { id: 77 }), 'tcp'));
  if (long === undefined || long instanceof Uint8Array) throw new Error('one message only');
  expect(decoded(long.bytes).id).toBe(77);
  expect(made).toBe(0);
  expect([long.more.next(), long.more.next()].map(({ value }) => decoded(value ?? undefined).id)).toEqual([
    77, 77,
  ]);
  expect(long.more.next().done).toBe(true);
});

test('a transfer that breaks in the middle says so to the connection', async () => {
  const handler: Handler = ({ message }) => ({
    rcode: 0,
    message: replyTo(message),
    // biome-ignore lint/correctness/useYield: it breaks before its first message
    more: (function* () {
      throw new Error('zone gone');
    })(),
  });
  const log = memoryLog();
  const desk = new QueryDesk({
    routes: [route('.', { handler })],
    server: 'dns://:53',
    log,
    clock: new HandClock(),
  });
  const long = await desk.serve(arrivalOf(queryFor('a.'), 'tcp'));
  if (long === undefined || long instanceof Uint8Array) throw new Error('one message only');
  expect(long.more.next()).toEqual({ done: false, value: undefined });
  expect(log.lines).toEqual(['[ERROR] Recovered from panic in server: "dns://:53" zone gone']);
});

test('options that a plugin wants kept are echoed beside the usual ones', async () => {
  const options = [10, 65_001, 65_002].map((code) => ({ code, data: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8) }));
  const edns = { version: 0, udpSize: 1232, dnssecOk: false, options };
  const desk = deskFor({ routes: [route('.', { handler: rcode(0) })], keptOptions: new Set([65_001]) });
  const reply = decoded(await desk.serve(arrivalOf(queryFor('a.', { edns }))));
  expect(reply.edns?.options.map(({ code }) => code)).toEqual([10, 65_001]);
});

test('with stacktrace the line about a panic says where it happened, on one line', async () => {
  const log = memoryLog();
  const broken: Handler = () => {
    throw new Error('broken');
  };
  const desk = new QueryDesk({
    routes: [route('.', { handler: broken })],
    stacktrace: true,
    server: 'dns://:53',
    log,
    clock: new HandClock(),
  });
  expect(decoded(await desk.serve(arrivalOf(queryFor('a.')))).rcode).toBe(2);
  expect(log.lines).toHaveLength(1);
  expect(log.lines[0]).toMatch(/"dns:\/\/:53" Error: broken \| at [^\n]*serve-query\.test\.ts/);
});

test('with debug what a handler throws ends the process, and shows where', () => {
  const program = `
    import { QueryDesk } from './query-desk.ts';
    import { HandClock } from './testing/clock.ts';
    import { memoryLog } from './testing/log.ts';
    import { arrivalOf } from './testing/replies.ts';
    import { name, queryFor } from '../dns/testing/packets.ts';
    const handler = async () => { throw new Error('broken'); };
    const routes = [{ zones: [name('.')], handler }];
    const desk = new QueryDesk({ routes, debug: true, server: 'dns://:53', log: memoryLog(), clock: new HandClock() });
    await desk.serve(arrivalOf(queryFor('a.')));
    setTimeout(() => process.exit(0), 1000);`;
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    cwd: import.meta.dirname,
    encoding: 'utf8',
  });
  expect(status).toBe(1);
  expect(stderr).toMatch(/Error: broken\n\s+at handler/);
});
