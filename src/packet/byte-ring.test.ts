import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RingReader, RingWriter, ringMemory } from './byte-ring.ts';

function ring(capacity: number) {
  const memory = ringMemory(capacity);
  return { memory, writer: new RingWriter(memory), reader: new RingReader(memory) };
}

function write(writer: RingWriter, bytes: Uint8Array): boolean {
  const at = writer.reserve(bytes.length);
  if (at < 0) return false;
  writer.bytes.set(bytes, at);
  writer.publish(bytes.length);
  return true;
}

function read(reader: RingReader): Uint8Array | undefined {
  const at = reader.next();
  if (at < 0) return undefined;
  const bytes = reader.bytes.slice(at, at + reader.length);
  reader.release();
  return bytes;
}

describe('a ring', () => {
  test('gives back what was put in, in order, whatever the sizes; what it refuses is not there', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.uint8Array({ maxLength: 90 }), fc.constant('read' as const)), {
          maxLength: 200,
        }),
        (steps) => {
          const { writer, reader } = ring(128);
          const expected: Uint8Array[] = [];
          for (const step of steps) {
            if (step === 'read') expect(read(reader)).toEqual(expected.shift());
            else if (write(writer, step)) expected.push(step);
          }
          for (const bytes of expected) expect(read(reader)).toEqual(bytes);
          expect(read(reader)).toBeUndefined();
        },
      ),
    );
  });

  test('refuses what is larger than its room, and takes as much as fits exactly', () => {
    const { writer, reader } = ring(64);
    expect(write(writer, new Uint8Array(61))).toBe(false);
    expect(write(writer, new Uint8Array(60).fill(7))).toBe(true);
    expect(write(writer, new Uint8Array(0))).toBe(false);
    expect(read(reader)).toEqual(new Uint8Array(60).fill(7));
    expect(write(writer, new Uint8Array(0))).toBe(true);
  });

  test('what was reserved and never published is not read, and its room is used again', () => {
    const { writer, reader } = ring(64);
    expect(writer.reserve(40)).toBeGreaterThan(0);
    expect(read(reader)).toBeUndefined();
    expect(write(writer, Uint8Array.of(1, 2, 3))).toBe(true);
    expect(read(reader)).toEqual(Uint8Array.of(1, 2, 3));
  });

  test('less may be published than was reserved', () => {
    const { writer, reader } = ring(64);
    writer.bytes.set([1, 2, 3], writer.reserve(40));
    writer.publish(2);
    expect(write(writer, Uint8Array.of(9))).toBe(true);
    expect(read(reader)).toEqual(Uint8Array.of(1, 2));
    expect(read(reader)).toEqual(Uint8Array.of(9));
  });

  test('a sleeping reader is woken by the first record and by no other', () => {
    const { writer, reader } = ring(64);
    expect(reader.sleep()).toBe(true);
    writer.reserve(1);
    expect(writer.publish(1)).toBe(true);
    writer.reserve(1);
    expect(writer.publish(1)).toBe(false);
    expect(reader.sleep()).toBe(false);
  });

  test('heads and tails may pass 2^32', () => {
    const { memory, writer, reader } = ring(64);
    const control = new Int32Array(memory);
    for (const word of [0, 16]) control[word] = -64;
    for (let i = 0; i < 100; i++) {
      expect(write(writer, Uint8Array.of(i, 1, 2, 3, 4))).toBe(true);
      expect(read(reader)?.[0]).toBe(i);
    }
  });

  test.each([0, 63, 100])('%d bytes are no size for one', (capacity) => {
    expect(() => ringMemory(capacity)).toThrow('Not a ring size');
  });

  test('between two threads nothing is lost, doubled or torn', async () => {
    const { memory, reader } = ring(1024);
    const count = 20_000;
    const program = `
      const { workerData } = require('node:worker_threads');
      import(workerData.module).then(({ RingWriter }) => {
        const writer = new RingWriter(workerData.memory);
        for (let i = 0; i < ${count}; ) {
          const length = 4 + (i % 60);
          const at = writer.reserve(length);
          if (at < 0) continue;
          writer.bytes.fill(i & 255, at, at + length);
          new DataView(writer.bytes.buffer).setInt32(writer.bytes.byteOffset + at, i, true);
          writer.publish(length);
          i++;
        }
      });`;
    const module = new URL('./byte-ring.ts', import.meta.url).href;
    const worker = new Worker(program, { eval: true, workerData: { memory, module } });
    const ended = new Promise((resolve) => worker.once('exit', resolve));
    let seen = 0;
    while (seen < count) {
      const bytes = read(reader);
      if (bytes === undefined) {
        await new Promise((resolve) => setImmediate(resolve));
        continue;
      }
      const number = new DataView(bytes.buffer).getInt32(0, true);
      const isWhole =
        bytes.length === 4 + (seen % 60) && bytes.subarray(4).every((byte) => byte === (seen & 255));
      if (number !== seen || !isWhole) throw new Error(`record ${seen} is ${bytes}`);
      seen++;
    }
    await ended;
    expect(read(reader)).toBeUndefined();
  });
});
