import { describe, expect, test } from 'vitest';
import { ipMappedBytes } from '../net/ip.ts';
import { encodePacketEvent, type PacketEvent as RawEvent } from './kernel/abi.gen.ts';
import { PAYLOAD_AT, recordTimeNs, toPacketEvent, toRecord } from './packet-record.ts';
import { toIp } from './testing/conformance.ts';

const RAW: RawEvent = {
  timeNs: 123_456_789_000n,
  ifindex: 7,
  deliveredIfindex: 9,
  source: ipMappedBytes(toIp('172.20.0.10')),
  destination: ipMappedBytes(toIp('10.96.0.10')),
  translated: ipMappedBytes(toIp('172.20.0.20')),
  sourcePort: 40000,
  destinationPort: 53,
  translatedPort: 53,
  hook: 0,
  verdict: 1,
  reason: 0,
  protocol: 17,
  tcpFlags: 0,
  place: 0,
  payloadLength: 600,
  capturedLength: 3,
  payload: Uint8Array.of(1, 2, 3),
};
const decode = (over: Partial<RawEvent>) => read(record(over));

/** As the kernel would write it: the fields, then the payload. */
function record(over: Partial<RawEvent> = {}): Uint8Array {
  const raw = { ...RAW, ...over };
  const bytes = new Uint8Array(PAYLOAD_AT + 128);
  bytes.set(encodePacketEvent(raw).subarray(0, PAYLOAD_AT));
  bytes.set(raw.payload, PAYLOAD_AT);
  return bytes;
}

const read = (bytes: Uint8Array) =>
  toPacketEvent({ bytes, words: new Int32Array(bytes.buffer) }, 0, bytes.length);

test('recordTimeNs reads the time alone, of any size', () => {
  for (const timeNs of [0n, 123_456_789_000n, 0xffff_ffff_ffffn]) {
    const bytes = record({ timeNs });
    expect(recordTimeNs({ bytes, words: new Int32Array(bytes.buffer) }, 0)).toBe(timeNs);
  }
});

test('toPacketEvent reads a redirected query', () => {
  expect(decode({})).toEqual({
    timeNs: 123_456_789_000n,
    hook: 'from-endpoint',
    ifindex: 7,
    verdict: 'redirected',
    protocol: 'UDP',
    source: { address: '172.20.0.10', port: 40000 },
    destination: { address: '10.96.0.10', port: 53 },
    translated: { address: '172.20.0.20', port: 53 },
    deliveredIfindex: 9,
    tcpFlags: 0,
    payload: Uint8Array.of(1, 2, 3),
    payloadLength: 600,
  });
});

test('toPacketEvent keeps nothing of the memory it reads, which the kernel writes again', () => {
  const bytes = record();
  const event = read(bytes);
  bytes.fill(0xee);
  expect(event).toEqual(decode({}));
});

describe('toPacketEvent of a query that the kernel answered', () => {
  // As VERDICT_ANSWERED of bpf/abi.h: the time in the place of an interface, nothing translated.
  const answered = { verdict: 5, deliveredIfindex: 2100, translatedPort: 0 };

  test('reads how long it took', () => {
    const event = decode(answered);
    expect(event).toMatchObject({ verdict: 'answered', tookNs: 2100, source: { address: '172.20.0.10' } });
    expect(event).not.toHaveProperty('deliveredIfindex');
    expect(event).not.toHaveProperty('translated');
    expect(event && read(toRecord(event).bytes)).toEqual(event);
  });

  test.each([
    { name: 'TCP, which it never answers', over: { protocol: 6 } },
    { name: 'what arrives at its server', over: { hook: 1 } },
  ])('refuses $name', ({ over }) => {
    expect(decode({ ...answered, ...over })).toBeUndefined();
  });
});

test('toPacketEvent reads a packet that fell back, on the other hook, over IPv6', () => {
  const address = ipMappedBytes(toIp('fd00::1'));
  const event = decode({
    hook: 1,
    verdict: 3,
    reason: 2,
    protocol: 6,
    tcpFlags: 2,
    source: address,
    translatedPort: 0,
  });
  expect(event).toMatchObject({
    hook: 'to-endpoint',
    verdict: 'fell-back',
    reason: 'no-socket',
    protocol: 'TCP',
    tcpFlags: 2,
    source: { address: 'fd00::1' },
  });
  expect(event).not.toHaveProperty('translated');
});

test('toPacketEvent reads a packet that the kernel dropped, and toRecord writes it', () => {
  const fields = { verdict: 4, place: 2, deliveredIfindex: 0x30001, translatedPort: 0 };
  const event = decode(fields);
  expect(event).toMatchObject({ verdict: 'dropped', drop: { reason: 0x30001, place: 'pod' } });
  expect(event).not.toHaveProperty('deliveredIfindex');
  if (event === undefined) throw new Error('It was there a moment ago');
  const again = toRecord(event);
  expect(toPacketEvent(again, 0, again.bytes.length)).toEqual(event);
});

describe('toPacketEvent shows nothing for', () => {
  test.each([
    { name: 'port 0, which a pod can send', over: { sourcePort: 0 } },
    { name: 'a protocol that has no ports', over: { protocol: 1 } },
    { name: 'a drop at no place', over: { verdict: 4 } },
    { name: 'a place without a drop', over: { place: 1 } },
    { name: 'a verdict of another version', over: { verdict: 200 } },
  ])('$name', ({ over }) => {
    expect(decode(over)).toBeUndefined();
  });

  test('a record that is too short', () => {
    const words = new Int32Array(PAYLOAD_AT / 4);
    const bytes = new Uint8Array(words.buffer);
    expect(toPacketEvent({ bytes, words }, 0, PAYLOAD_AT - 1)).toBeUndefined();
  });
});
