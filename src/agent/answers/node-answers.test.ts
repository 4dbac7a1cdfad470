/** Which shelf is whose, and whose queries it is read for, as caches and agents come and go. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ANSWER_LAYOUT } from '../../answermap/answer-abi.gen.ts';
import {
  createFakeKernel,
  type FakeDatapath,
  type FakeKernel,
  openFakeDatapath,
} from '../../datapath/fake-datapath.ts';
import { DNS_PORT, redirectedFrontend, toIp } from '../../datapath/testing/conformance.ts';
import type { Hello, ListenerView } from '../../heartbeat/messages.ts';
import { VirtualClock } from '../../telemetry/virtual-clock.ts';
import type { CacheRow } from '../health/cache-desk.ts';
import { NodeAnswers } from './node-answers.ts';

const VIP = '10.96.0.10';
const A = '172.20.1.9';
const B = '172.20.1.10';
const MINUTE = 60_000;
const ANY: ListenerView = { port: DNS_PORT, view: 1 };

let kernel: FakeKernel;
let datapath: FakeDatapath;
let clock: VirtualClock;
let caches: CacheRow[];
let answers: NodeAnswers;
let said: string[];

function open(wanted: number | 'off' = 1000): void {
  datapath = openFakeDatapath({ kernel, clock, ...(wanted !== 'off' && { answerEntries: wanted }) });
  const log = { info: () => undefined, warning: (text: string) => said.push(text) };
  answers = new NodeAnswers({ ...{ datapath, clock, log, wanted }, caches: () => caches });
  answers.sync();
}

/** As an agent ends and the next one starts: caches are connected no more. */
function restart(wanted: number | 'off' = 1000): void {
  answers.close();
  datapath.close();
  caches = [];
  open(wanted);
}

async function redirect(...backends: string[]): Promise<void> {
  const frontends = backends.length === 0 ? [] : [redirectedFrontend(VIP, 'UDP', backends)];
  await datapath.apply({ frontends, pods: [], mayPrune: true });
  answers.sync();
}

function helloOf(address: string, wish: Partial<NonNullable<Hello['answers']>> | 'none' = {}): Hello {
  return {
    ...{ version: 1, addresses: [toIp(address)], ports: [DNS_PORT], threads: 1 },
    ...(wish !== 'none' && { answers: { layout: ANSWER_LAYOUT, listeners: [ANY], ...wish } }),
  };
}

/** A cache that says this, and beats. */
function join(seat: number, hello: Hello, state: CacheRow['state'] = 'beating'): CacheRow {
  const shelf = answers.grant(hello, undefined)?.number;
  const row: CacheRow = { seat, hello, state, sinceMs: 0, ...(shelf !== undefined && { shelf }) };
  caches = [...caches, row];
  answers.sync();
  return row;
}

function leave(row: CacheRow): void {
  caches = caches.filter((each) => each.seat !== row.seat);
  answers.sync();
}

function hang({ seat }: CacheRow, isLate = true): void {
  caches = caches.map((each) => {
    const { isLate: _, ...row } = each;
    return each.seat !== seat ? each : { ...row, ...(isLate && { isLate }) };
  });
  answers.sync();
}

function say(row: CacheRow, hello: Hello): CacheRow {
  const shelf = answers.grant(hello, row.shelf)?.number;
  const { shelf: _, ...rest } = row;
  const next: CacheRow = { ...rest, hello, ...(shelf !== undefined && { shelf }) };
  caches = caches.map((each) => (each.seat === row.seat ? next : each));
  answers.sync();
  return next;
}

/** Where the queries to the frontend get answers from, as the kernel has it: `shelf view`. */
const source = () => [...kernel.sources.values()].map(({ shelf, view }) => `${shelf} ${view}`);
const shelves = () => datapath.shelves().map(({ number }) => number);

beforeEach(async () => {
  kernel = createFakeKernel();
  for (const [i, address] of [A, B].entries())
    kernel.interfaces.set(toIp(address), { ifindex: i + 2, ifname: `veth${i}` });
  clock = new VirtualClock();
  [caches, said] = [[], []];
  open();
  answers.stopAwaitingOwners();
  await redirect(A);
});
afterEach(() => answers.close());

describe('a cache', () => {
  it('is asked for answers from its first beat on', () => {
    const row = join(1, helloOf(A), 'seated');
    expect([shelves(), source()]).toEqual([[row.shelf], []]);
    caches = [{ ...row, state: 'beating' }];
    answers.sync();
    expect(source()).toEqual([`${row.shelf} 1`]);
  });

  it('is asked at the listener that has the address, else at the one of all addresses', () => {
    const [mine, other]: ListenerView[] = [
      { address: toIp(A), port: DNS_PORT, view: 7 },
      { address: toIp(B), port: DNS_PORT, view: 8 },
    ];
    const row = join(1, helloOf(A, { listeners: [ANY, mine ?? ANY, other ?? ANY] }));
    expect(source()).toEqual([`${row.shelf} 7`]);
    const next = say(row, helloOf(A, { listeners: [other ?? ANY, ANY] }));
    expect([next.shelf, source()]).toEqual([row.shelf, [`${row.shelf} 1`]]);
    say(next, helloOf(A, { listeners: [other ?? ANY] }));
    expect(source()).toEqual([]);
  });

  it('is asked at the listener of all addresses of the family, as `bind 0.0.0.0` makes it', () => {
    const everywhere = ['0.0.0.0', '::'].map((address, i) => ({
      ...{ address: toIp(address), port: DNS_PORT, view: 3 + i },
    }));
    const row = join(1, helloOf(A, { listeners: [...everywhere.toReversed(), ANY] }));
    expect(source()).toEqual([`${row.shelf} 3`]);
    say(row, helloOf(A, { listeners: everywhere.slice(1) }));
    expect(source()).toEqual([]);
  });

  it('that fills none gets none, and takes away what stood for its address', () => {
    const old = join(1, helloOf(A));
    leave(old);
    expect(source()).toEqual([`${old.shelf} 1`]);
    join(2, helloOf(A, 'none'));
    expect([source(), shelves()]).toEqual([[], []]);
  });

  it('that ended gives way at once to one that beats behind the same frontend', async () => {
    await redirect(A, B);
    const first = join(1, helloOf(A));
    const second = join(2, helloOf(B));
    expect(source()).toEqual([`${first.shelf} 1`]);
    leave(first);
    expect([source(), shelves()]).toEqual([[`${second.shelf} 1`], [second.shelf]]);
    // Alone, it leaves its own.
    leave(second);
    expect(source()).toEqual([`${second.shelf} 1`]);
  });

  it('that hangs gives way like one that ended, until it beats again', async () => {
    await redirect(A, B);
    const [first, second] = [join(1, helloOf(A)), join(2, helloOf(B))];
    hang(first);
    expect([source(), shelves()]).toEqual([[`${second.shelf} 1`], [first.shelf, second.shelf]]);
    hang(second);
    expect(source()).toEqual([`${second.shelf} 1`]);
    hang(first, false);
    expect(source()).toEqual([`${first.shelf} 1`]);
  });

  it('that hangs is answered for while nobody else is there', async () => {
    await redirect(A);
    const only = join(1, helloOf(A));
    hang(only);
    expect(source()).toEqual([`${only.shelf} 1`]);
    const next = join(2, helloOf(A));
    expect(source()).toEqual([`${next.shelf} 1`]);
    hang(next);
    expect(source()).toEqual([`${next.shelf} 1`]);
  });

  it('of another layout gets none, which is said once', () => {
    const wish = { layout: ANSWER_LAYOUT + 1 };
    expect(join(1, helloOf(A, wish)).shelf).toBeUndefined();
    expect(join(2, helloOf(A, wish)).shelf).toBeUndefined();
    expect(said).toEqual([expect.stringContaining('layout')]);
  });

  it('cannot name the shelf of one that is connected', () => {
    const first = join(1, helloOf(A));
    const second = join(2, helloOf(B, { shelf: first.shelf ?? 0 }));
    expect(second.shelf).not.toBe(first.shelf);
    expect(source()).toEqual([`${first.shelf} 1`]);
  });

  it('cannot name the shelf that another left for its own address', () => {
    const first = join(1, helloOf(A));
    leave(first);
    const second = join(2, helloOf(B, { shelf: first.shelf ?? 0 }));
    expect(second.shelf).not.toBe(first.shelf);
    expect(source()).toEqual([`${first.shelf} 1`]);
  });

  it.each([0, 7, 16, 65_535])('that names shelf %d, which is none, gets one', (shelf) => {
    expect(join(1, helloOf(A, { shelf })).shelf).toBe(1);
  });

  it('gets none when all are taken, which is said once, and one when there is one again', () => {
    const rows = Array.from({ length: 17 }, (_, i) => join(i + 1, helloOf(A)));
    expect(rows.filter(({ shelf }) => shelf !== undefined)).toHaveLength(15);
    expect(said).toEqual([expect.stringContaining('AGENT_ANSWERS_UNAVAILABLE')]);
    expect(answers.report().problem).toContain('15 caches');
    const [first] = rows;
    if (first !== undefined) leave(first);
    expect(join(20, helloOf(A)).shelf).toBe(first?.shelf);
    expect(answers.report().problem).toBeUndefined();
  });

  it('that dies before it beats leaves nothing', () => {
    for (let seat = 1; seat < 40; seat++) leave(join(seat, helloOf(A), 'seated'));
    expect([shelves(), said]).toEqual([[], []]);
  });
});

describe('a cache that has ended', () => {
  it('is answered for until its successor beats, not only connects', () => {
    const old = join(1, helloOf(A));
    leave(old);
    expect([source(), shelves()]).toEqual([[`${old.shelf} 1`], [old.shelf]]);
    const next = join(2, helloOf(A), 'seated');
    expect(source()).toEqual([`${old.shelf} 1`]);
    caches = [{ ...next, state: 'beating' }];
    answers.sync();
    expect([source(), shelves()]).toEqual([[`${next.shelf} 1`], [next.shelf]]);
  });

  it('gives the address back to an older one that is still there', () => {
    const older = join(1, helloOf(A));
    const newer = join(2, helloOf(A));
    expect(source()).toEqual([`${newer.shelf} 1`]);
    caches = [{ ...newer, state: 'leaving' }, older];
    answers.sync();
    expect(source()).toEqual([`${older.shelf} 1`]);
    leave(newer);
    expect(shelves()).toEqual([older.shelf]);
  });

  it('is forgotten ten minutes later, if nobody comes', () => {
    const old = join(1, helloOf(A));
    leave(old);
    clock.pass(10 * MINUTE - 1);
    expect(source()).toEqual([`${old.shelf} 1`]);
    clock.pass(1);
    expect([source(), shelves()]).toEqual([[], []]);
    expect(clock.pending).toBe(0);
  });

  it('has ten minutes each time', () => {
    leave(join(1, helloOf(A)));
    clock.pass(9 * MINUTE);
    const second = join(2, helloOf(A));
    leave(second);
    clock.pass(9 * MINUTE);
    expect(source()).toEqual([`${second.shelf} 1`]);
  });

  it('is forgotten with its pod', async () => {
    leave(join(1, helloOf(A)));
    await redirect(B);
    expect([source(), shelves()]).toEqual([[], []]);
  });

  it('is forgotten when its pod went first', async () => {
    const row = join(1, helloOf(A));
    await redirect();
    expect(shelves()).toEqual([row.shelf]);
    leave(row);
    expect(shelves()).toEqual([]);
    await redirect(A);
    expect(source()).toEqual([]);
  });
});

describe('an agent after another', () => {
  it('leaves everything as it is until owners have had their time, and gives them what is theirs', () => {
    const before = join(1, helloOf(A));
    restart();
    expect([source(), shelves()]).toEqual([[`${before.shelf} 1`], [before.shelf]]);
    const again = join(1, helloOf(A, { shelf: before.shelf ?? 0 }), 'seated');
    expect(again.shelf).toBe(before.shelf);
    answers.stopAwaitingOwners();
    expect([source(), shelves()]).toEqual([[`${before.shelf} 1`], [before.shelf]]);
  });

  it('gives nobody a shelf that is read for others', () => {
    const before = join(1, helloOf(A));
    restart();
    expect(join(2, helloOf(B, { shelf: before.shelf ?? 0 })).shelf).not.toBe(before.shelf);
    expect(join(1, helloOf(A, { shelf: before.shelf ?? 0 })).shelf).toBe(before.shelf);
  });

  it('knows a cache behind a frontend of several, whichever the row was for', async () => {
    await redirect(A, B);
    const before = join(1, helloOf(B));
    expect(source()).toEqual([`${before.shelf} 1`]);
    restart();
    expect(join(1, helloOf(B, { shelf: before.shelf ?? 0 })).shelf).toBe(before.shelf);
  });

  it('closes what nobody came back for and nobody reads, and forgets the rest in ten minutes', async () => {
    const read = join(1, helloOf(A));
    const spare = join(2, helloOf(B));
    restart();
    await redirect(A);
    expect(shelves()).toEqual([read.shelf, spare.shelf]);
    answers.stopAwaitingOwners();
    expect([shelves(), source()]).toEqual([[read.shelf], [`${read.shelf} 1`]]);
    clock.pass(10 * MINUTE);
    expect([shelves(), source()]).toEqual([[], []]);
  });

  it('that is to have no answers takes them away, and grants none', () => {
    join(1, helloOf(A));
    restart('off');
    expect([source(), shelves()]).toEqual([[], []]);
    expect(join(1, helloOf(A)).shelf).toBeUndefined();
    expect(answers.report()).toEqual({ on: false, shelves: [] });
    expect(said).toEqual([]);
  });
});

describe('what is told of it', () => {
  it('is who fills which shelf, and for whom', () => {
    const row = join(4, helloOf(A));
    join(5, helloOf(B, { listeners: [{ address: toIp(B), port: DNS_PORT, view: 2 }] }), 'seated');
    leave(row);
    expect(answers.report()).toMatchObject({
      on: true,
      entries: 1000,
      shelves: [
        {
          ...{ number: 1, state: 'left', room: { small: 1000, large: 125 }, serves: [`${A}:53`] },
          listeners: [{ listener: '*:53', view: 1 }],
        },
        { number: 2, seat: 5, state: 'seated', serves: [], listeners: [{ listener: `${B}:53`, view: 2 }] },
      ],
    });
  });

  it('is who hangs', () => {
    const row = join(4, helloOf(A));
    const states = () => answers.report().shelves.map(({ state }) => state);
    expect(states()).toEqual(['beating']);
    hang(row);
    expect(states()).toEqual(['late']);
    hang(row, false);
    expect(states()).toEqual(['beating']);
    hang(row);
    caches = caches.map((each) => ({ ...each, state: 'leaving' }));
    expect(states()).toEqual(['leaving']);
  });
});
