import { describe, expect, test } from 'vitest';
import { toIp } from './conformance.ts';
import { buildPacket, type PacketShape } from './test-packet.ts';
import { judgeTranslation } from './translation-oracle.ts';

const RULES = {
  destinations: [{ address: toIp('172.20.0.20'), port: 53 }],
  sources: [{ address: toIp('10.96.0.10'), port: 53 }],
};
const shape: PacketShape = {
  protocol: 'UDP',
  source: toIp('172.20.0.10'),
  sourcePort: 4000,
  destination: toIp('10.96.0.10'),
  destinationPort: 53,
  payload: Uint8Array.of(1, 2, 3),
};
const before = buildPacket(shape);
const translated = buildPacket({ ...shape, destination: toIp('172.20.0.20') });
const spoiled = (at: number) => translated.map((byte, i) => (i === at ? byte ^ 1 : byte));

describe('judgeTranslation', () => {
  test('accepts the packet itself and a right translation', () => {
    expect(judgeTranslation(before, before, RULES)).toBeUndefined();
    expect(judgeTranslation(before, translated, RULES)).toBeUndefined();
  });

  test.each([
    { name: 'the checksum of the header', after: spoiled(25), wrong: 'the sum of the header moved' },
    { name: 'the checksum of the datagram', after: spoiled(41), wrong: 'the sum of the datagram moved' },
    { name: 'the time to live', after: spoiled(22), wrong: 'byte 22 was changed' },
    { name: 'the payload', after: spoiled(43), wrong: 'byte 43 was changed' },
    { name: 'the destination port', after: spoiled(37), wrong: 'port 52 does not belong to 172.20.0.20' },
    { name: 'the source port', after: spoiled(35), wrong: 'the port of the other end was changed' },
    { name: 'the length', after: translated.slice(1), wrong: 'length changed from 45 to 44' },
    {
      name: 'the destination, to an address of nobody',
      after: buildPacket({ ...shape, destination: toIp('172.20.0.21') }),
      wrong: '172.20.0.21 is nobody',
    },
  ])('sees a wrong change of $name', ({ after, wrong }) => {
    expect(judgeTranslation(before, after, RULES)).toContain(wrong);
  });
});
