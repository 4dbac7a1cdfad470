import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Flow } from '../api.ts';
import { anyPacket } from '../testing/any-packet.ts';
import { TestNode } from '../testing/test-node.ts';

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
    fc.property(fc.array(anyPacket, { maxLength: 20 }), (events) => {
      // Room for all of them, and no more: the memory is made anew each time.
      const node = new TestNode('k8s-w1', { capacity: 1024 });
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
