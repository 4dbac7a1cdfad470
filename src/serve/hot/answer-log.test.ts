/** The log of the kernel's answers, over a real mapping of a file that is laid out as the kernel lays out its ring. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeAnswerLog } from '../../answermap/answer-abi.gen.ts';
import { ip } from '../../dns/testing/packets.ts';
import { ipMappedBytes } from '../../net/ip.ts';
import { RingBuffer } from '../../sys/ring/ring-buffer.ts';
import { RingFile } from '../../sys/ring/testing/ring-file.ts';
import { VirtualClock } from '../../telemetry/virtual-clock.ts';
import { AnswerLog, type LoggedAnswer } from './answer-log.ts';

let directory: string;
let file: RingFile;
let ring: RingBuffer;
let clock: VirtualClock;
let told: LoggedAnswer[];
let log: AnswerLog;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'zerohop-answers-'));
  file = new RingFile(join(directory, 'ring'));
  ring = new RingBuffer(file.fd, file.size);
  clock = new VirtualClock();
  told = [];
  log = new AnswerLog({ clock, onAnswer: (answer) => told.push(answer) });
});
afterEach(() => {
  log.close();
  ring.close();
  file.close();
  rmSync(directory, { recursive: true });
});

const QUERY = Uint8Array.of(1, 2, 3);
const REPLY = Uint8Array.of(4, 5, 6, 7);

function record({ view = 1, client = '10.1.2.3', queryLength = QUERY.length } = {}): Uint8Array {
  const head = encodeAnswerLog({
    timeNs: 1n,
    source: ipMappedBytes(ip(client)),
    destination: ipMappedBytes(ip('10.96.0.10')),
    sourcePort: 40_000,
    destinationPort: 53,
    view,
    queryLength,
    replyLength: REPLY.length,
    messages: new Uint8Array(0),
  });
  return Uint8Array.of(...head, ...QUERY, ...REPLY);
}

describe('AnswerLog', () => {
  it('tells what was answered within 50 ms, and by whom it was asked', () => {
    log.useRing(ring);
    log.want(true);
    file.put(record());
    file.put(record({ view: 65_535, client: 'fd00::7' }));
    clock.pass(50);
    const asked = { address: '10.96.0.10', port: 53 };
    expect(told).toEqual([
      { view: 1, client: { address: '10.1.2.3', port: 40_000 }, asked, query: QUERY, reply: REPLY },
      { view: 65_535, client: { address: 'fd00::7', port: 40_000 }, asked, query: QUERY, reply: REPLY },
    ]);
    clock.pass(500);
    expect(told).toHaveLength(2);
  });

  it('leaves alone what an earlier process did not read', () => {
    file.put(record());
    log.useRing(ring);
    log.want(true);
    clock.pass(50);
    expect(told).toEqual([]);
    file.put(record({ view: 2 }));
    clock.pass(50);
    expect(told.map(({ view }) => view)).toEqual([2]);
  });

  it('keeps up: gives the room back, goes round, and does not stop at what is not written yet', () => {
    log.useRing(ring);
    log.want(true);
    for (let i = 0; i < 200; i++) {
      expect(file.put(record({ view: i + 1 }))).toBe(true);
      if (i % 20 === 19) clock.pass(50);
    }
    expect(told.map(({ view }) => view)).toEqual(Array.from({ length: 200 }, (_, i) => i + 1));
    file.put(record(), { busy: true });
    clock.pass(50);
    expect(told).toHaveLength(200);
  });

  it('does not look while nobody wants to hear of it, and tells the rest at the end', () => {
    log.useRing(ring);
    file.put(record());
    clock.pass(1000);
    expect([told.length, clock.pending]).toEqual([0, 0]);
    log.want(true);
    log.want(false);
    expect(clock.pending).toBe(0);
    log.close();
    expect(told).toHaveLength(1);
  });

  it('tells the rest in the moment in which nobody wants to hear of it any more', () => {
    log.useRing(ring);
    log.want(true);
    file.put(record({ view: 5 }));
    log.want(false);
    expect(told.map(({ view }) => view)).toEqual([5]);
    // What is written later was not asked for.
    file.put(record({ view: 6 }));
    log.want(false);
    expect(told).toHaveLength(1);
  });

  it.each([
    ['ends', () => log.close()],
    ['gets another ring', () => log.useRing(undefined)],
    ['is not wanted any more', () => log.want(false)],
  ])('tells no more than what was there when it %s, however fast queries come', (_, end) => {
    // Each line is followed by a new one before the next is read.
    const answerOn = () => told.length < 2000 && file.put(record());
    log = new AnswerLog({ clock, onAnswer: (answer) => answerOn() && told.push(answer) });
    log.useRing(ring);
    log.want(true);
    for (let i = 0; i < 3; i++) file.put(record());
    end();
    expect(told).toHaveLength(3);
  });

  it('takes records that are none for nothing', () => {
    log.useRing(ring);
    log.want(true);
    file.put(Uint8Array.of(1, 2, 3));
    file.put(record({ queryLength: 60_000 }));
    file.put(record({ view: 9 }));
    clock.pass(50);
    expect(told.map(({ view }) => view)).toEqual([9]);
  });

  it('reads the next ring once the shelf is another one', () => {
    log.useRing(ring);
    log.want(true);
    file.put(record({ view: 1 }));
    const other = new RingFile(join(directory, 'other'));
    const next = new RingBuffer(other.fd, other.size);
    log.useRing(next);
    other.put(record({ view: 2 }));
    file.put(record({ view: 3 }));
    clock.pass(50);
    expect(told.map(({ view }) => view)).toEqual([1, 2]);
    log.useRing(undefined);
    expect(clock.pending).toBe(0);
    next.close();
    other.close();
  });
});
