/**
 * Packet in, verdict and packet out, for each branch of the pod programs. They run in a namespace of their own whose
 * loopback has the backends' addresses, so that "alive" is a real socket. Needs root.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { DNS_PORT, toIp } from '../testing/conformance.ts';
import { TestNetwork } from '../testing/test-network.ts';
import { buildPacket, type PacketShape, readPacket, TCP_ACK, TCP_SYN } from '../testing/test-packet.ts';
import { PASS_ON, REDIRECTED, TestPrograms } from '../testing/test-programs.ts';
import { FRONTEND_SKIP_FROM_BACKEND } from './abi.gen.ts';

const CLIENT = toIp('172.20.0.10');
const VIP = toIp('10.96.0.10');
const ALIVE = toIp('172.20.0.20');
const DEAD = toIp('172.20.0.30');
const CLIENT6 = toIp('fd00::10');
const VIP6 = toIp('fd00:96::a');
const ALIVE6 = toIp('fd00::20');
/** The loopback, which a test run pretends to come from; it redirects no further than the verdict. */
const IFINDEX = 1;
const BACKEND_PORT = 53;
const OWN_NETNS = -1;

let network: TestNetwork;
let programs: TestPrograms;
let ports = 20000;

const query = (over: Partial<PacketShape> = {}): PacketShape => ({
  protocol: 'UDP',
  source: CLIENT,
  sourcePort: ++ports,
  destination: VIP,
  destinationPort: 53,
  payload: new TextEncoder().encode('a question of odd length!'),
  ...over,
});
const answerTo = (asked: PacketShape, from = ALIVE): PacketShape => ({
  ...asked,
  source: from,
  sourcePort: BACKEND_PORT,
  destination: asked.source,
  destinationPort: asked.sourcePort,
});
const target = (address: typeof ALIVE, protocol: 'UDP' | 'TCP', ifindex = IFINDEX) => ({
  address,
  port: DNS_PORT,
  protocol,
  ifindex,
  netnsId: OWN_NETNS,
});
const redirectTo = (backends: readonly (typeof ALIVE)[], flags = 0, ifindex = IFINDEX) => {
  for (const protocol of ['UDP', 'TCP'] as const) {
    const targets = backends.map((address) => target(address, protocol, ifindex));
    programs.table.write({ address: VIP, port: DNS_PORT, protocol }, flags, targets);
  }
};

beforeAll(async () => {
  network = new TestNetwork('programs');
  for (const address of [`${ALIVE}/32`, `${DEAD}/32`])
    network.inNode('ip', 'addr', 'add', address, 'dev', 'lo');
  network.inNode('ip', 'addr', 'add', `${ALIVE6}/128`, 'dev', 'lo', 'nodad');
  await network.serve(network.node, ALIVE, '192.0.2.20');
  await network.serve(network.node, ALIVE6, '192.0.2.20');
  const directory = network.mountBpffs();
  network.enterNode();
  programs = new TestPrograms(directory);
});

afterAll(async () => {
  programs.close();
  await network.close();
});

beforeEach(() => {
  redirectTo([ALIVE]);
  programs.endpoints.write([CLIENT, CLIENT6, ALIVE, ALIVE6, DEAD], IFINDEX);
  programs.events();
});

describe('from_endpoint', () => {
  test.each([
    { name: 'a UDP query', over: {} },
    { name: 'a UDP query without checksum', over: { noChecksum: true } },
    { name: 'the first segment of a TCP connection', over: { protocol: 'TCP' as const } },
    { name: 'an empty datagram', over: { payload: new Uint8Array() } },
  ])('sends $name of a redirected frontend to the living backend', ({ over }) => {
    const asked = query(over);
    const { verdict, packet } = programs.run('from_endpoint', asked);
    expect(verdict).toBe(REDIRECTED);
    const { source, sourcePort, payload, protocol } = asked;
    const same = { source, sourcePort, payload, protocol, noChecksum: asked.noChecksum ?? false };
    expect(readPacket(packet)).toMatchObject({
      ...same,
      destination: ALIVE,
      destinationPort: 53,
      intact: true,
    });
  });

  test('puts the address that was asked on the answer, whatever the port behind it', () => {
    const asked = query();
    programs.run('from_endpoint', asked);
    const { verdict, packet } = programs.run('from_endpoint', answerTo(asked));
    expect(verdict).toBe(REDIRECTED);
    const expected = { source: VIP, sourcePort: 53, destination: CLIENT, destinationPort: asked.sourcePort };
    expect(readPacket(packet)).toMatchObject({ ...expected, intact: true });
  });

  test.each([
    { name: 'another port', over: { destinationPort: 5353 } },
    { name: 'another address', over: { destination: toIp('10.96.0.11') } },
  ])('leaves a packet to $name alone', ({ over }) => {
    const packet = buildPacket(query(over));
    expect(programs.run('from_endpoint', packet)).toEqual({ verdict: PASS_ON, packet });
  });

  test.each([
    {
      name: 'no socket is bound to the backend',
      reason: 'no-socket' as const,
      setup: () => redirectTo([DEAD]),
    },
    { name: 'it is a first fragment', reason: 'fragment' as const, over: { fragment: 0x2000 } },
    { name: 'it has IP options', reason: 'fragment' as const, over: { options: 4 } },
    {
      name: 'its TCP connection began elsewhere',
      reason: 'established' as const,
      over: { protocol: 'TCP' as const, tcpFlags: TCP_ACK },
    },
    {
      name: 'it comes from a backend and the policy says skip',
      reason: 'skip' as const,
      setup: () => redirectTo([DEAD, ALIVE], FRONTEND_SKIP_FROM_BACKEND),
      over: { source: DEAD },
    },
    { name: 'the sender is the only backend', reason: 'skip' as const, over: { source: ALIVE } },
  ])('leaves a packet to a redirected frontend alone and counts why: $name', ({ reason, setup, over }) => {
    setup?.();
    const packet = buildPacket(query(over ?? {}));
    const before = programs.counters().fellBack[reason];
    expect(programs.run('from_endpoint', packet)).toEqual({ verdict: PASS_ON, packet });
    expect(programs.counters().fellBack[reason]).toBe(before + 1n);
    expect(programs.events()).toMatchObject([{ verdict: 'fell-back', reason }]);
  });

  test('neither redirects nor restores for a pod that sends in the name of another', () => {
    const asked = query();
    programs.run('from_endpoint', asked);
    programs.endpoints.write([CLIENT, ALIVE], IFINDEX + 1);
    const before = programs.counters().spoofed ?? 0n;
    for (const packet of [buildPacket(asked), buildPacket(answerTo(asked))]) {
      expect(programs.run('from_endpoint', packet)).toEqual({ verdict: PASS_ON, packet });
    }
    expect(programs.counters().spoofed).toBe(before + 2n);
    expect(programs.events().slice(1)).toMatchObject([{ verdict: 'forwarded' }, { verdict: 'forwarded' }]);
  });

  test('finds the living one among dead backends, for every flow', () => {
    redirectTo([DEAD, ALIVE, toIp('172.20.0.31')]);
    for (let i = 0; i < 32; i++) {
      expect(readPacket(programs.run('from_endpoint', query()).packet).destination).toBe(ALIVE);
    }
  });

  test('keeps a TCP connection on its backend when that one is no longer chosen, and a new one not', () => {
    const first = query({ protocol: 'TCP', tcpFlags: TCP_SYN });
    programs.run('from_endpoint', first);
    redirectTo([DEAD]);
    const { verdict, packet } = programs.run('from_endpoint', { ...first, tcpFlags: TCP_ACK });
    expect([verdict, readPacket(packet).destination]).toEqual([REDIRECTED, ALIVE]);
    expect(programs.run('from_endpoint', query({ protocol: 'TCP' })).verdict).toBe(PASS_ON);
  });

  test('a SYN that falls back takes its later segments with it', () => {
    const syn = query({ protocol: 'TCP', tcpFlags: TCP_SYN });
    programs.run('from_endpoint', syn);
    redirectTo([DEAD]);
    expect(programs.run('from_endpoint', syn).verdict).toBe(PASS_ON);
    expect(programs.run('from_endpoint', { ...syn, tcpFlags: TCP_ACK }).verdict).toBe(PASS_ON);
  });

  test('a client that turns from the frontend to the backend itself gets its answers untouched', () => {
    const asked = query();
    programs.run('from_endpoint', asked);
    expect(programs.remembersReplyTo(asked, ALIVE)).toBe(true);
    const direct = buildPacket({ ...asked, destination: ALIVE });
    expect(programs.run('from_endpoint', direct)).toEqual({ verdict: PASS_ON, packet: direct });
    const answer = buildPacket(answerTo(asked));
    expect(programs.run('from_endpoint', answer)).toEqual({ verdict: PASS_ON, packet: answer });
  });

  describe('one port that asks the frontend, another frontend and the backend at once', () => {
    const SECOND = toIp('10.96.0.99');
    /** The 16-bit id, then what else a DNS header holds. */
    const dns = (id: number) => Uint8Array.of(id >> 8, id & 0xff, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0);
    const ask = (destination: typeof VIP, id: number, sourcePort: number) => {
      const asked = query({ destination, sourcePort, payload: dns(id) });
      programs.run('from_endpoint', asked);
      return { asked, id };
    };
    const answeredBy = ({ asked }: { asked: PacketShape }) =>
      readPacket(programs.run('from_endpoint', answerTo(asked)).packet).source;

    beforeEach(() => {
      const frontend = { address: SECOND, port: DNS_PORT, protocol: 'UDP' } as const;
      programs.table.write(frontend, 0, [target(ALIVE, 'UDP')]);
    });

    afterAll(() => programs.table.remove({ address: SECOND, port: DNS_PORT, protocol: 'UDP' }));

    test('gets every answer from the address it asked, in whatever order they come', () => {
      const addresses = fc.constantFrom(VIP, SECOND, ALIVE);
      const asked = fc.array(addresses, { minLength: 1, maxLength: 12 });
      fc.assert(
        fc.property(
          asked,
          fc.integer({ min: 0, max: 65_000 }),
          fc.boolean(),
          (others, firstId, backwards) => {
            const port = ++ports;
            const all = [VIP, ...others].map((address, i) => ask(address, firstId + i, port));
            const answers = backwards ? all.toReversed() : all;
            for (const each of answers) expect(answeredBy(each)).toBe(each.asked.destination);
          },
        ),
        { numRuns: 200 },
      );
    });

    test('may use an id again for another address', () => {
      const port = ++ports;
      const order = [VIP, ALIVE, VIP, SECOND, VIP, ALIVE];
      for (const address of order) expect(answeredBy(ask(address, 7, port))).toBe(address);
    });

    test('is remembered by what it asks now once it has not asked the first for a while', () => {
      const port = ++ports;
      const { asked } = ask(VIP, 1, port);
      programs.ageReplyTo(asked, ALIVE, 11);
      expect(answeredBy(ask(SECOND, 2, port))).toBe(SECOND);
      expect(answeredBy(ask(SECOND, 3, port))).toBe(SECOND);
    });

    test('loses nothing to another pod that asks the backend in its name', () => {
      const first = ask(VIP, 1, ++ports);
      programs.endpoints.write([CLIENT], IFINDEX + 1);
      ask(ALIVE, 1, first.asked.sourcePort);
      programs.endpoints.write([CLIENT], IFINDEX);
      expect(answeredBy(first)).toBe(VIP);
    });
  });

  test.each([
    { name: 'a UDP answer within two minutes', protocol: 'UDP' as const, seconds: 119, verdict: REDIRECTED },
    { name: 'no UDP answer after that', protocol: 'UDP' as const, seconds: 121, verdict: PASS_ON },
    { name: 'a TCP segment after a day', protocol: 'TCP' as const, seconds: 86_400, verdict: REDIRECTED },
  ])('restores $name', ({ protocol, seconds, verdict }) => {
    const asked = query({ protocol });
    programs.run('from_endpoint', asked);
    programs.ageReplyTo(asked, ALIVE, seconds);
    expect(programs.run('from_endpoint', answerTo(asked)).verdict).toBe(verdict);
  });

  test('hands a packet for a host-network backend to the stack, translated', () => {
    redirectTo([ALIVE], 0, 0);
    const { verdict, packet } = programs.run('from_endpoint', query());
    expect([verdict, readPacket(packet).destination, readPacket(packet).intact]).toEqual([
      PASS_ON,
      ALIVE,
      true,
    ]);
  });

  test('does the same for IPv6, there and back', () => {
    const targets = [
      { address: ALIVE6, port: DNS_PORT, protocol: 'UDP' as const, ifindex: IFINDEX, netnsId: OWN_NETNS },
    ];
    programs.table.write({ address: VIP6, port: DNS_PORT, protocol: 'UDP' }, 0, targets);
    const asked = query({ source: CLIENT6, destination: VIP6 });
    const there = programs.run('from_endpoint', asked);
    expect(there.verdict).toBe(REDIRECTED);
    expect(readPacket(there.packet)).toMatchObject({ destination: ALIVE6, source: CLIENT6, intact: true });
    const back = programs.run('from_endpoint', answerTo(asked, ALIVE6));
    expect(back.verdict).toBe(REDIRECTED);
    expect(readPacket(back.packet)).toMatchObject({ source: VIP6, destination: CLIENT6, intact: true });
  });

  test.each([
    { length: 0, told: 0 },
    { length: 1, told: 1 },
    { length: 128, told: 128 },
    { length: 129, told: 129 },
    { length: 512, told: 512 },
    { length: 513, told: 513 },
    { length: 2048, told: 2048 },
    { length: 2049, told: 2048 },
  ])(
    'tells one event per packet, with the addresses before and after and $told of $length bytes',
    ({ length, told }) => {
      const bytes = Uint8Array.from({ length }, (_, i) => i);
      const asked = query({ payload: bytes });
      programs.run('from_endpoint', asked);
      programs.run('from_endpoint', query({ destination: toIp('192.0.2.9'), destinationPort: 80 }));
      expect(programs.events()).toMatchObject([
        {
          hook: 'from-endpoint',
          verdict: 'redirected',
          protocol: 'UDP',
          source: { address: CLIENT, port: asked.sourcePort },
          destination: { address: VIP, port: 53 },
          translated: { address: ALIVE, port: 53 },
          deliveredIfindex: IFINDEX,
          payload: bytes.subarray(0, told),
          payloadLength: length,
        },
      ]);
    },
  );
});

test('events that find the ring full are counted', () => {
  const before = programs.counters().eventsLost;
  const sent = 4000;
  const asked = query({ destination: DEAD, payload: new Uint8Array(2048) });
  for (let i = 0; i < sent; i++) programs.run('from_endpoint', asked);
  const lost = Number(programs.counters().eventsLost - before);
  expect(lost).toBeGreaterThan(0);
  expect(programs.events().length + lost).toBe(sent);
});

test('to_endpoint puts the frontend back on an answer that came through the stack', () => {
  redirectTo([ALIVE], 0, 0);
  const asked = query();
  programs.run('from_endpoint', asked);
  const { verdict, packet } = programs.run('to_endpoint', answerTo(asked));
  expect(verdict).toBe(PASS_ON);
  expect(readPacket(packet)).toMatchObject({
    source: VIP,
    sourcePort: 53,
    destination: CLIENT,
    intact: true,
  });
  expect(programs.events().at(-1)).toMatchObject({ hook: 'to-endpoint', verdict: 'restored' });
});

test('no bytes whatever break a program: a packet goes on as it was, or intact to the backend', () => {
  const noise = fc.record({
    // The kernel refuses test runs of packets without a whole IP header.
    packet: fc.uint8Array({ minLength: 54, maxLength: 200 }),
    ethertype: fc.constantFrom(0x0800, 0x86dd, 0x8100, 0x0806),
    version: fc.constantFrom(0x45, 0x46, 0x4f, 0x60, 0x00),
    protocol: fc.constantFrom(6, 17, 1),
  });
  fc.assert(
    fc.property(noise, ({ packet, ethertype, version, protocol }) => {
      const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
      view.setUint16(12, ethertype);
      view.setUint8(14, version);
      view.setUint8(23, protocol);
      for (const program of ['from_endpoint', 'to_endpoint'] as const) {
        expect(programs.run(program, packet)).toEqual({ verdict: PASS_ON, packet });
      }
    }),
    { numRuns: 2000 },
  );
});

test('any payload, port and length arrives intact at the backend and comes back intact', () => {
  const shape = fc.record({
    protocol: fc.constantFrom('UDP' as const, 'TCP' as const),
    payload: fc.uint8Array({ maxLength: 1400 }),
    sourcePort: fc.integer({ min: 1, max: 65535 }),
    noChecksum: fc.boolean(),
  });
  fc.assert(
    fc.property(shape, ({ noChecksum, ...over }) => {
      const asked = query({ ...over, noChecksum: noChecksum && over.protocol === 'UDP' });
      const there = readPacket(programs.run('from_endpoint', asked).packet);
      expect(there).toMatchObject({ destination: ALIVE, payload: asked.payload, intact: true });
      const back = readPacket(programs.run('from_endpoint', answerTo(asked)).packet);
      expect(back).toMatchObject({ source: VIP, payload: asked.payload, intact: true });
    }),
    { numRuns: 1000 },
  );
});
