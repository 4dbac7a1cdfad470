import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Ip } from '../../net/ip.ts';
import { decodeSockets, encodeSockets } from './wire.ts';

describe('decodeSockets', () => {
  it('gives what was encoded', () => {
    const message = {
      sockets: [
        { kind: 'udp' as const, address: '0.0.0.0' as Ip, port: 53 },
        { kind: 'tcp' as const, address: 'fd00::1' as Ip, port: 853 },
      ],
      last: true,
    };
    expect(decodeSockets(encodeSockets(message))).toEqual(message);
  });

  it.each([
    '',
    'release',
    'null',
    '{}',
    '{"sockets":1,"last":true}',
    '{"sockets":[{"kind":"raw","address":"0.0.0.0","port":1}],"last":true}',
    '{"sockets":[{"kind":"udp","address":"nowhere","port":1}],"last":true}',
    '{"sockets":[null],"last":true}',
  ])('gives nothing for %s', (text) => {
    expect(decodeSockets(new TextEncoder().encode(text))).toBeUndefined();
  });

  it('survives whatever comes', () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => decodeSockets(bytes) === undefined));
    fc.assert(
      fc.property(fc.json(), (text) => {
        decodeSockets(new TextEncoder().encode(`{"sockets":${text},"last":true}`));
      }),
    );
  });
});
