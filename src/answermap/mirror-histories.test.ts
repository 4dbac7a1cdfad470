/** Random histories: whatever the programs find is what packet threads would have answered from the cache at that moment. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { encodeMessage } from '../dns/encode-message.ts';
import type { ResourceRecord } from '../dns/message.ts';
import { plainQuery } from '../dns/plain-query.ts';
import type { Share, WireAnswer } from '../wirecache/contract.ts';
import { answerOf, key, name } from '../wirecache/testing/answers.ts';
import { mirrorBench } from './testing/mirror-bench.ts';

const NAMES = ['a.', 'www.example.', 'x.www.example.', `${'long-label-of-a-name.'.repeat(5)}example.`];

type Step =
  | {
      readonly does: 'store';
      readonly name: number;
      readonly share: Share;
      readonly answer: AnswerSpec;
      readonly dnssecOk: boolean;
    }
  | { readonly does: 'remove'; readonly name: number; readonly share: Share }
  | { readonly does: 'purge'; readonly name: number }
  | { readonly does: 'replace' | 'shelf' | 'settle' }
  | { readonly does: 'pass'; readonly ms: number };

interface AnswerSpec {
  readonly records: number;
  readonly rdataBytes: number;
  readonly ttlSeconds: number;
  readonly rcode: number;
  readonly authenticData: boolean;
}

const share = fc.constantFrom<Share>('success', 'denial');
const named = fc.nat(NAMES.length - 1);
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        does: fc.constant('store' as const),
        name: named,
        share,
        dnssecOk: fc.boolean(),
        answer: fc.record({
          records: fc.integer({ min: 0, max: 18 }),
          rdataBytes: fc.integer({ min: 0, max: 90 }),
          ttlSeconds: fc.integer({ min: 0, max: 12 }),
          rcode: fc.constantFrom(0, 0, 3, 2),
          authenticData: fc.boolean(),
        }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ does: fc.constant('remove' as const), name: named, share }) },
    { weight: 1, arbitrary: fc.record({ does: fc.constant('purge' as const), name: named }) },
    { weight: 1, arbitrary: fc.record({ does: fc.constantFrom('replace' as const, 'shelf' as const) }) },
    { weight: 2, arbitrary: fc.record({ does: fc.constant('settle' as const) }) },
    {
      weight: 3,
      arbitrary: fc.record({ does: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 4000 }) }),
    },
  ),
  { maxLength: 60 },
);

/** Sequence numbers in the data: an answer that is not the last one cannot look like it. */
function answer(text: string, spec: AnswerSpec, number: number): WireAnswer {
  const records = Array.from({ length: spec.records }, (_, i): ResourceRecord => {
    const rdata = new Uint8Array(spec.rdataBytes).fill(number + i);
    return { name: name(text), type: 16, class: 1, ttlSeconds: spec.ttlSeconds, rdata };
  });
  const { rcode, authenticData, ttlSeconds } = spec;
  return { ...answerOf(records), rcode, authenticData, ttlSeconds, serverError: rcode === 2 };
}

function queries(text: string): readonly Uint8Array[] {
  const plain = new Uint8Array(encodeMessage(plainQuery({ name: name(text), type: 16 }, { id: 4711 })));
  const opt = (flags: number) => {
    const bytes = Uint8Array.of(...plain, 0, 0, 41, 5, 192, 0, 0, flags, 0, 0, 0);
    bytes[11] = 1;
    return bytes;
  };
  const disabled = plain.slice();
  disabled[3] = 0x30;
  return [plain, opt(0), opt(0x80), disabled];
}

it.each([
  { mode: 'plainly', spec: {} },
  { mode: 'with TTLs kept', spec: { keepTtl: true } },
  { mode: 'positive first', spec: { positiveFirst: true } },
  { mode: 'fetched ahead', spec: { prefetch: { hits: 1, gapMs: 5000, percent: 30 } } },
])('AnswerMirror gives no stale and no foreign answer over any history, $mode', ({ spec }) => {
  let hits = 0;
  fc.assert(
    fc.property(steps, (history) => {
      const bench = mirrorBench({ spec, zones: ['.'], shelf: { sets: 2, smallSlots: 12, largeSlots: 8 } });
      for (const [number, step] of history.entries()) {
        run(bench, step, number);
        for (const text of NAMES) {
          for (const query of queries(text)) {
            const found = bench.ask(query);
            if (found === undefined) continue;
            hits++;
            expect(Buffer.from(found.bytes)).toEqual(Buffer.from(bench.askThread(query) ?? []));
          }
        }
      }
      bench.mirror.close();
    }),
    { numRuns: 40 },
  );
  expect(hits).toBeGreaterThan(25);
});

function run(bench: ReturnType<typeof mirrorBench>, step: Step, number: number): void {
  switch (step.does) {
    case 'store': {
      const text = NAMES[step.name] ?? '';
      const other = { type: 16, dnssecOk: step.dnssecOk };
      bench.store(text, answer(text, step.answer, number), step.share, other);
      return;
    }
    case 'remove':
      bench.partition.remove(key(NAMES[step.name] ?? '', { type: 16 }), step.share);
      return;
    case 'purge':
      bench.partition.purge([name(NAMES[step.name] ?? '')]);
      return;
    case 'replace':
      bench.mirror.replaceListeners([bench.listener()]);
      return;
    case 'shelf':
      bench.mirror.useShelf(bench.memory);
      return;
    case 'settle':
      bench.settle();
      return;
    case 'pass':
      bench.clock.pass(step.ms);
  }
}

it('AnswerMirror has every answer that the programs could give, where there is room', () => {
  fc.assert(
    fc.property(steps, (history) => {
      const bench = mirrorBench({ shelf: { sets: 1024, smallSlots: 4096, largeSlots: 4096 } });
      for (const [number, step] of history.entries()) {
        // A success behind a denial that has expired comes to the map when either is stored again.
        run(bench, 'share' in step ? { ...step, share: 'success' } : step, number);
        // Those may have to wait until what was there has rested.
        if (step.does === 'shelf' || step.does === 'replace') letRest(bench);
        for (const query of NAMES.flatMap(queries)) {
          const reply = bench.askThread(query);
          if (reply !== undefined && isPlain(query, reply)) expect(bench.ask(query)).toBeDefined();
        }
      }
      bench.mirror.close();
    }),
    { numRuns: 20 },
  );
});

function letRest(bench: ReturnType<typeof mirrorBench>): void {
  for (let i = 0; i < 3; i++) {
    bench.settle();
    bench.clock.pass(1000);
  }
  bench.settle();
}

/** No error, and no more than a slot holds. */
function isPlain(query: Uint8Array, reply: Uint8Array): boolean {
  const records = [6, 8, 10].reduce((sum, at) => sum + ((reply[at] ?? 0) << 8) + (reply[at + 1] ?? 0), 0);
  const edns = query[11] ?? 0;
  const rcode = (reply[3] ?? 0) & 0x0f;
  return rcode !== 2 && records - edns <= 16 && reply.length - query.length <= 1024;
}
