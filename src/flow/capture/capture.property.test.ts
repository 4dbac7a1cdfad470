import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { PacketEvent } from '../../datapath/datapath.ts';
import type { Flow } from '../api.ts';
import { ANSWER, CACHE, CLIENT, COREDNS, packet, peer, QUERY, VIP } from '../testing/sample-packet.ts';
import { TestNode } from '../testing/test-node.ts';

const framed = (...messages: Uint8Array[]) =>
  Uint8Array.from(messages.flatMap((each) => [each.length >> 8, each.length & 0xff, ...each]));
const HOST = peer('192.168.10.101', 5000);
const SIX = peer('fd00::5', 41022);
const SIX_SERVER = peer('fd00::53', 5353);

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
    dropped: fc.constantFrom(undefined, undefined, 'node' as const, 'pod' as const),
    six: fc.boolean(),
    cut: fc.nat(3),
    tcpFlags: fc.nat(255),
  })
  .map(({ translated, payload, cut, six, dropped, ...fields }) =>
    packet({
      ...fields,
      ...(six && { source: SIX, destination: SIX_SERVER }),
      ...(translated === undefined ? {} : { translated: six ? SIX_SERVER : translated, deliveredIfindex: 9 }),
      ...(dropped !== undefined && { verdict: 'dropped', drop: { reason: 12, place: dropped } }),
      payload: payload.subarray(0, payload.length - cut),
      payloadLength: payload.length,
    }),
  );

/** As Hubble's handlers do (cilium `pkg/hubble/metrics`): of what was forwarded, and is known to be no reply. */
function portsOf({ verdict, is_reply, l4 }: Flow): readonly string[] {
  if (verdict !== 'FORWARDED' || is_reply !== false) return [];
  return [`${l4.TCP === undefined ? 17 : 6} ${(l4.TCP ?? l4.UDP)?.destination_port}`];
}

function flagsOf({ verdict, IP, l4 }: Flow): readonly string[] {
  const { flags } = l4.TCP ?? {};
  if (verdict !== 'FORWARDED' || flags === undefined) return [];
  const words = [
    ...(flags.FIN === true ? ['FIN'] : []),
    ...(flags.SYN === true ? [flags.ACK === true ? 'SYN-ACK' : 'SYN'] : []),
    ...(flags.RST === true ? ['RST'] : []),
  ];
  return words.map((word) => `${word} ${IP.ipVersion}`);
}

function tally(words: readonly string[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}

const ports = ({ recorder }: TestNode) =>
  Object.fromEntries(
    recorder.counters.ports.list().map(({ kind, count }) => [`${kind.protocol} ${kind.port}`, count]),
  );
const flags = ({ recorder }: TestNode) =>
  Object.fromEntries(
    recorder.counters.flags().map(({ kind, count }) => [`${kind.flag} IPv${kind.family}`, count]),
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
      expect(ports(node)).toEqual(tally(told.flat().flatMap(portsOf)));
      expect(flags(node)).toEqual(tally(told.flat().flatMap(flagsOf)));
    }),
    { numRuns: 500 },
  );
});
