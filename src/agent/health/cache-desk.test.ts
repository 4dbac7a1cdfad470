/** The agent's end over a real socket: what caches, and those who are none, can do to it. */
import { chmodSync, mkdtempSync, readdirSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BEATING, encode, LEAVING } from '../../heartbeat/messages.ts';
import { BeatFile } from '../../heartbeat/testing/beat-file.ts';
import { connectForDescriptors, type DescriptorChannel } from '../../sys/descriptor-channel.ts';
import { VirtualClock } from '../../telemetry/virtual-clock.ts';
import { CacheDesk, type CacheRow } from './cache-desk.ts';
import { SeatTable } from './seat-table.ts';

const HELLO = { version: 1, addresses: ['172.20.1.9'], ports: [53], threads: 1 };

let directory: string;
let path: string;
let clock: VirtualClock;
let beats: BeatFile;
let desk: CacheDesk;
let changes: string[];
/** Seats whose beats are too old. */
let late: number[];
let channels: DescriptorChannel[];

function openDesk(): CacheDesk {
  return new CacheDesk({
    ...{ path, beats, clock, seats: new SeatTable(beats.seats) },
    log: { info: () => undefined, warning: () => undefined },
    isLate: (seat) => late.includes(seat),
    onChange: () => changes.push(desk.caches.map(told).join(', ')),
  });
}

function told({ seat, state, isLate }: CacheRow): string {
  return `${seat} ${state}${isLate ? ', late' : ''}`;
}

function call(): DescriptorChannel {
  const channel = connectForDescriptors(path);
  channels.push(channel);
  return channel;
}

/** What is said back to it. */
function say(channel: DescriptorChannel, message: Uint8Array, fds: readonly number[] = []): unknown {
  channel.send(message, fds);
  clock.pass(50);
  return hear(channel);
}

function hear(channel: DescriptorChannel): unknown {
  const heard = channel.receive();
  if (typeof heard === 'string') return heard;
  return { ...JSON.parse(new TextDecoder().decode(heard.bytes)), fds: heard.fds.length };
}

/** Descriptors that lead to the map. Others of this process come and go: other threads, what earlier tests left to close. */
function openMaps(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === join(directory, 'map');
    } catch {
      return false; // The one that listed them.
    }
  }).length;
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'zerohop-desk-'));
  path = join(directory, 'cache', 'beat.sock');
  clock = new VirtualClock();
  beats = new BeatFile(join(directory, 'map'));
  [changes, channels, late] = [[], [], []];
  desk = openDesk();
});
afterEach(() => {
  desk.close();
  for (const channel of channels) channel.close();
  beats.close();
  rmSync(directory, { recursive: true });
});

describe('CacheDesk', () => {
  it('is for root alone', () => {
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(directory, 'cache')).mode & 0o777).toBe(0o700);
  });

  it('gives a seat and the map, and tells when the cache beats, leaves and is gone', () => {
    const cache = call();
    expect(say(cache, encode(HELLO))).toEqual({ seat: 1, seats: 256, beatBytes: 64, fds: 1 });
    expect(desk.caches).toMatchObject([{ seat: 1, state: 'seated', hello: HELLO }]);
    expect(say(cache, BEATING)).toBe('nothing');
    expect(say(cache, LEAVING)).toEqual({ left: true, fds: 0 });
    cache.close();
    clock.pass(50);
    expect(changes).toEqual(['1 beating', '1 leaving', '']);
  });

  it('gives each its own seat, the one it had if it can, and the newest the last word', () => {
    const [first, second] = [call(), call()];
    expect(say(first, encode({ ...HELLO, seat: 9 }))).toMatchObject({ seat: 9 });
    expect(say(second, encode({ ...HELLO, seat: 9 }))).toMatchObject({ seat: 1 });
    say(second, BEATING);
    say(first, BEATING);
    expect(changes.at(-1)).toBe('1 beating, 9 beating');
  });

  it('tells which of them hang, once, and that they do no more', () => {
    const [first, second] = [call(), call()];
    for (const cache of [first, second]) say(cache, encode(HELLO));
    late = [1, 2];
    for (const cache of [first, second]) say(cache, BEATING);
    changes = [];
    late = [1];
    clock.pass(500);
    expect(changes).toEqual(['1 beating, late, 2 beating']);
    late = [];
    clock.pass(500);
    expect(changes).toEqual(['1 beating, late, 2 beating', '1 beating, 2 beating']);
  });

  it('hears of another configuration by another hello', () => {
    const cache = call();
    say(cache, encode(HELLO));
    say(cache, BEATING);
    expect(say(cache, encode({ ...HELLO, ports: [53, 5353] }))).toMatchObject({ seat: 1 });
    expect(desk.caches).toMatchObject([{ seat: 1, state: 'beating', hello: { ports: [53, 5353] } }]);
    expect(changes).toHaveLength(2);
  });

  it.each([
    ['no JSON', new Uint8Array(100).fill(0xff)],
    ['another version', encode({ ...HELLO, version: 2 })],
    ['too much', encode({ ...HELLO, more: 'x'.repeat(30_000) })],
    ['a beat before a hello', BEATING],
  ])('ends a connection that says %s, with a reason', (_, message) => {
    const cache = call();
    expect(say(cache, message)).toMatchObject({ error: expect.any(String) });
    expect(hear(cache)).toBe('closed');
    expect([desk.caches, desk.refused, changes]).toEqual([[], 1, []]);
  });

  it('closes descriptors that nobody asked for', () => {
    const cache = call();
    say(cache, encode(HELLO));
    const before = openMaps();
    expect(before).toBeGreaterThan(0);
    say(cache, BEATING, Array(4).fill(beats.fd));
    expect(openMaps()).toBe(before);
  });

  it('has room for 64, and makes it when one of them never says who it is', () => {
    for (let i = 0; i < 64; i++) {
      call();
      clock.pass(50);
    }
    const late = call();
    clock.pass(50);
    expect(hear(late)).toMatchObject({ error: 'there are 64 already' });
    clock.pass(6000);
    expect(say(call(), encode(HELLO))).toMatchObject({ seat: 1 });
    expect(desk.refused).toBe(65);
  });

  it('outlives one that never stops talking', () => {
    const [chatter, cache] = [call(), call()];
    say(chatter, encode(HELLO));
    for (let i = 0; i < 10; i++) chatter.send(BEATING);
    expect(say(cache, encode({ ...HELLO, addresses: ['172.20.1.10'] }))).toMatchObject({ seat: 2 });
  });

  it('changes nothing when it closes, and is found again where it was', () => {
    const cache = call();
    say(cache, encode(HELLO));
    say(cache, BEATING);
    desk.close();
    expect(changes).toEqual(['1 beating']);
    expect(cache.receive()).toBe('closed');
    desk = openDesk();
    expect(say(call(), encode({ ...HELLO, seat: 1 }))).toMatchObject({ seat: 1 });
  });

  it('takes the place of one that was killed, not of one that lives', () => {
    const died = join(directory, 'died.sock');
    path = died;
    const second = openDesk();
    expect(() => openDesk()).toThrow(expect.objectContaining({ code: 'AGENT_SOCKET_TAKEN' }));
    second.close();
    writeFileSync(died, '');
    expect(() => openDesk()).toThrow(expect.objectContaining({ code: 'AGENT_SOCKET_UNUSABLE' }));
    chmodSync(died, 0o600);
  });
});
