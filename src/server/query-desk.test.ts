import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeMessage } from '../dns/encode-message.ts';
import type { Name } from '../dns/name.ts';
import { anyMessage, hex, name, queryFor } from '../dns/testing/packets.ts';
import type { Handler, Query } from './handler.ts';
import type { Rejection } from './observer.ts';
import { ABANDON_MS, QueryDesk } from './query-desk.ts';
import type { ServerRoute } from './router.ts';
import { firstMessage } from './serve-query.ts';
import { HandClock } from './testing/clock.ts';
import { memoryLog } from './testing/log.ts';
import { arrivalOf, countingHandler, decoded, slowHandler } from './testing/replies.ts';

function deskFor(routes: readonly ServerRoute[], maxInFlight?: number) {
  const log = memoryLog();
  const rejections: Rejection[] = [];
  const counts = { panics: 0, shed: 0 };
  const observer = {
    onRejected: (rejection: Rejection) => void rejections.push(rejection),
    onPanic: () => void counts.panics++,
    onShed: () => void counts.shed++,
  };
  const clock = new HandClock();
  const desk = new QueryDesk({
    server: 'dns://:53',
    routes,
    log,
    clock,
    observer,
    ...(maxInFlight && { maxInFlight }),
  });
  return { desk, log, clock, rejections, counts };
}

const root = (handler: Handler): ServerRoute[] => [{ zones: [name('.')], handler }];

test('the chain sees the query as it came, with its zone and server, and its answer is sent', async () => {
  const seen: Query[] = [];
  const handler: Handler = (query) => {
    seen.push(query);
    return countingHandler(query);
  };
  const { desk, rejections } = deskFor([{ zones: [name('cluster.local')], handler }]);
  const arrival = arrivalOf(queryFor('KubeRnetes.default.svc.Cluster.local'), 'tcp');
  const reply = decoded(await desk.serve(arrival));
  expect(reply.answers).toHaveLength(1);
  expect(seen).toMatchObject([
    {
      question: { name: 'KubeRnetes.default.svc.Cluster.local.', type: 1, class: 1 },
      zone: 'cluster.local.',
      server: 'dns://:53',
      transport: 'tcp',
      client: arrival.client,
      local: arrival.local,
    },
  ]);
  expect(seen[0]?.wire).toEqual(arrival.bytes);
  expect(rejections).toEqual([]);
});

test('a chain that answers at once is answered at once', () => {
  const { desk } = deskFor(root(countingHandler));
  expect(desk.serve(arrivalOf(queryFor('a')))).toBeInstanceOf(Uint8Array);
});

test.each([
  { name: 'SERVFAIL', rcode: 2 },
  { name: 'NOTIMP', rcode: 4 },
  { name: 'REFUSED', rcode: 5 },
])('a chain that says only $name gets an empty reply sent with it', async ({ rcode }) => {
  const { desk } = deskFor(root(() => ({ rcode, error: new Error('upstream') })));
  const reply = decoded(await desk.serve(arrivalOf(queryFor('a'))));
  expect(reply).toMatchObject({ rcode, answers: [], questions: [{ name: 'a.' }] });
});

test.each([
  {
    name: 'no zone matches',
    routes: [{ zones: [name('example.org')], handler: countingHandler }],
    qclass: 1,
    rcode: 5,
  },
  { name: 'the block has no handlers', routes: [{ zones: [name('.')] }], qclass: 1, rcode: 5 },
  { name: 'the class is CH', routes: root(countingHandler), qclass: 3, rcode: 5 },
])(
  '$name: REFUSED with the question, counted as rejected with its sizes',
  async ({ routes, qclass, rcode }) => {
    const { desk, rejections } = deskFor(routes);
    const edns = { version: 0, udpSize: 1232, dnssecOk: false, options: [] };
    const query = {
      ...queryFor('a.b', { edns }),
      questions: [{ name: name('a.b'), type: 16, class: qclass }],
    };
    const arrival = arrivalOf(query);
    const bytes = firstMessage(await desk.serve(arrival));
    expect(decoded(bytes)).toMatchObject({ rcode, questions: query.questions, edns: { udpSize: 1232 } });
    expect(decoded(bytes).flags.recursionAvailable).toBe(false);
    const sizes = { requestBytes: arrival.bytes.length, replyBytes: bytes?.length };
    expect(rejections).toMatchObject([{ rcode, transport: 'udp', client: arrival.client, ...sizes }]);
  },
);

test('EDNS version 1 gets BADVERS with an OPT record of size 0', async () => {
  const { desk, rejections } = deskFor(root(countingHandler));
  const query = queryFor('a', { edns: { version: 1, udpSize: 4096, dnssecOk: true, options: [] } });
  const reply = decoded(await desk.serve(arrivalOf(query)));
  expect(reply).toMatchObject({ rcode: 16, edns: { version: 0, udpSize: 0, dnssecOk: false, options: [] } });
  expect(rejections).toHaveLength(1);
});

test('packets that are no query at all are not counted', async () => {
  const { desk, rejections } = deskFor(root(countingHandler));
  const arrival = arrivalOf(queryFor('a'));
  expect(await desk.serve({ ...arrival, bytes: hex('00') })).toBeUndefined();
  expect(await desk.serve({ ...arrival, bytes: hex('0001 0100 0001 0000 0000 0000') })).toHaveLength(12);
  expect(rejections).toEqual([]);
});

const boom = (): never => {
  throw new Error('boom\n[INFO] forged line');
};
/** A name that no parser minted: its label does not fit a length byte. */
const unencodable: Handler = (query) => {
  const long = `${'x'.repeat(300)}.` as Name;
  return { rcode: 0, message: { ...query.message, questions: [{ name: long, type: 1, class: 1 }] } };
};
const failing: readonly { name: string; handler: Handler }[] = [
  { name: 'at once', handler: boom },
  { name: 'later', handler: async () => boom() },
  { name: 'by rejecting with something that is no error', handler: () => Promise.reject('boom') },
  { name: 'by a reply that cannot be encoded', handler: unencodable },
];
test.each(failing)('a handler that fails $name: SERVFAIL, a counter, one log line', async ({ handler }) => {
  const { desk, log, counts } = deskFor(root(handler));
  const reply = decoded(await desk.serve(arrivalOf(queryFor('a', { id: 9 }))));
  expect(reply).toMatchObject({ id: 9, rcode: 2, questions: [{ name: 'a.' }] });
  expect(counts.panics).toBe(1);
  expect(log.lines).toHaveLength(1);
  expect(log.lines[0]).toMatch(/^\[ERROR\] Recovered from panic in server: "dns:\/\/:53" [^\n]+$/);
});

test('a view that throws does not accept, and the next block answers', async () => {
  const view = { zones: [name('.')], handler: () => ({ rcode: 5 }), accepts: boom };
  const { desk, counts } = deskFor([view, ...root(countingHandler)]);
  expect(decoded(await desk.serve(arrivalOf(queryFor('a')))).rcode).toBe(0);
  expect(counts.panics).toBe(1);
});

test('new routes hold for the next query; one under way ends on the old ones', async () => {
  const { desk } = deskFor(root(slowHandler));
  const before = desk.serve(arrivalOf(queryFor('20')));
  desk.configure({ routes: root(() => ({ rcode: 5 })) });
  expect(decoded(await desk.serve(arrivalOf(queryFor('20')))).rcode).toBe(5);
  expect(decoded(await before).rcode).toBe(0);
});

test('beyond the limit of waiting queries more are dropped and counted, until there is room again', async () => {
  const { desk, counts } = deskFor(root(slowHandler), 2);
  const waiting = [desk.serve(arrivalOf(queryFor('20'))), desk.serve(arrivalOf(queryFor('20')))];
  expect(desk.serve(arrivalOf(queryFor('20')))).toBeUndefined();
  expect(counts.shed).toBe(1);
  await Promise.all(waiting);
  expect(decoded(await desk.serve(arrivalOf(queryFor('1')))).rcode).toBe(0);
});

test('whenIdle waits for the last answer', async () => {
  const { desk } = deskFor(root(slowHandler));
  await desk.whenIdle();
  let answered = false;
  desk.answer(arrivalOf(queryFor('15')), () => {
    answered = true;
  });
  await desk.whenIdle();
  expect(answered).toBe(true);
});

test('a chain that never answers gives its place back after 30 s, unanswered and counted', async () => {
  const { desk, clock, counts } = deskFor(
    root(() => new Promise(() => undefined)),
    1,
  );
  const answer = desk.serve(arrivalOf(queryFor('a')));
  clock.turn(ABANDON_MS);
  expect(await answer).toBeUndefined();
  expect(counts.shed).toBe(1);
  await desk.whenIdle();
  desk.configure({ routes: root(countingHandler) });
  expect(decoded(await desk.serve(arrivalOf(queryFor('a')))).rcode).toBe(0);
});

test('property: whatever arrives, the answer is silence or a reply to it within the limit, and never a panic', () => {
  const { desk, counts } = deskFor(root(countingHandler));
  const edits = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 4 });
  const query = fc.oneof(
    anyMessage.map((message) => encodeMessage(message)),
    anyMessage.map(({ questions: [question], ...message }) =>
      encodeMessage({
        ...queryFor('a'),
        id: message.id,
        questions: [question ?? { name: name('700'), type: 1, class: 1 }],
        ...('edns' in message && { edns: message.edns }),
      }),
    ),
  );
  fc.assert(
    fc.property(query, edits, (packet, changes) => {
      const bytes = packet.slice();
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      const answer = desk.serve({ ...arrivalOf(queryFor('a')), bytes });
      if (answer instanceof Promise) throw new Error('this handler answers at once');
      if (!(answer instanceof Uint8Array)) return;
      expect(answer.length).toBeLessThanOrEqual(65_507);
      expect(answer.subarray(0, 2)).toEqual(bytes.subarray(0, 2));
      expect(decoded(answer).flags.response).toBe(true);
    }),
    { numRuns: 300 },
  );
  expect(counts.panics).toBe(0);
});
