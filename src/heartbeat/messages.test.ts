import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeAgentMessage,
  decodeCacheMessage,
  encode,
  MAX_ADDRESSES,
  MAX_LISTENERS,
  MAX_PORTS,
} from './messages.ts';

const HELLO = { version: 1, addresses: ['172.20.1.9', 'fd00::9'], ports: [53], threads: 1 };
const WISH = { layout: 1, listeners: [{ address: 'fd00::9', port: 53, view: 1 }] };
const SEATED = { seat: 3, seats: 256, beatBytes: 64 };
const SHELF = { number: 2, sets: 4096, smallSlots: 10_000, largeSlots: 1250, logBytes: 262_144 };
const heard = (message: unknown) => decodeCacheMessage(encode(message as object));

describe('decodeCacheMessage', () => {
  it('reads what a cache says', () => {
    expect(heard(HELLO)).toEqual({ ok: true, value: { kind: 'hello', hello: HELLO } });
    expect(heard({ ...HELLO, seat: 7 })).toMatchObject({ ok: true, value: { hello: { seat: 7 } } });
    expect(heard({ beating: true })).toEqual({ ok: true, value: { kind: 'beating' } });
    expect(heard({ leaving: true })).toEqual({ ok: true, value: { kind: 'leaving' } });
  });

  it('reads what a cache says of the answer map, with a shelf and without one, and for a wildcard', () => {
    for (const answers of [
      WISH,
      { ...WISH, shelf: 3 },
      { layout: 9, listeners: [] },
      { layout: 1, listeners: [{ port: 53, view: 65535 }] },
    ]) {
      expect(heard({ ...HELLO, answers })).toEqual({
        ok: true,
        value: { kind: 'hello', hello: { ...HELLO, answers } },
      });
    }
  });

  it('says no more than agents take that know nothing of the answer map', () => {
    const address = 'fd00:1111:2222:3333:4444:5555:6666:7777';
    const listeners = Array.from({ length: MAX_LISTENERS }, () => ({ address, port: 65_535, view: 65_535 }));
    const addresses = Array.from({ length: MAX_ADDRESSES }, () => address);
    const ports = Array.from({ length: MAX_PORTS }, () => 65_535);
    const hello = { ...HELLO, addresses, ports, threads: 64, seat: 255 };
    const bytes = encode({ ...hello, answers: { layout: 65_535, shelf: 65_535, listeners } });
    expect(bytes.length).toBeLessThan(8192);
    expect(decodeCacheMessage(bytes).ok).toBe(true);
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
    ['a wish that is none', { ...HELLO, answers: 1 }, 'answers'],
    ['a wish without a layout', { ...HELLO, answers: { listeners: [] } }, 'layout'],
    ['shelf 0, which is nobody’s', { ...HELLO, answers: { ...WISH, shelf: 0 } }, 'shelf'],
    ['a wish without listeners', { ...HELLO, answers: { layout: 1 } }, 'listeners'],
    [
      'too many listeners',
      { ...HELLO, answers: { layout: 1, listeners: Array(MAX_LISTENERS + 1).fill({ port: 53, view: 1 }) } },
      'listeners',
    ],
    ['view 0', { ...HELLO, answers: { layout: 1, listeners: [{ port: 53, view: 0 }] } }, 'view'],
    [
      'a view of more than 16 bits',
      { ...HELLO, answers: { layout: 1, listeners: [{ port: 53, view: 65536 }] } },
      'view',
    ],
    ['a listener without a port', { ...HELLO, answers: { layout: 1, listeners: [{ view: 1 }] } }, 'port'],
    [
      'a listener at no address',
      { ...HELLO, answers: { layout: 1, listeners: [{ address: 'localhost', port: 53, view: 1 }] } },
      'address',
    ],
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
    for (const seated of [SEATED, { ...SEATED, shelf: SHELF }]) {
      expect(told(seated)).toEqual({ ok: true, value: { kind: 'seated', seated } });
    }
    expect(told({ left: true })).toEqual({ ok: true, value: { kind: 'left' } });
    expect(told({ error: 'x'.repeat(5000) })).toMatchObject({ ok: true, value: { error: 'x'.repeat(200) } });
  });

  it.each([
    ['a seat behind the end of the map', { seat: 256, seats: 256, beatBytes: 64 }],
    ['seat 0, which is nobody’s', { seat: 0, seats: 256, beatBytes: 64 }],
    ['rows that end within a word', { seat: 1, seats: 256, beatBytes: 60 }],
    ['a map that is too big to be one', { seat: 1, seats: 1e9, beatBytes: 64 }],
    ['nothing', {}],
    ['a shelf that is none', { ...SEATED, shelf: true }],
    ['shelf 0, which is nobody’s', { ...SEATED, shelf: { ...SHELF, number: 0 } }],
    ['sets that are no power of two', { ...SEATED, shelf: { ...SHELF, sets: 3000 } }],
    ['an index that nobody can map', { ...SEATED, shelf: { ...SHELF, sets: 2 ** 30 } }],
    ['no small slots', { ...SEATED, shelf: { ...SHELF, smallSlots: 0 } }],
    ['too many large slots', { ...SEATED, shelf: { ...SHELF, largeSlots: 2 ** 30 } }],
    ['a log of half a page', { ...SEATED, shelf: { ...SHELF, logBytes: 2048 } }],
  ])('refuses %s', (_, message) => {
    expect(told(message)).toMatchObject({ ok: false, code: 'HEARTBEAT_MESSAGE' });
  });
});
