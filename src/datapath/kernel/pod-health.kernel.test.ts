/** Whether the programs redirect at all: heartbeat, probe, permission and share, asked for each packet. Needs root. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { DNS_PORT } from '../testing/conformance.ts';
import { FAMILIES, IFINDEX, IPV4, IPV6, ProgramRig } from '../testing/program-rig.ts';
import { buildPacket, readPacket, TCP_ACK, TCP_SYN } from '../testing/test-packet.ts';
import { PASS_ON, REDIRECTED } from '../testing/test-programs.ts';
import {
  ENDPOINT_OBSERVE_ONLY,
  FLOW_WINDOW_SHIFT,
  FLOWS_PER_WINDOW,
  FRONTEND_SKIP_FROM_BACKEND,
} from './abi.gen.ts';

const SEAT = 7;
const DEADLINE_MS = 400;
const LATE_MS = 450;

let rig: ProgramRig;
const verdictOf = (family = IPV4) => rig.programs.run('from_endpoint', rig.query(family)).verdict;
/** What becomes of a packet in the time that beats of these ages have left. */
const verdictInTime = (ages: readonly (number | null)[]) => {
  const leftMs = Math.min(
    ...ages.map((age) => (age === null || age > DEADLINE_MS ? Infinity : DEADLINE_MS - age)),
  );
  for (;;) {
    const began = performance.now();
    rig.programs.beat(SEAT, ages);
    const verdict = verdictOf();
    // Kept from the processor for that long, it says nothing.
    if (performance.now() - began < leftMs) return verdict;
  }
};
const health = (over: { readonly seat?: number; readonly down?: string }) =>
  rig.programs.health.set({ address: IPV4.alive, port: DNS_PORT, ...over });

beforeAll(async () => {
  rig = await ProgramRig.open('health');
});
afterAll(() => rig.close());
beforeEach(() => rig.reset());

describe('a backend whose process beats', () => {
  test.each([
    { name: 'one thread in time', ages: [50], verdict: REDIRECTED },
    { name: 'one thread late', ages: [LATE_MS], verdict: PASS_ON },
    { name: 'eight threads in time', ages: [0, 10, 20, 30, 40, 50, 60, 300], verdict: REDIRECTED },
    { name: 'one of eight late', ages: [0, 10, 20, 30, 40, 50, 60, LATE_MS], verdict: PASS_ON },
    { name: 'a thread that ended leaves no gap', ages: [10, null, 20], verdict: REDIRECTED },
    { name: 'no thread at all', ages: [null], verdict: PASS_ON },
    { name: 'a beat that came after the clock was read', ages: [-50], verdict: REDIRECTED },
  ])('$name', ({ ages, verdict }) => {
    health({ seat: SEAT });
    const before = rig.programs.counters().fellBack['no-heartbeat'];
    expect(verdictInTime(ages)).toBe(verdict);
    if (verdict === PASS_ON) expect(rig.programs.counters().fellBack['no-heartbeat']).toBe(before + 1n);
  });

  test('falls back with the packet after the deadline, and is redirected to with the packet after the next beat', () => {
    health({ seat: SEAT });
    for (const [age, verdict] of [
      [0, REDIRECTED],
      [LATE_MS, PASS_ON],
      [0, REDIRECTED],
    ] as const)
      expect(verdictInTime([age])).toBe(verdict);
  });

  test('is asked for no beat once its seat is taken back', () => {
    health({ seat: SEAT });
    rig.programs.beat(SEAT, [LATE_MS]);
    expect(verdictOf()).toBe(PASS_ON);
    health({});
    expect(verdictOf()).toBe(REDIRECTED);
  });

  test('keeps its TCP connections when it is late, and gets no new ones', () => {
    const syn = rig.query(IPV4, { protocol: 'TCP', tcpFlags: TCP_SYN });
    rig.programs.run('from_endpoint', syn);
    health({ seat: SEAT, down: 'timeout' });
    rig.programs.beat(SEAT, [LATE_MS]);
    const later = rig.programs.run('from_endpoint', { ...syn, tcpFlags: TCP_ACK });
    expect([later.verdict, readPacket(later.packet).destination]).toEqual([REDIRECTED, IPV4.alive]);
    expect(rig.programs.run('from_endpoint', rig.query(IPV4, { protocol: 'TCP' })).verdict).toBe(PASS_ON);
  });
});

test('a backend that did not answer the probe is left out until it does, and the event says why', () => {
  health({ down: 'no answer in 200 ms' });
  const packet = buildPacket(rig.query(IPV4));
  expect(rig.programs.run('from_endpoint', packet)).toEqual({ verdict: PASS_ON, packet });
  expect(rig.programs.events()).toMatchObject([{ verdict: 'fell-back', reason: 'probe-failed' }]);
  health({});
  expect(verdictOf()).toBe(REDIRECTED);
});

test('of two backends the one in order serves every flow', () => {
  rig.programs.health.set({ address: IPV4.dead, port: DNS_PORT, down: 'timeout' });
  rig.redirect(IPV4, [IPV4.dead, IPV4.alive]);
  for (let i = 0; i < 32; i++) expect(verdictOf()).toBe(REDIRECTED);
});

describe('a pod whose redirect nobody permitted', () => {
  test.each(FAMILIES)(
    'is seen and left alone, connections that began before included ($name)',
    ({ family }) => {
      const syn = rig.query(family, { protocol: 'TCP', tcpFlags: TCP_SYN });
      rig.programs.run('from_endpoint', syn);
      rig.programs.endpoints.write([family.client], IFINDEX, ENDPOINT_OBSERVE_ONLY);
      rig.programs.events();
      for (const asked of [rig.query(family), { ...syn, tcpFlags: TCP_ACK }]) {
        const packet = buildPacket(asked);
        expect(rig.programs.run('from_endpoint', packet)).toEqual({ verdict: PASS_ON, packet });
      }
      const seen = { verdict: 'fell-back', reason: 'not-permitted' };
      expect(rig.programs.events()).toMatchObject([seen, seen]);
      rig.programs.endpoints.write([family.client], IFINDEX);
      expect(verdictOf(family)).toBe(REDIRECTED);
    },
  );
});

describe('skipRedirectFromBackend', () => {
  test.each(FAMILIES)('works whether the policy or the packet was first ($name)', ({ family }) => {
    const fromBackend = () => rig.programs.run('from_endpoint', rig.query(family, { source: family.dead }));
    // The pod asks before anybody knows that it is a backend.
    expect(fromBackend().verdict).toBe(REDIRECTED);
    rig.redirect(family, [family.alive, family.dead], FRONTEND_SKIP_FROM_BACKEND);
    expect(fromBackend().verdict).toBe(PASS_ON);
    rig.redirect(family, [family.alive, family.dead]);
    expect(fromBackend().verdict).toBe(REDIRECTED);
  });

  test.each(FAMILIES)(
    'is about backends only: a client that serves port 53 itself is redirected ($name)',
    ({ family }) => {
      rig.redirect(family, [family.alive], FRONTEND_SKIP_FROM_BACKEND);
      // The rig serves port 53 at an address of the other family, too, in this very namespace: sockets decide nothing here.
      const { verdict, packet } = rig.programs.run(
        'from_endpoint',
        rig.query(family, { source: family.dead, sourcePort: 53 }),
      );
      expect([verdict, readPacket(packet).destination]).toEqual([REDIRECTED, family.alive]);
    },
  );
});

describe('one pod that makes flows without end', () => {
  const MORE = 600;
  const WINDOW_MS = 2 ** FLOW_WINDOW_SHIFT / 1e6;
  /** From ever new ports, until so many were not redirected; how many were, and in how many windows at most. */
  const flood = (notRedirected: number) => {
    const began = performance.now();
    let redirected = 0;
    for (let passed = 0, sourcePort = 1; passed < notRedirected && sourcePort <= 65_535; sourcePort++) {
      const asked = rig.query(IPV4, { source: IPV4.dead, sourcePort });
      if (rig.programs.run('from_endpoint', asked).verdict === REDIRECTED) redirected++;
      else passed++;
    }
    return { redirected, windows: Math.floor((performance.now() - began) / WINDOW_MS) + 2 };
  };

  test('goes its ordinary way beyond its share, and others are redirected and answered as before', () => {
    const waiting = rig.query(IPV4);
    rig.programs.run('from_endpoint', waiting);
    const { redirected, windows } = flood(MORE);
    expect(redirected).toBeLessThanOrEqual(windows * FLOWS_PER_WINDOW);
    expect(rig.programs.counters().fellBack['flow-share']).toBeGreaterThanOrEqual(BigInt(MORE));
    const answer = rig.programs.run('from_endpoint', rig.answer(IPV4, waiting));
    expect(readPacket(answer.packet).source).toBe(IPV4.vip);
    expect(verdictOf()).toBe(REDIRECTED);
    expect(verdictOf(IPV6)).toBe(REDIRECTED);
  });
});

test('a full flow map still takes the flows of queries, and gives the answers their address back', () => {
  rig.programs.fillFlows();
  const asked = Array.from({ length: 500 }, (_, i) => rig.query(i % 2 === 0 ? IPV4 : IPV6));
  for (const each of asked) expect(rig.programs.run('from_endpoint', each).verdict).toBe(REDIRECTED);
  for (const [i, each] of asked.entries()) {
    const family = i % 2 === 0 ? IPV4 : IPV6;
    const answer = rig.programs.run('from_endpoint', rig.answer(family, each));
    expect(readPacket(answer.packet).source).toBe(family.vip);
  }
});
