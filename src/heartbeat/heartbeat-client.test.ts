/** The cache's end against an agent of the test's own, over a real socket and a file in place of the kernel's map. */
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseIp } from '../net/ip.ts';
import { parsePort } from '../net/port.ts';
import {
  type ChannelListener,
  type DescriptorChannel,
  listenForDescriptors,
} from '../sys/descriptor-channel.ts';
import { VirtualClock } from '../telemetry/virtual-clock.ts';
import type { BeatRow } from './beat-map.ts';
import { HeartbeatClient, type HeartbeatClientOptions } from './heartbeat-client.ts';
import { encode, type ListenerView, type ShelfGrant } from './messages.ts';
import { BEAT_BYTES, BeatFile, SEATS } from './testing/beat-file.ts';

const settled = () => new Promise((resolve) => setImmediate(resolve));
const PRESENCE = { addresses: [parseIp('172.20.1.9') ?? never()], ports: [parsePort('53') ?? never()] };

let directory: string;
let clock: VirtualClock;
let beats: BeatFile;
let listener: ChannelListener | undefined;
let client: HeartbeatClient;
let rows: BeatRow[];
let said: string[];
let nowNs: bigint;

function never(): never {
  throw new Error('not possible');
}

function openAgent(): void {
  listener = listenForDescriptors(join(directory, 'beat.sock'));
}

function closeAgent(): void {
  listener?.close();
  listener = undefined;
  rmSync(join(directory, 'beat.sock'), { force: true });
}

/** The next one who calls, and what it says first. */
function answerCall(): { channel: DescriptorChannel; hello: unknown } {
  const channel = listener?.accept() ?? never();
  return { channel, hello: read(channel) };
}

function read(channel: DescriptorChannel): unknown {
  const heard = channel.receive();
  return typeof heard === 'string' ? heard : JSON.parse(new TextDecoder().decode(heard.bytes));
}

async function seat(channel: DescriptorChannel, number: number): Promise<void> {
  channel.send(encode({ seat: number, seats: SEATS, beatBytes: BEAT_BYTES }), [beats.fd]);
  clock.pass(20);
  await settled();
}

/** Descriptors of this process that lead to a file. Others come and go: other threads, what earlier tests left to close. */
function openOf(path: string): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === path;
    } catch {
      return false; // The one that listed them.
    }
  }).length;
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'zerohop-beat-'));
  clock = new VirtualClock();
  beats = new BeatFile(join(directory, 'map'));
  [rows, said] = [[], []];
  nowNs = 1_000_000_000n;
  client = clientOf({});
});

function clientOf(more: Pick<HeartbeatClientOptions, 'answers'>): HeartbeatClient {
  return new HeartbeatClient({
    ...more,
    ...{ path: join(directory, 'beat.sock'), clock, threads: 1 },
    nowNs: () => nowNs,
    log: { info: (text) => said.push(text), warning: (text) => said.push(text) },
    presence: () => PRESENCE,
    useRow: async (row) => void rows.push(row),
  });
}
afterEach(() => {
  client.close();
  closeAgent();
  beats.close();
  rmSync(directory, { recursive: true });
});

describe('HeartbeatClient', () => {
  it('says what it serves, clears the seat it gets, and beats there', async () => {
    beats.fill(5, 77n);
    openAgent();
    client.start();
    const { channel, hello } = answerCall();
    expect(hello).toEqual({ version: 1, addresses: ['172.20.1.9'], ports: [53], threads: 1 });
    await seat(channel, 5);
    expect(read(channel)).toEqual({ beating: true });
    expect(beats.row(5)).toEqual([nowNs, 0n, 0n, 0n, 0n, 0n, 0n, 0n]);
    expect(rows).toHaveLength(1);
    nowNs = 2_000_000_000n;
    clock.pass(100);
    expect(beats.row(5)[0]).toBe(nowNs);
    expect(beats.row(4)).toEqual(Array(8).fill(0n));
    channel.close();
  });

  it('beats on while there is no agent, and proposes its seat to the next one', async () => {
    openAgent();
    client.start();
    const first = answerCall();
    await seat(first.channel, 5);
    first.channel.close();
    closeAgent();
    for (nowNs = 3_000_000_000n; nowNs < 9_000_000_000n; nowNs += 100_000_000n) clock.pass(100);
    clock.pass(100);
    expect(beats.row(5)[0]).toBe(nowNs);
    openAgent();
    clock.pass(1100);
    const second = answerCall();
    expect(second.hello).toMatchObject({ seat: 5 });
    // What a packet thread has written there is true still.
    beats.fill(5, nowNs);
    await seat(second.channel, 5);
    expect(beats.row(5)).toEqual(Array(8).fill(nowNs));
    expect(said).toEqual(['The agent watches this process: seat 5']);
    second.channel.close();
  });

  it('is dead to the kernel the moment it leaves, and waits for the word of the agent', async () => {
    openAgent();
    client.start();
    const { channel } = answerCall();
    await seat(channel, 5);
    read(channel);
    const left = client.leave(300);
    expect(beats.row(5)[0]).toBe(1n);
    expect(read(channel)).toEqual({ leaving: true });
    channel.send(encode({ left: true }));
    clock.pass(20);
    expect(await left).toBe(true);
    clock.pass(1000);
    expect(beats.row(5)[0]).toBe(1n);
    expect(channel.receive()).toBe('nothing');
    client.close();
    expect(channel.receive()).toBe('closed');
  });

  it('leaves without an agent’s word when it does not come', async () => {
    openAgent();
    client.start();
    await seat(answerCall().channel, 5);
    const left = client.leave(300);
    clock.pass(310);
    expect(await left).toBe(true);
    expect(beats.row(5)[0]).toBe(1n);
  });

  it('has nothing to leave where there never was an agent', async () => {
    client.start();
    expect(await client.leave(300)).toBe(false);
    expect(clock.pending).toBe(0);
  });

  it('says once why it gets no seat, and goes on asking', async () => {
    openAgent();
    client.start();
    for (let i = 0; i < 3; i++) {
      const { channel } = answerCall();
      channel.send(encode({ error: 'there is no seat left' }));
      clock.pass(20);
      channel.close();
      clock.pass(1100);
    }
    expect(said).toEqual(['The agent gives no seat: there is no seat left']);
  });

  it('takes nonsense for what it is, and keeps no descriptor of it', async () => {
    openAgent();
    client.start();
    const { channel } = answerCall();
    const before = openOf(join(directory, 'map'));
    expect(before).toBeGreaterThan(0);
    channel.send(encode({ seat: 4000, seats: SEATS, beatBytes: BEAT_BYTES }), [beats.fd]);
    clock.pass(20);
    expect(said).toEqual(['The agent gives no seat: it makes no sense']);
    expect(openOf(join(directory, 'map'))).toBe(before);
    // Its end of the connection is closed as well.
    expect(read(channel)).toBe('closed');
    channel.close();
  });

  it('does not wait busily for an agent that does not answer', () => {
    openAgent();
    client.start();
    answerCall();
    clock.pass(2000);
    const before = clock.started;
    clock.pass(10_000);
    expect(clock.started - before).toBeLessThan(15);
  });
});

describe('HeartbeatClient with an answer map', () => {
  const SHELF: ShelfGrant = { number: 2, sets: 16, smallSlots: 10, largeSlots: 10, logBytes: 4096 };
  const FIRST: ListenerView = { port: PRESENCE.ports[0] ?? never(), view: 1 };
  let used: { shelf: ShelfGrant | undefined; fds: number }[];
  let listeners: ListenerView[];
  let fault: string | undefined;

  beforeEach(() => {
    [used, listeners, fault] = [[], [FIRST], undefined];
    client = clientOf({
      answers: {
        layout: 1,
        listeners: () => listeners,
        useShelf(shelf, fds) {
          if (fault !== undefined) throw new Error(fault);
          used.push({ shelf, fds: fds.length });
        },
      },
    });
    openAgent();
    client.start();
  });

  async function grant(
    channel: DescriptorChannel,
    shelf: ShelfGrant | undefined,
    fds: number,
  ): Promise<void> {
    const all = Array<number>(fds).fill(beats.fd);
    channel.send(encode({ seat: 5, seats: SEATS, beatBytes: BEAT_BYTES, ...(shelf && { shelf }) }), all);
    clock.pass(20);
    await settled();
  }

  it('wishes for a shelf, uses the one it gets, and closes every descriptor', async () => {
    const { channel, hello } = answerCall();
    expect(hello).toMatchObject({ answers: { layout: 1, listeners: [{ port: 53, view: 1 }] } });
    const before = openOf(join(directory, 'map'));
    await grant(channel, SHELF, 5);
    expect(used).toEqual([{ shelf: SHELF, fds: 4 }]);
    expect(openOf(join(directory, 'map'))).toBe(before);
    channel.close();
  });

  it('names its listeners again when they change, and the shelf that it has to the next agent', async () => {
    const first = answerCall();
    await grant(first.channel, SHELF, 5);
    read(first.channel);
    listeners = [FIRST, { ...FIRST, address: parseIp('10.0.0.1') ?? never(), view: 2 }];
    client.announce();
    const answers = { layout: 1, shelf: 2, listeners };
    expect(read(first.channel)).toMatchObject({ seat: 5, answers });
    first.channel.close();
    clock.pass(1100);
    expect(used).toHaveLength(1);
    expect(answerCall().hello).toMatchObject({ seat: 5, answers });
  });

  it.each<[string, ListenerView]>([
    ['all addresses', FIRST],
    ['all addresses of IPv4', { ...FIRST, address: parseIp('0.0.0.0') ?? never() }],
    ['all addresses of IPv6', { ...FIRST, address: parseIp('::') ?? never() }],
  ])(
    'names no listener of %s when it cannot name them all, since that would answer for the rest',
    (_, all) => {
      const first = answerCall();
      read(first.channel);
      const named = (i: number) => ({ ...FIRST, address: parseIp(`10.0.0.${i}`) ?? never(), view: i + 1 });
      listeners = [all, ...Array.from({ length: 64 }, (_each, i) => named(i + 1))];
      client.announce();
      expect(read(first.channel)).toMatchObject({ answers: { listeners: listeners.slice(1) } });
      listeners = listeners.slice(0, 64);
      client.announce();
      expect(read(first.channel)).toMatchObject({ answers: { listeners } });
      first.channel.close();
    },
  );

  it.each([
    ['an agent that knows of no answer map', undefined, 1],
    ['a shelf without its descriptors', SHELF, 1],
    ['a shelf with too few of them', SHELF, 4],
  ])('has no shelf, but its seat, from %s', async (_, shelf, fds) => {
    const { channel } = answerCall();
    const before = openOf(join(directory, 'map'));
    await grant(channel, shelf, fds);
    expect(used.map((each) => each.shelf)).toEqual([undefined]);
    expect(beats.row(5)[0]).toBe(nowNs);
    expect(openOf(join(directory, 'map'))).toBe(before);
    client.announce();
    expect(read(channel)).toEqual({ beating: true });
    expect(read(channel)).not.toHaveProperty('answers.shelf');
    channel.close();
  });

  it('gives its shelf up when the next agent has none', async () => {
    const first = answerCall();
    await grant(first.channel, SHELF, 5);
    first.channel.close();
    clock.pass(1300);
    const second = answerCall();
    await grant(second.channel, undefined, 1);
    expect(used.map(({ shelf }) => shelf?.number)).toEqual([2, undefined]);
    second.channel.close();
  });

  it('beats also where a shelf cannot be mapped', async () => {
    fault = 'no memory';
    const { channel } = answerCall();
    await grant(channel, SHELF, 5);
    expect(beats.row(5)[0]).toBe(nowNs);
    expect(said).toContain('Cannot fill the answer map: no memory');
    channel.close();
  });

  it('says nothing of answers when it fills none, and keeps no descriptor that it did not ask for', async () => {
    client.close();
    answerCall().channel.close();
    client = clientOf({});
    client.start();
    const { channel, hello } = answerCall();
    expect(hello).not.toHaveProperty('answers');
    const before = openOf(join(directory, 'map'));
    await grant(channel, SHELF, 5);
    expect(beats.row(5)[0]).toBe(nowNs);
    expect(openOf(join(directory, 'map'))).toBe(before);
    channel.close();
  });
});
