/** Delivery through the stack: who sits in between sees client and backend, in both directions. Needs root. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { u32Bytes } from '../../sys/bpf-map.ts';
import { FAMILIES, ProgramRig } from '../testing/program-rig.ts';
import { fragment, reassemble } from '../testing/test-fragments.ts';
import { buildPacket, readPacket, TCP_ACK, TCP_SYN } from '../testing/test-packet.ts';
import { PASS_ON } from '../testing/test-programs.ts';

let rig: ProgramRig;

beforeAll(async () => {
  rig = await ProgramRig.open('stack', { deliver_direct: u32Bytes(0) });
});
afterAll(() => rig.close());
beforeEach(() => rig.reset());

describe.each(FAMILIES)('over $name', ({ family }) => {
  test.each(['UDP', 'TCP'] as const)(
    'a query is translated where it leaves the client, an answer where it arrives (%s)',
    (protocol) => {
      const asked = rig.query(family, { protocol, tcpFlags: TCP_SYN });
      const there = rig.programs.run('from_endpoint', asked);
      expect(there.verdict).toBe(PASS_ON);
      expect(readPacket(there.packet)).toMatchObject({ destination: family.alive, intact: true });
      const answer = buildPacket(rig.answer(family, asked, { tcpFlags: TCP_ACK | TCP_SYN }));
      expect(rig.programs.run('from_endpoint', answer)).toEqual({ verdict: PASS_ON, packet: answer });
      const back = rig.programs.run('to_endpoint', answer);
      expect(back.verdict).toBe(PASS_ON);
      expect(readPacket(back.packet)).toMatchObject({ source: family.vip, sourcePort: 53, intact: true });
    },
  );

  test('a query that meets the program twice keeps its way back', () => {
    const asked = rig.query(family);
    const { packet } = rig.programs.runTwice('from_endpoint', asked);
    expect(readPacket(packet)).toMatchObject({ destination: family.alive, intact: true });
    const back = rig.programs.run('to_endpoint', rig.answer(family, asked));
    expect(readPacket(back.packet)).toMatchObject({ source: family.vip, intact: true });
  });

  test('so it is with an answer in pieces', () => {
    const asked = rig.query(family);
    rig.programs.run('from_endpoint', asked);
    const answer = buildPacket(rig.answer(family, asked, { payload: new Uint8Array(3000).fill(9) }));
    const pieces = fragment(answer, 1400, 77);
    for (const piece of pieces)
      expect(rig.programs.run('from_endpoint', piece)).toEqual({ verdict: PASS_ON, packet: piece });
    const heard = reassemble(pieces.map((piece) => rig.programs.run('to_endpoint', piece).packet));
    expect(readPacket(heard)).toMatchObject({ source: family.vip, intact: true });
  });
});
