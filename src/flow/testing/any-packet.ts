/** Packets of every kind that the kernel's programs tell of, for properties. */
import fc from 'fast-check';
import type { PacketEvent } from '../../datapath/datapath.ts';
import { ANSWER, CACHE, CLIENT, COREDNS, packet, peer, QUERY, VIP } from './sample-packet.ts';

const framed = (...messages: Uint8Array[]) =>
  Uint8Array.from(messages.flatMap((each) => [each.length >> 8, each.length & 0xff, ...each]));
const HOST = peer('192.168.10.101', 5000);
const SIX = peer('fd00::5', 41022);
const SIX_SERVER = peer('fd00::53', 5353);

/** Any packet of a few clients and servers. */
export const anyPacket: fc.Arbitrary<PacketEvent> = fc
  .record({
    hook: fc.constantFrom('from-endpoint' as const, 'to-endpoint' as const),
    verdict: fc.constantFrom(
      'forwarded' as const,
      'redirected' as const,
      'restored' as const,
      'fell-back' as const,
      'answered' as const,
    ),
    protocol: fc.constantFrom('UDP' as const, 'TCP' as const),
    source: fc.constantFrom(CLIENT, HOST, CACHE, COREDNS, VIP),
    destination: fc.constantFrom(CLIENT, HOST, CACHE, COREDNS, VIP),
    translated: fc.constantFrom(undefined, CACHE, VIP),
    payload: fc.constantFrom(QUERY, ANSWER, framed(QUERY), framed(QUERY, ANSWER), ANSWER.subarray(0, 20)),
    dropped: fc.constantFrom(undefined, undefined, 'node' as const, 'pod' as const),
    six: fc.boolean(),
    cut: fc.nat(3),
    tcpFlags: fc.nat(255),
    tookNs: fc.nat(5_000_000),
  })
  .map(({ translated, payload, cut, six, dropped, tookNs, ...fields }) =>
    packet({
      ...fields,
      ...(six && { source: SIX, destination: SIX_SERVER }),
      ...(translated === undefined ? {} : { translated: six ? SIX_SERVER : translated, deliveredIfindex: 9 }),
      ...(fields.verdict === 'answered' && { tookNs }),
      ...(dropped !== undefined && { verdict: 'dropped', drop: { reason: 12, place: dropped } }),
      payload: payload.subarray(0, payload.length - cut),
      payloadLength: payload.length,
    }),
  );
