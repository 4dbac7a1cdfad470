/** Whose answers a frontend gets, over everything that is said and that happens to its backends. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ipFromBytes } from '../../net/ip.ts';
import { DNS_PORT } from '../testing/conformance.ts';
import { AnswerSources, type Place, type ShelfView, type SourceRows } from './answer-sources.ts';

const place = (i: number): Place => ({
  address: ipFromBytes(Uint8Array.of(10, 0, i >> 8, i & 255)),
  port: DNS_PORT,
});
const nothing = () => undefined;

class Rows implements SourceRows {
  readonly kept = new Map<number, ShelfView>();
  calls = 0;

  read(id: number): ShelfView | undefined {
    this.calls++;
    return this.kept.get(id);
  }

  write(id: number, from: ShelfView | undefined): void {
    this.calls++;
    if (from === undefined) this.kept.delete(id);
    else this.kept.set(id, from);
  }
}

test('a row that an earlier agent left of another frontend is cleared before the id is used', () => {
  const rows = new Rows();
  rows.kept.set(7, { shelf: 1, view: 1 });
  const sources = new AnswerSources(rows, () => true);
  sources.follow(7, [place(1)], () => expect(rows.kept.has(7)).toBe(false));
  expect(rows.kept.size).toBe(0);
});

test('a row never names somebody while others take the place of the backend', () => {
  const rows = new Rows();
  const sources = new AnswerSources(rows, () => true);
  sources.set({ ...place(1), from: { shelf: 1, view: 1 } });
  sources.set({ ...place(2), from: { shelf: 2, view: 1 } });
  sources.follow(7, [place(1)], () => expect(rows.kept.has(7)).toBe(false));
  sources.follow(7, [place(2)], () => expect(rows.kept.has(7)).toBe(false));
  expect(rows.kept.get(7)).toEqual({ shelf: 2, view: 1 });
  sources.follow(7, [place(1), place(2)], () => expect(rows.kept.has(7)).toBe(false));
  sources.drop(7, () => expect(rows.kept.has(7)).toBe(false));
});

test('a frontend without backends keeps its answers until it has one again', () => {
  const rows = new Rows();
  const sources = new AnswerSources(rows, () => true);
  const from = { shelf: 1, view: 1 };
  const later = { shelf: 2, view: 1 };
  sources.set({ ...place(1), from });
  sources.follow(7, [place(1)], nothing);
  expect(sources.hold(7, nothing)).toBe(true);
  sources.set(place(1));
  sources.set({ ...place(1), from: later });
  expect(rows.kept.get(7)).toEqual(from);
  expect(sources.hold(7, nothing)).toBe(true);
  sources.follow(7, [place(1)], nothing);
  expect(rows.kept.get(7)).toEqual(later);
});

test('a frontend whose backend cannot be reached is answered until somebody speaks of that one', () => {
  const rows = new Rows();
  const sources = new AnswerSources(rows, () => true);
  const [from, later] = [1, 2].map((shelf) => ({ shelf, view: 1 }));
  const strand = (...wanted: number[]) => {
    let changes = 0;
    const isStranded = sources.strand(7, wanted.map(place), () => changes++);
    expect(changes).toBe(isStranded ? 1 : 0);
    return isStranded;
  };
  expect(strand(1)).toBe(false);
  sources.set({ ...place(1), ...(from && { from }) });
  sources.follow(7, [place(1), place(2)], nothing);
  // The answers are the first one's.
  expect([strand(2), strand(3), strand()]).toEqual([false, false, false]);
  expect([strand(3, 1), strand(3, 1)]).toEqual([true, true]);
  expect(rows.kept.get(7)).toEqual(from);
  sources.set({ ...place(2), ...(later && { from: later }) });
  expect(rows.kept.get(7)).toEqual(from);
  sources.set({ ...place(1), ...(later && { from: later }) });
  expect(rows.kept.get(7)).toEqual(later);
  sources.set(place(1));
  expect([rows.kept.size, strand(1)]).toEqual([0, false]);
});

test('when the change fails, the row stays empty until it is tried again', () => {
  const rows = new Rows();
  const sources = new AnswerSources(rows, () => true);
  sources.set({ ...place(1), from: { shelf: 1, view: 1 } });
  sources.follow(7, [place(1)], nothing);
  const fail = () => {
    throw new Error('ENOMEM');
  };
  expect(() => sources.follow(7, [place(2)], fail)).toThrow('ENOMEM');
  expect(rows.kept.size).toBe(0);
  sources.follow(7, [place(1)], nothing);
  expect(rows.kept.size).toBe(1);
});

test('of two backends it may be of, an inherited source stays only while both are there', () => {
  const rows = new Rows();
  rows.kept.set(7, { shelf: 1, view: 1 });
  const open = () => {
    const sources = new AnswerSources(rows, () => true);
    sources.inherit(7, [place(1), place(2)]);
    return sources;
  };
  open().follow(7, [place(3), place(2), place(1)], nothing);
  expect(rows.kept.size).toBe(1);
  const sources = open();
  sources.set({ ...place(3), from: { shelf: 2, view: 1 } });
  sources.follow(7, [place(3), place(1), place(2)], nothing);
  // Somebody else has spoken since: what it was before is over.
  sources.set(place(3));
  expect(rows.kept.size).toBe(0);
  rows.kept.set(7, { shelf: 1, view: 1 });
  open().follow(7, [place(2)], nothing);
  expect(rows.kept.size).toBe(0);
});

test('of a shelf that has gone nothing is inherited', () => {
  const rows = new Rows();
  rows.kept.set(7, { shelf: 1, view: 1 });
  const sources = new AnswerSources(rows, () => false);
  sources.inherit(7, [place(1)]);
  expect([rows.kept.size, sources.list()]).toEqual([0, []]);
});

test('a hundred thousand places that are spoken of take no more memory than there are backends', () => {
  const sources = new AnswerSources(new Rows(), () => true);
  for (let i = 0; i < 100_000; i++) {
    const address = ipFromBytes(Uint8Array.of(10, i >> 16, (i >> 8) & 255, i & 255));
    sources.set({ address, port: DNS_PORT, from: { shelf: 1, view: 1 } });
  }
  expect(sources.list()).toHaveLength(4096);
  sources.set({ ...place(0), from: { shelf: 2, view: 1 } });
  expect(sources.list()[0]).toMatchObject({ from: { shelf: 2 } });
});

test('saying the same again, or what changes nothing, is no system call', () => {
  const rows = new Rows();
  const sources = new AnswerSources(rows, () => true);
  sources.set({ ...place(1), from: { shelf: 1, view: 1 } });
  sources.follow(7, [place(1), place(2)], nothing);
  const { calls } = rows;
  sources.set({ ...place(1), from: { shelf: 1, view: 1 } });
  sources.set({ ...place(2), from: { shelf: 2, view: 1 } });
  sources.follow(7, [place(1), place(2)], nothing);
  expect(rows.calls).toBe(calls);
});

const PLACES = 4;
const someView = fc.record({ shelf: fc.integer({ min: 1, max: 3 }), view: fc.integer({ min: 1, max: 2 }) });
const someIndex = fc.integer({ min: 0, max: PLACES - 1 });
const someStep = fc.oneof(
  fc.record({ say: someIndex, from: fc.option(someView, { nil: undefined }) }),
  fc.record({ lead: fc.integer({ min: 1, max: 3 }), to: fc.uniqueArray(someIndex, { minLength: 1 }) }),
  fc.record({ drop: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ forget: fc.integer({ min: 1, max: 3 }) }),
);

test('after any history a row names the first backend that has a source', () => {
  fc.assert(
    fc.property(fc.array(someStep, { maxLength: 40 }), (steps) => {
      const rows = new Rows();
      const sources = new AnswerSources(rows, () => true);
      const said = new Map<number, ShelfView>();
      const leads = new Map<number, readonly number[]>();
      for (const step of steps) {
        if ('say' in step) {
          sources.set({ ...place(step.say), ...(step.from === undefined ? {} : { from: step.from }) });
          said.delete(step.say);
          if (step.from !== undefined) said.set(step.say, step.from);
        } else if ('lead' in step) {
          sources.follow(step.lead, step.to.map(place), nothing);
          leads.set(step.lead, step.to);
        } else if ('drop' in step) {
          if (leads.delete(step.drop)) sources.drop(step.drop, nothing);
        } else {
          sources.forgetShelf(step.forget);
          for (const [i, from] of said) if (from.shelf === step.forget) said.delete(i);
        }
        const wanted = [...leads].map(
          ([id, to]) => [id, said.get(to.find((i) => said.has(i)) ?? -1)] as const,
        );
        expect(new Map(rows.kept)).toEqual(new Map(wanted.filter(([, from]) => from !== undefined)));
      }
    }),
    { numRuns: 300 },
  );
});
