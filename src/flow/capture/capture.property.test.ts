import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { PacketEvent } from '../../datapath/datapath.ts';
import { ANSWER, CACHE, CLIENT, COREDNS, packet, peer, QUERY, VIP } from '../testing/sample-packet.ts';
import { TestNode } from '../testing/test-node.ts';

const framed = (...messages: Uint8Array[]) =>
  Uint8Array.from(messages.flatMap((each) => [each.length >> 8, each.length & 0xff, ...each]));
const HOST = peer('192.168.10.101', 5000);

const event: fc.Arbitrary<PacketEvent> = fc
  .record({
    hook: fc.constantFrom('from-endpoint' as const, 'to-endpoint' as const),
    verdict: fc.constantFrom(
      'forwarded' as const,
      'redirected' as const,
      'restored' as const,
      'fell-back' as const,
    ),
    protocol: fc.constantFrom('UDP' as const, 'TCP' as const),
    source: fc.constantFrom(CLIENT, HOST, CACHE, COREDNS, VIP),
    destination: fc.constantFrom(CLIENT, HOST, CACHE, COREDNS, VIP),
    translated: fc.constantFrom(undefined, CACHE, VIP),
    payload: fc.constantFrom(QUERY, ANSWER, framed(QUERY), framed(QUERY, ANSWER), ANSWER.subarray(0, 20)),
    cut: fc.nat(3),
    tcpFlags: fc.nat(255),
  })
  .map(({ translated, payload, cut, ...fields }) =>
    packet({
      ...fields,
      ...(translated === undefined ? {} : { translated, deliveredIfindex: 9 }),
      payload: payload.subarray(0, payload.length - cut),
      payloadLength: payload.length,
    }),
  );

it('counts as many flows of a packet as are told of it, and each message once', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 20 }), (events) => {
      const node = new TestNode();
      const told = events.map((each) => node.see(each));
      expect(node.packets.flowsEver).toBe(told.flat().length);
      const messages = told.flat().filter(({ l7 }) => l7 !== undefined).length;
      const counted = node.recorder.counters.messages().reduce((sum, { count }) => sum + count, 0);
      expect(counted).toBe(messages);
    }),
    { numRuns: 500 },
  );
});
