import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameReader, frame } from './frames.ts';

describe('frames', () => {
  it('puts the length in network order in front (RFC 1035 section 4.2.2)', () => {
    expect([...frame(new Uint8Array(258)).subarray(0, 2)]).toEqual([1, 2]);
  });

  it('come out whole and in order, however the stream is cut', () => {
    const messages = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 });
    fc.assert(
      fc.property(messages, fc.integer({ min: 1, max: 50 }), (sent, step) => {
        const stream = Buffer.concat(sent.map(frame));
        const reader = new FrameReader();
        const received: number[][] = [];
        for (let at = 0; at < stream.length; at += step) {
          for (const message of reader.push(stream.subarray(at, at + step))) received.push([...message]);
        }
        expect(received).toEqual(sent.map((message) => [...message]));
      }),
    );
  });
});
