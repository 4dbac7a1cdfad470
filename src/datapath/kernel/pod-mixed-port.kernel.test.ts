/**
 * A cache without the right to port 53 serves another one. A client that asks two addresses of it, and the cache itself,
 * from one port gets each answer from the address it asked. Needs root.
 */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { toPort } from '../../net/port.ts';
import { DNS_PORT, toIp } from '../testing/conformance.ts';
import { FAMILIES, type Family, IFINDEX, IPV4, IPV6, ProgramRig } from '../testing/program-rig.ts';
import { type PacketShape, readPacket } from '../testing/test-packet.ts';

const UNPRIVILEGED = 1053;
const SECOND = { [IPV4.vip]: toIp('10.96.0.99'), [IPV6.vip]: toIp('fd00:96::99') };

let rig: ProgramRig;
let sockets: readonly Socket[];

const secondOf = ({ vip }: Family) => SECOND[vip] ?? vip;
const dns = (id: number) => Uint8Array.of(id >> 8, id & 0xff, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0);
const ask = (family: Family, over: Partial<PacketShape>) => {
  const asked = rig.query(family, over);
  rig.programs.run('from_endpoint', asked);
  return asked;
};
/** The end that the client sees the answer come from. */
const answered = (family: Family, asked: PacketShape) => {
  const answer = rig.answer(family, asked, { sourcePort: UNPRIVILEGED });
  const { source, sourcePort } = readPacket(rig.programs.run('from_endpoint', answer).packet);
  return { source, sourcePort };
};
const askedEnd = ({ destination, destinationPort }: PacketShape) => ({
  source: destination,
  sourcePort: destinationPort,
});

beforeAll(async () => {
  rig = await ProgramRig.open('mixed-port');
  sockets = await Promise.all(
    [IPV4, IPV6].map(async ({ alive }) => {
      const socket = createSocket(alive.includes(':') ? 'udp6' : 'udp4');
      socket.bind(UNPRIVILEGED, alive);
      await once(socket, 'listening');
      return socket;
    }),
  );
});

afterAll(async () => {
  for (const socket of sockets) socket.close();
  await rig.close();
});

beforeEach(() => {
  rig.reset();
  const port = toPort(UNPRIVILEGED) ?? DNS_PORT;
  for (const family of [IPV4, IPV6]) {
    const target = { address: family.alive, port, protocol: 'UDP', ifindex: IFINDEX, netnsId: -1 } as const;
    for (const address of [family.vip, secondOf(family)])
      rig.programs.table.write({ address, port: DNS_PORT, protocol: 'UDP' }, 0, [target]);
  }
});

describe.each(FAMILIES)('one client port over $name', ({ family }) => {
  test('asks two frontends before it is answered', () => {
    const first = ask(family, { payload: dns(1) });
    const { sourcePort } = first;
    const second = ask(family, { destination: secondOf(family), sourcePort, payload: dns(2) });
    for (const asked of [second, first]) expect(answered(family, asked)).toEqual(askedEnd(asked));
  });

  test('asks a frontend and the cache itself before it is answered', () => {
    const first = ask(family, { payload: dns(1) });
    const { sourcePort } = first;
    const direct = { destination: family.alive, destinationPort: UNPRIVILEGED };
    const second = ask(family, { ...direct, sourcePort, payload: dns(2) });
    for (const asked of [second, first]) expect(answered(family, asked)).toEqual(askedEnd(asked));
  });
});
