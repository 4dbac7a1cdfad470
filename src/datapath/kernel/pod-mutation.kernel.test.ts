/**
 * Packets with anything wrong in them: tens of thousands, from one seed. Whatever comes out is what went in, or a correct
 * translation of it whose checksums are as right or as wrong as they were. Needs root.
 */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { toPortOrThrow } from '../testing/conformance.ts';
import { type Family, IFINDEX, IPV4, IPV6, ProgramRig } from '../testing/program-rig.ts';
import { fragment } from '../testing/test-fragments.ts';
import { buildPacket, TCP_ACK, TCP_SYN } from '../testing/test-packet.ts';
import { judgeTranslation, type Rules } from '../testing/translation-oracle.ts';

const SEED = 20_260_731;
const ROUNDS = 15_000;
/** Not the frontend's, so that ports are translated, too. */
const BACKEND_PORT = toPortOrThrow('5353');
const RULES: Rules = {
  destinations: [IPV4, IPV6].map(({ alive }) => ({ address: alive, port: BACKEND_PORT })),
  sources: [IPV4, IPV6].map(({ vip }) => ({ address: vip, port: 53 })),
};

let rig: ProgramRig;
const servers: (Socket | Server)[] = [];

beforeAll(async () => {
  rig = await ProgramRig.open('mutation');
  for (const { alive, vip, client } of [IPV4, IPV6]) {
    const udp = createSocket(alive.includes(':') ? 'udp6' : 'udp4').bind(BACKEND_PORT, alive);
    const tcp = createServer().listen(BACKEND_PORT, alive);
    await Promise.all([once(udp, 'listening'), once(tcp, 'listening')]);
    servers.push(udp, tcp);
    rig.programs.endpoints.write([client, alive], IFINDEX);
    for (const protocol of ['UDP', 'TCP'] as const) {
      const target = { address: alive, port: BACKEND_PORT, protocol, ifindex: IFINDEX, netnsId: -1 };
      rig.programs.table.write({ address: vip, port: toPortOrThrow('53'), protocol }, 0, [target]);
    }
  }
});
afterAll(async () => {
  for (const server of servers) server.close();
  await rig.close();
});

/** mulberry32: small, and the same everywhere. */
function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

/** A query or an answer, whole or in pieces, as it should be. */
function makePackets(random: (below: number) => number): readonly Uint8Array[] {
  const family: Family = random(2) === 0 ? IPV4 : IPV6;
  const protocol = random(2) === 0 ? 'UDP' : 'TCP';
  const payload = Uint8Array.from({ length: random(300) }, () => random(256));
  const noChecksum = protocol === 'UDP' && random(4) === 0;
  const asked = rig.query(family, {
    protocol,
    payload,
    noChecksum,
    sourcePort: 1024 + random(64),
    tcpFlags: random(2) === 0 ? TCP_SYN : TCP_ACK,
  });
  const answer = rig.answer(family, asked, { sourcePort: BACKEND_PORT });
  const frame = buildPacket(random(2) === 0 ? asked : answer);
  return random(4) === 0 ? fragment(frame, 8 * (1 + random(20)), random(8)) : [frame];
}

const HEADERS_BYTES = 74;
const SHORTEST_BYTES = 54;

/** Nothing, bytes of the headers or anywhere, a bit, or the length. */
function mutate(packet: Uint8Array, random: (below: number) => number): Uint8Array {
  const frame = packet.slice();
  for (let i = random(4); i > 0; i--) {
    const at = 12 + random((random(3) === 0 ? frame.length : Math.min(HEADERS_BYTES, frame.length)) - 12);
    frame[at] = random(2) === 0 ? random(256) : (frame[at] ?? 0) ^ (1 << random(8));
  }
  const how = random(8);
  if (how === 0) return frame.slice(0, Math.max(SHORTEST_BYTES, random(frame.length)));
  if (how === 1) return Uint8Array.from([...frame, ...new Uint8Array(random(40))]);
  return frame;
}

test('a packet with anything wrong is left alone, or translated and as wrong as it was', () => {
  const random = seeded(SEED);
  const seen = { changed: 0, same: 0 };
  for (let round = 0; round < ROUNDS; round++) {
    for (const packet of makePackets(random)) {
      if (packet.length < SHORTEST_BYTES) continue;
      const before = mutate(packet, random);
      const program = random(4) === 0 ? 'to_endpoint' : 'from_endpoint';
      const { packet: after } = rig.programs.run(program, before);
      const wrong = judgeTranslation(before, after, RULES);
      if (wrong !== undefined) {
        expect.fail(
          `${wrong}: ${Buffer.from(before).toString('hex')} became ${Buffer.from(after).toString('hex')}`,
        );
      }
      if (Buffer.compare(before, after) === 0) seen.same += 1;
      else seen.changed += 1;
    }
  }
  // Both ways were taken often, or the packets were all too wrong or all too right.
  expect(Math.min(seen.changed, seen.same)).toBeGreaterThan(ROUNDS / 5);
});
