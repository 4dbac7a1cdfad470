/** What every datapath must do about answers, whoever carries the packets: shelves, sources, and who may be answered. */
import { beforeEach, describe, expect, test } from 'vitest';
import { type Port, toPort } from '../../net/port.ts';
import type { AnswerSource, Datapath, DatapathSpec } from '../datapath.ts';
import { type DatapathWorld, DNS_PORT, redirectedFrontend, toIp } from './conformance.ts';

/** What `beforeEach` of the suite made. */
export interface OpenWorld {
  readonly world: () => DatapathWorld;
  readonly datapath: () => Datapath;
  /** Closes the datapath and opens what it left. */
  readonly reopen: (answerEntries?: number) => Datapath;
}

const VIP = '10.96.0.10';
const OTHER_VIP = '10.96.0.11';
const ENTRIES = 1000;

export function describeAnswers({ world, datapath, reopen }: OpenWorld): void {
  const backend = (i: 0 | 1) => ({ address: toIp(world().present[i]), port: DNS_PORT });
  const frontend = (vip: string, ...indexes: readonly (0 | 1)[]) =>
    redirectedFrontend(
      vip,
      'UDP',
      indexes.map((i) => world().present[i]),
    );
  const specOf = (...frontends: DatapathSpec['frontends']): DatapathSpec => ({
    ...{ frontends, pods: [], mayPrune: true },
  });
  const openShelf = () => {
    const shelf = datapath().openShelf();
    if (shelf === undefined) throw new Error('No shelf');
    return shelf;
  };
  /** Of each frontend by its address, as packets meet it. */
  const answering = () =>
    Object.fromEntries(
      datapath()
        .dump()
        .map(({ address, answers }) => [address, answers]),
    );
  const say = (i: 0 | 1, from?: AnswerSource['from']) =>
    datapath().setAnswerSource(from === undefined ? backend(i) : { ...backend(i), from });

  describe('answers', () => {
    test('there are no shelves unless they are asked for', () => {
      expect(datapath().openShelf()).toBeUndefined();
      expect([datapath().shelves(), datapath().answerSources()]).toEqual([[], []]);
    });

    describe('asked for', () => {
      beforeEach(() => void reopen(ENTRIES));

      test('a shelf has room for the answers and twice the places', () => {
        const shelf = openShelf();
        expect(shelf).toMatchObject({ number: 1, smallSlots: ENTRIES, largeSlots: ENTRIES / 8 });
        expect(Math.log2(shelf.sets) % 1).toBe(0);
        expect(shelf.sets * 8).toBeGreaterThanOrEqual(2 * (ENTRIES + ENTRIES / 8));
        expect(datapath().shelf(1)).toEqual(shelf);
        expect(datapath().shelves()).toEqual([shelf]);
      });

      test('numbers are given out again as late as can be, and no more than there are', () => {
        const numbers = Array.from({ length: 3 }, () => openShelf().number);
        expect(numbers).toEqual([1, 2, 3]);
        datapath().closeShelf(2);
        datapath().closeShelf(2);
        expect(datapath().shelf(2)).toBeUndefined();
        expect(Array.from({ length: 13 }, () => openShelf().number)).toEqual([
          ...[4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 2],
        ]);
        expect(datapath().openShelf()).toBeUndefined();
        expect(datapath().shelves()).toHaveLength(15);
      });

      test('shelves outlive the datapath that made them, whatever size the next one is told', () => {
        const { fds: _, ...sizes } = openShelf();
        reopen(5000);
        expect(datapath().shelves()).toMatchObject([sizes]);
        expect(datapath().shelf(1)).toMatchObject(sizes);
        expect(openShelf()).toMatchObject({ number: 2, smallSlots: 5000, largeSlots: 625 });
      });

      test('shelves and sources go when the next one is told to have none', async () => {
        openShelf();
        say(0, { shelf: 1, view: 1 });
        await datapath().apply(specOf(frontend(VIP, 0)));
        reopen();
        expect([datapath().shelves(), datapath().answerSources()]).toEqual([[], []]);
        expect(answering()).toEqual({ [VIP]: undefined });
      });

      test('a frontend is answered from its first backend that has a source', async () => {
        openShelf();
        await datapath().apply(specOf(frontend(VIP, 0, 1), frontend(OTHER_VIP, 1)));
        say(1, { shelf: 1, view: 7 });
        expect(answering()).toEqual({ [VIP]: { shelf: 1, view: 7 }, [OTHER_VIP]: { shelf: 1, view: 7 } });
        say(0, { shelf: 1, view: 8 });
        expect(answering()).toEqual({ [VIP]: { shelf: 1, view: 8 }, [OTHER_VIP]: { shelf: 1, view: 7 } });
        say(0);
        say(0);
        expect(answering()[VIP]).toEqual({ shelf: 1, view: 7 });
        expect(datapath().answerSources()).toEqual([{ ...backend(1), from: { shelf: 1, view: 7 } }]);
        say(1);
        expect(answering()).toEqual({ [VIP]: undefined, [OTHER_VIP]: undefined });
        expect(datapath().answerSources()).toEqual([]);
      });

      test('a source follows the backends, and goes with the frontend', async () => {
        openShelf();
        // Before there is a backend.
        say(0, { shelf: 1, view: 1 });
        await datapath().apply(specOf(frontend(VIP, 0)));
        expect(answering()).toEqual({ [VIP]: { shelf: 1, view: 1 } });
        await datapath().apply(specOf(frontend(VIP, 1, 0)));
        expect(answering()).toEqual({ [VIP]: { shelf: 1, view: 1 } });
        await datapath().apply(specOf(frontend(VIP, 1)));
        expect(answering()).toEqual({ [VIP]: undefined });
        await datapath().apply(specOf());
        await datapath().apply(specOf(frontend(OTHER_VIP, 1)));
        expect(answering()).toEqual({ [OTHER_VIP]: undefined });
        await datapath().apply(specOf(frontend(OTHER_VIP, 0)));
        expect(answering()).toEqual({ [OTHER_VIP]: { shelf: 1, view: 1 } });
      });

      test('only UDP is answered, and only at the port that was said', async () => {
        openShelf();
        const otherPort: Port = toPort(5353) ?? DNS_PORT;
        datapath().setAnswerSource({ ...backend(0), port: otherPort, from: { shelf: 1, view: 1 } });
        await datapath().apply(specOf(frontend(VIP, 0)));
        expect(answering()).toEqual({ [VIP]: undefined });
        await datapath().apply(specOf(redirectedFrontend(VIP, 'TCP', [world().present[0]])));
        say(0, { shelf: 1, view: 1 });
        expect(answering()).toEqual({ [VIP]: undefined });
      });

      test('a shelf that is not there is nobody’s source, and one that goes is none any more', async () => {
        await datapath().apply(specOf(frontend(VIP, 0, 1)));
        say(0, { shelf: 1, view: 1 });
        expect(datapath().answerSources()).toEqual([]);
        openShelf();
        openShelf();
        say(0, { shelf: 1, view: 1 });
        say(1, { shelf: 2, view: 1 });
        datapath().closeShelf(1);
        expect(answering()).toEqual({ [VIP]: { shelf: 2, view: 1 } });
        expect(datapath().answerSources()).toEqual([{ ...backend(1), from: { shelf: 2, view: 1 } }]);
      });

      test('sources outlive the datapath until somebody speaks of the backend, or it goes', async () => {
        openShelf();
        say(0, { shelf: 1, view: 3 });
        await datapath().apply(specOf(frontend(VIP, 0), frontend(OTHER_VIP, 0)));
        const from = { shelf: 1, view: 3 };
        reopen(ENTRIES);
        expect(datapath().answerSources()).toEqual([{ ...backend(0), from }]);
        await datapath().apply({ ...specOf(), mayPrune: false });
        await datapath().apply(specOf(frontend(VIP, 1, 0), frontend(OTHER_VIP, 1)));
        expect(answering()).toEqual({ [VIP]: from, [OTHER_VIP]: undefined });
        say(1);
        expect(answering()[VIP]).toEqual(from);
        say(0);
        expect(answering()[VIP]).toBeUndefined();
        expect(datapath().answerSources()).toEqual([]);
      });

      test('a frontend without backends goes on being answered while it is asked for and the shelf is there', async () => {
        openShelf();
        const from = { shelf: 1, view: 3 };
        say(0, from);
        await datapath().apply(specOf(frontend(VIP, 0), frontend(OTHER_VIP, 1)));
        const [row] = datapath().frontends();
        const left = { ...specOf(), answering: [frontend(VIP), frontend(OTHER_VIP)] };
        await datapath().apply(left);
        say(0);
        expect(datapath().dump()).toMatchObject([{ id: row?.id, slots: [], answers: from }]);
        expect([datapath().frontends(), datapath().health()]).toEqual([[], []]);
        reopen(ENTRIES);
        await datapath().apply(left);
        expect(datapath().dump()).toMatchObject([{ id: row?.id, slots: [], answers: from }]);
        // Another has come, which nobody has spoken of.
        await datapath().apply(specOf(frontend(VIP, 1)));
        expect(datapath().frontends()).toMatchObject([{ id: row?.id }]);
        expect(answering()).toEqual({ [VIP]: undefined });
        say(1, from);
        await datapath().apply(left);
        expect(answering()).toEqual({ [VIP]: from });
        datapath().closeShelf(1);
        expect(answering()).toEqual({ [VIP]: undefined });
        await datapath().apply({ ...left });
        expect(answering()).toEqual({});
        expect(openShelf().number).toBe(2);
        say(1, { shelf: 2, view: 1 });
        await datapath().apply(specOf(frontend(VIP, 1)));
        await datapath().apply(left);
        await datapath().apply(specOf());
        expect(answering()).toEqual({});
      });

      test('a backend that cannot be reached is not answered for by the one before it', async () => {
        openShelf();
        say(0, { shelf: 1, view: 3 });
        await datapath().apply(specOf(frontend(VIP, 0)));
        await datapath().apply(specOf(redirectedFrontend(VIP, 'UDP', [world().absent])));
        expect(datapath().frontends()).toMatchObject([{ status: { state: 'error' } }]);
        expect(datapath().dump()).toEqual([]);
      });

      test('pods are answered that are permitted, redirected and no backends', async () => {
        const pod = (i: 0 | 1, over = {}) => ({
          ...{ pod: `default/pod-${i}`, addresses: [toIp(world().present[i])], answers: true, ...over },
        });
        const answers = () =>
          datapath()
            .interfaces()
            .map((row) => row.answers);
        const apply = (pods: DatapathSpec['pods'], ...frontends: DatapathSpec['frontends']) =>
          datapath().apply({ ...specOf(...frontends), pods });
        await apply([pod(0), pod(1, { answers: false })]);
        expect(answers()).toEqual([true, false]);
        await apply([pod(0, { observeOnly: true }), pod(1)]);
        expect(answers()).toEqual([false, true]);
        const pods = [pod(0), pod(1)];
        await apply(pods, frontend(VIP, 1));
        expect(answers()).toEqual([true, false]);
        await apply(pods, frontend(VIP, 0, 1));
        expect(answers()).toEqual([false, false]);
        await apply(pods, redirectedFrontend(VIP, 'TCP', [world().present[0]]));
        expect(answers()).toEqual([false, true]);
        await datapath().apply({ frontends: [], pods, mayPrune: false });
        expect(answers()).toEqual([false, true]);
        await apply(pods);
        expect(answers()).toEqual([true, true]);
      });

      test('after close nothing is given out or said any more', async () => {
        const { number } = openShelf();
        await datapath().apply(specOf(frontend(VIP, 0)));
        datapath().close();
        say(0, { shelf: number, view: 1 });
        datapath().closeShelf(number);
        expect([datapath().openShelf(), datapath().shelf(number)]).toEqual([undefined, undefined]);
        reopen(ENTRIES);
        expect(datapath().shelves()).toMatchObject([{ number }]);
        expect(answering()).toEqual({ [VIP]: undefined });
      });
    });
  });
}
