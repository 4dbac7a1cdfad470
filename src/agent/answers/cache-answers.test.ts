/**
 * Caches over real sockets, with real descriptors, at an agent whose kernel is a fake with files for maps: what they can do
 * to it and to each other, wherever they end.
 */
import { closeSync, fstatSync, mkdtempSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ANSWER_HEAD_SIZE, ANSWER_LAYOUT } from '../../answermap/answer-abi.gen.ts';
import type { Datapath } from '../../datapath/datapath.ts';
import { createFakeKernel, type FakeKernel, openFakeDatapath } from '../../datapath/fake-datapath.ts';
import { redirectedFrontend, toIp } from '../../datapath/testing/conformance.ts';
import {
  BEATING,
  decodeAgentMessage,
  encode,
  LEAVING,
  MAX_LISTENERS,
  type Seated,
} from '../../heartbeat/messages.ts';
import { BeatFile } from '../../heartbeat/testing/beat-file.ts';
import { connectForDescriptors, type DescriptorChannel } from '../../sys/descriptor-channel.ts';
import { VirtualClock } from '../../telemetry/virtual-clock.ts';
import { NodeHealth } from '../health/node-health.ts';
import { type ShelfFiles, wireName, withShelfFiles } from './testing/shelf-files.ts';

const A = '172.20.1.9';
const HELLO = { version: 1, addresses: [A], ports: [53], threads: 1 };
const LISTENERS = [{ port: 53, view: 1 }];
const WISH = { layout: ANSWER_LAYOUT, listeners: LISTENERS };

let directory: string;
let clock: VirtualClock;
let beats: BeatFile;
let kernel: FakeKernel;
let files: Map<number, ShelfFiles>;
let datapath: Datapath;
let health: NodeHealth;
let channels: DescriptorChannel[];
let received: number[];

function openAgent(): void {
  const fake = openFakeDatapath({ kernel, clock, answerEntries: 1000 });
  datapath = withShelfFiles(fake, { directory, files, beats });
  health = new NodeHealth({
    ...{ datapath, clock, probe: false, random: () => 0.5, kernelAnswers: 1000 },
    log: { info: () => undefined, warning: () => undefined },
    heartbeatSocket: join(directory, 'cache', 'beat.sock'),
  });
}

function closeAgent(): void {
  health.close();
  datapath.close();
}

function call(): DescriptorChannel {
  const channel = connectForDescriptors(join(directory, 'cache', 'beat.sock'));
  channels.push(channel);
  return channel;
}

/** What is said back: a seat with its descriptors, or words. */
function say(channel: DescriptorChannel, message: Uint8Array): (Seated & { fds: number[] }) | string {
  channel.send(message);
  clock.pass(50);
  const heard = channel.receive();
  if (typeof heard === 'string') return heard;
  received.push(...heard.fds);
  const decoded = decodeAgentMessage(heard.bytes);
  if (!decoded.ok) return 'nonsense';
  if (decoded.value.kind === 'seated') return { ...decoded.value.seated, fds: [...heard.fds] };
  return decoded.value.kind === 'error' ? decoded.value.error : decoded.value.kind;
}

function seated(channel: DescriptorChannel, answers: object | 'none' = WISH): Seated & { fds: number[] } {
  const said = say(channel, encode({ ...HELLO, ...(answers !== 'none' && { answers }) }));
  if (typeof said === 'string') throw new Error(`No seat: ${said}`);
  return said;
}

const source = () => [...kernel.sources.values()].map(({ shelf, view }) => `${shelf} ${view}`);
const shelves = () => datapath.shelves().map(({ number }) => number);

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'zerohop-answers-'));
  clock = new VirtualClock();
  beats = new BeatFile(join(directory, 'map'));
  kernel = createFakeKernel();
  kernel.interfaces.set(toIp(A), { ifindex: 2, ifname: 'veth0' });
  files = new Map();
  [channels, received] = [[], []];
  openAgent();
  const frontends = [redirectedFrontend('10.96.0.10', 'UDP', [A])];
  await datapath.apply({ frontends, pods: [], mayPrune: true });
});
afterEach(() => {
  closeAgent();
  for (const channel of channels) channel.close();
  for (const fd of received) closeSync(fd);
  for (const each of files.values()) each.close();
  beats.close();
  rmSync(directory, { recursive: true });
});

describe('a cache that fills the answer map', () => {
  it('gets its shelf with its seat: index, small slots, large slots and log', () => {
    const { seat, shelf, fds } = seated(call());
    const { sets = 0 } = shelf ?? {};
    expect([seat, shelf]).toMatchObject([1, { number: 1, smallSlots: 1000, largeSlots: 125 }]);
    expect(fds.slice(1).map((fd) => fstatSync(fd).size)).toEqual([
      64 * (sets + 1),
      448 * 1000,
      1408 * 125,
      shelf?.logBytes,
    ]);
  });

  it('is seen filling it, and listed', async () => {
    const cache = call();
    const { fds, shelf } = seated(cache);
    say(cache, BEATING);
    expect(source()).toEqual([`${shelf?.number} 1`]);
    const nowNs = process.hrtime.bigint();
    const times = { storedNs: nowNs, untilNs: nowNs + 600_000_000_000n, ttlSeconds: 600 };
    files.get(1)?.put(3, { slot: 0 }, { name: wireName('example', 'org'), ...times });
    const { entries } = await health.answers.list();
    expect(entries).toMatchObject([{ shelf: 1, listener: '*:53', name: 'example.org.', type: 'A' }]);
    expect(health.answers.report().shelves).toMatchObject([
      { number: 1, seat: 1, state: 'beating', used: { small: 1, large: 0 }, serves: [`${A}:53`] },
    ]);
    const index = fds[1];
    if (index !== undefined) writeSync(index, new Uint8Array(8), 0, 8, ANSWER_HEAD_SIZE + 8 * 3);
    expect((await health.answers.list()).entries).toEqual([]);
  });

  it('is not looked into when its shelf was closed while another was listed', async () => {
    for (let i = 0; i < 2; i++) seated(call());
    const nowNs = process.hrtime.bigint();
    const times = { storedNs: nowNs, untilNs: nowNs + 600_000_000_000n, ttlSeconds: 600 };
    for (const number of [1, 2])
      files.get(number)?.put(3, { slot: 0 }, { name: wireName('example', 'org'), ...times });
    const listing = health.answers.list();
    datapath.closeShelf(2);
    expect((await listing).entries.map(({ shelf }) => shelf)).toEqual([1]);
  });

  it('keeps its shelf when it says anew what it serves', () => {
    const cache = call();
    const first = seated(cache);
    say(cache, BEATING);
    const listeners = [{ address: A, port: 53, view: 9 }];
    const second = seated(cache, { ...WISH, listeners });
    expect(second.shelf).toEqual(first.shelf);
    expect(source()).toEqual(['1 9']);
  });

  it.each<[string, object | 'none']>([
    ['says nothing of it', 'none'],
    ['fills another layout', { ...WISH, layout: ANSWER_LAYOUT + 1 }],
  ])('is seated without one when it %s', (_, answers) => {
    const { shelf, fds } = seated(call(), answers);
    expect([shelf, fds.length, shelves()]).toEqual([undefined, 1, []]);
  });

  it('may have as many listeners as there is room for, and not more', () => {
    const many = (count: number) =>
      Array.from({ length: count }, (_, i) => ({
        ...{ address: '2001:db8:ffff:ffff:ffff:ffff:ffff:1234', port: 65_535 - i, view: 65_535 - i },
      }));
    expect(seated(call(), { ...WISH, listeners: many(MAX_LISTENERS) }).shelf).toBeDefined();
    const said = say(call(), encode({ ...HELLO, answers: { ...WISH, listeners: many(MAX_LISTENERS + 1) } }));
    expect(said).toContain('listeners');
    expect(shelves()).toEqual([1]);
  });

  it("does not get another's by naming it, and takes nothing from it", () => {
    const [first, second] = [call(), call()];
    const { shelf } = seated(first);
    say(first, BEATING);
    const other = seated(second, { ...WISH, shelf: shelf?.number });
    expect(other.shelf?.number).not.toBe(shelf?.number);
    expect(source()).toEqual([`${shelf?.number} 1`]);
  });

  it.each<[string, (cache: DescriptorChannel) => void, readonly string[]]>([
    ['before it says anything', () => undefined, []],
    ['without reading its seat', (cache) => cache.send(encode({ ...HELLO, answers: WISH })), []],
    ['when it has its shelf', (cache) => void seated(cache), []],
    [
      'while it beats',
      (cache) => {
        seated(cache);
        say(cache, BEATING);
      },
      ['1 1'],
    ],
    [
      'after it said that it will',
      (cache) => {
        seated(cache);
        say(cache, BEATING);
        say(cache, LEAVING);
      },
      ['1 1'],
    ],
  ])('may end %s', (_, live, left) => {
    const cache = call();
    clock.pass(50);
    live(cache);
    cache.close();
    clock.pass(100);
    expect(health.report().caches).toEqual([]);
    expect([source(), shelves().length]).toEqual([left, left.length]);
    const next = call();
    const { shelf } = seated(next);
    say(next, BEATING);
    expect([source(), shelves()]).toEqual([[`${shelf?.number} 1`], [shelf?.number]]);
  });

  it('is answered for while there is no agent, and found again by the next one', () => {
    const cache = call();
    const { seat, shelf } = seated(cache);
    say(cache, BEATING);
    closeAgent();
    expect([source(), kernel.shelves.size]).toEqual([['1 1'], 1]);
    openAgent();
    const again = call();
    const back = say(again, encode({ ...HELLO, seat, answers: { ...WISH, shelf: shelf?.number } }));
    expect(back).toMatchObject({ seat, shelf });
    say(again, BEATING);
    clock.pass(6000);
    expect([source(), shelves()]).toEqual([['1 1'], [1]]);
  });

  it('is answered for after the agent, too, when it ended with it, for as long as its answers may be right', () => {
    say(call(), encode({ ...HELLO, answers: WISH }));
    const cache = channels[0];
    if (cache !== undefined) say(cache, BEATING);
    closeAgent();
    cache?.close();
    openAgent();
    clock.pass(60_000);
    expect([source(), shelves()]).toEqual([['1 1'], [1]]);
    clock.pass(600_000);
    expect([source(), shelves()]).toEqual([[], []]);
  });

  it('gets another shelf when the one it had is gone', () => {
    closeAgent();
    kernel.shelves.clear();
    openAgent();
    const { shelf } = seated(call(), { ...WISH, shelf: 5 });
    expect(shelf?.number).toBe(1);
  });
});
