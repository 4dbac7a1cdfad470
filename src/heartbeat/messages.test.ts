import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeAgentMessage, decodeCacheMessage, encode, MAX_ADDRESSES, MAX_PORTS } from './messages.ts';

const HELLO = { version: 1, addresses: ['172.20.1.9', 'fd00::9'], ports: [53], threads: 1 };
const heard = (message: unknown) => decodeCacheMessage(encode(message as object));

describe('decodeCacheMessage', () => {
  it('reads what a cache says', () => {
    expect(heard(HELLO)).toEqual({ ok: true, value: { kind: 'hello', hello: HELLO } });
    expect(heard({ ...HELLO, seat: 7 })).toMatchObject({ ok: true, value: { hello: { seat: 7 } } });
    expect(heard({ beating: true })).toEqual({ ok: true, value: { kind: 'beating' } });
    expect(heard({ leaving: true })).toEqual({ ok: true, value: { kind: 'leaving' } });
  });

  it('names an address once, in the form that addresses have here', () => {
    const hello = { ...HELLO, addresses: ['FD00:0::9', 'fd00::9', '::ffff:10.0.0.1', '10.0.0.1'] };
    expect(heard(hello)).toMatchObject({
      ok: true,
      value: { hello: { addresses: ['fd00::9', '10.0.0.1'] } },
    });
  });

  it.each([
    ['another version', { ...HELLO, version: 2 }, 'version'],
    ['no addresses', { ...HELLO, addresses: [] }, 'addresses'],
    ['too many addresses', { ...HELLO, addresses: Array(MAX_ADDRESSES + 1).fill('10.0.0.1') }, 'addresses'],
    ['what is no address', { ...HELLO, addresses: ['10.0.0.256'] }, 'addresses'],
    ['addresses that are no list', { ...HELLO, addresses: '10.0.0.1' }, 'addresses'],
    ['port 0', { ...HELLO, ports: [0] }, 'ports'],
    ['a port as text', { ...HELLO, ports: ['53'] }, 'ports'],
    ['too many ports', { ...HELLO, ports: Array.from({ length: MAX_PORTS + 1 }, (_, i) => i + 1) }, 'ports'],
    ['a part of a thread', { ...HELLO, threads: 1.5 }, 'threads'],
    ['seat 0', { ...HELLO, seat: 0 }, 'seat'],
    ['a negative seat', { ...HELLO, seat: -1 }, 'seat'],
    ['a list', [], 'version'],
    ['null', null, 'object'],
  ])('refuses %s and says why', (_, message, word) => {
    expect(heard(message)).toMatchObject({
      ok: false,
      code: 'HEARTBEAT_MESSAGE',
      reason: expect.stringContaining(word),
    });
  });

  it('takes any bytes without throwing', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        (bytes) => typeof decodeCacheMessage(bytes).ok === 'boolean',
      ),
    );
    fc.assert(
      fc.property(
        fc.json(),
        (text) => typeof decodeCacheMessage(new TextEncoder().encode(text)).ok === 'boolean',
      ),
    );
  });
});

describe('decodeAgentMessage', () => {
  const told = (message: object) => decodeAgentMessage(encode(message));

  it('reads what an agent says', () => {
    const seated = { seat: 3, seats: 256, beatBytes: 64 };
    expect(told(seated)).toEqual({ ok: true, value: { kind: 'seated', seated } });
    expect(told({ left: true })).toEqual({ ok: true, value: { kind: 'left' } });
    expect(told({ error: 'x'.repeat(5000) })).toMatchObject({ ok: true, value: { error: 'x'.repeat(200) } });
  });

  it.each([
    ['a seat behind the end of the map', { seat: 256, seats: 256, beatBytes: 64 }],
    ['seat 0, which is nobody’s', { seat: 0, seats: 256, beatBytes: 64 }],
    ['rows that end within a word', { seat: 1, seats: 256, beatBytes: 60 }],
    ['a map that is too big to be one', { seat: 1, seats: 1e9, beatBytes: 64 }],
    ['nothing', {}],
  ])('refuses %s', (_, message) => {
    expect(told(message)).toMatchObject({ ok: false, code: 'HEARTBEAT_MESSAGE' });
  });
});
