import { beforeEach, describe, expect, it } from 'vitest';
import type { FrontendRow } from '../../datapath/datapath.ts';
import { redirectedFrontend, toIp, toPortOrThrow } from '../../datapath/testing/conformance.ts';
import { VirtualClock } from '../../telemetry/virtual-clock.ts';
import { Prober, targetsOf } from './prober.ts';
import { FakeWire } from './testing/fake-wire.ts';

const CACHE = { address: toIp('172.20.1.9'), port: toPortOrThrow('53') };
const KEY = '172.20.1.9 53';
const DOWN = { down: 'no answer to a query over UDP' };

function rowsOf(...frontends: FrontendRow['frontend'][]): readonly FrontendRow[] {
  return frontends.map((frontend, i) => ({
    id: i + 1,
    frontend,
    status: { state: 'done', sinceMs: 0, attempts: 1 },
  }));
}
const UDP = redirectedFrontend('10.96.0.10', 'UDP', ['172.20.1.9']);
const TCP = redirectedFrontend('10.96.0.10', 'TCP', ['172.20.1.9']);

/** Goes on while nothing of the process runs. */
class StoppableClock extends VirtualClock {
  stoppedMs = 0;

  override monotonicMs(): number {
    return super.monotonicMs() + this.stoppedMs;
  }
}

let clock: VirtualClock;
let wire: FakeWire;
let rows: readonly FrontendRow[];
let isBeating: boolean;
let wasDown: boolean;
let changes: number;
let prober: Prober;

function start(): void {
  prober = new Prober({
    ...{ wire, clock, rows: () => rows, isBeating: () => isBeating, wasDown: () => wasDown },
    afterReading: (run) => run(),
    random: () => (wire.asked.length % 65_536) / 65_536,
    onChange: () => changes++,
  });
  prober.start();
}
const verdict = () => prober.verdict(CACHE);

beforeEach(() => {
  clock = new VirtualClock();
  wire = new FakeWire();
  rows = rowsOf(UDP);
  [isBeating, wasDown, changes] = [false, false, 0];
});

describe('Prober', () => {
  it('has nothing against a backend that was never asked before, and finds one that answers', () => {
    wire.answering.add(KEY);
    start();
    expect(verdict()).toBeUndefined();
    clock.pass(200);
    expect(verdict()).toBe('answers');
  });

  it('finds one that stops answering within 500 ms, and takes it back after two answers', () => {
    wire.answering.add(KEY);
    start();
    clock.pass(1000);
    wire.answering.clear();
    clock.pass(250);
    expect(verdict()).toBe('answers');
    clock.pass(250);
    expect(verdict()).toEqual(DOWN);
    wire.answering.add(KEY);
    clock.pass(100);
    expect(verdict()).toEqual(DOWN);
    clock.pass(100);
    expect(verdict()).toBe('answers');
  });

  it('takes no notice of one lost packet in between', () => {
    wire.answering.add(KEY);
    start();
    for (let i = 0; i < 20; i++) {
      wire.answering.delete(KEY);
      clock.pass(150);
      wire.answering.add(KEY);
      clock.pass(150);
      expect(verdict()).not.toEqual(DOWN);
    }
  });

  it('does not count time in which the agent itself stood still', () => {
    wire.answering.add(KEY);
    const stopped = new StoppableClock();
    clock = stopped;
    start();
    clock.pass(1000);
    wire.answering.clear();
    clock.pass(100);
    stopped.stoppedMs = 60_000;
    clock.pass(100);
    expect(verdict()).toBe('answers');
    wire.answering.add(KEY);
    clock.pass(100);
    expect(verdict()).toBe('answers');
  });

  it('counts only answers to what it asked', () => {
    start();
    clock.pass(200);
    const ids = wire.asked.map(({ id }) => id);
    for (const id of [...ids.map((each) => each + 100), ...ids.map((each) => each + 200)])
      wire.answer(CACHE, id);
    wire.answer({ ...CACHE, address: toIp('172.20.1.10') }, ids[0] ?? 0);
    clock.pass(300);
    expect(verdict()).toEqual(DOWN);
    expect(prober.report()).toMatchObject([{ udp: { answered: 0 }, down: DOWN.down }]);
  });

  it('asks one that beats once a second, and is patient with it', () => {
    isBeating = true;
    wire.answering.add(KEY);
    start();
    clock.pass(5000);
    expect(wire.asked.length).toBeLessThan(7);
    wire.answering.clear();
    clock.pass(2500);
    expect(verdict()).toBe('answers');
    clock.pass(2000);
    expect(verdict()).toEqual(DOWN);
  });

  it('believes an earlier agent until the backend answers', () => {
    wasDown = true;
    start();
    expect(verdict()).toEqual(DOWN);
    wire.answering.add(KEY);
    clock.pass(300);
    expect(verdict()).toBe('answers');
  });

  it('leaves a refused connection to the kernel, and finds a listener that takes none', () => {
    rows = rowsOf(UDP, TCP);
    wire.answering.add(KEY);
    wire.connections.set(KEY, 'refused');
    start();
    clock.pass(5000);
    expect(verdict()).toBe('answers');
    wire.connections.delete(KEY);
    clock.pass(5000);
    expect(verdict()).toEqual({ down: 'no answer over TCP' });
    wire.connections.set(KEY, 'connected');
    clock.pass(5000);
    expect(verdict()).toBe('answers');
    expect(wire.connected).toBeLessThan(17);
  });

  it('stops asking what is redirected no more, and forgets what it knew', () => {
    start();
    clock.pass(1000);
    expect(verdict()).toEqual(DOWN);
    rows = rowsOf();
    clock.pass(100);
    const asked = wire.asked.length;
    clock.pass(1000);
    expect(wire.asked).toHaveLength(asked);
    expect(verdict()).toBeUndefined();
    expect(prober.places).toEqual([]);
    prober.close();
    expect([clock.pending, wire.isClosed]).toEqual([0, true]);
  });
});

describe('targetsOf', () => {
  it('asks DNS servers alone, each in the ways it is redirected to', () => {
    const web = {
      ...redirectedFrontend('169.254.169.254', 'TCP', ['172.20.1.4']),
      port: toPortOrThrow('80'),
    };
    const webBackend = { ...web.backends[0], address: toIp('172.20.1.4'), port: toPortOrThrow('8080') };
    const other = { ...web, backends: [{ ...webBackend, protocol: 'TCP', state: 'active' }] } as const;
    const named = { ...other, portName: 'dns-tcp' } as const;
    expect(targetsOf(rowsOf(UDP, TCP, other))).toEqual([{ ...CACHE, udp: true, tcp: true }]);
    expect(targetsOf(rowsOf(named))).toEqual([{ address: '172.20.1.4', port: 8080, udp: false, tcp: true }]);
    expect(targetsOf(rowsOf({ ...other, portName: 'dnsmasq' }))).toEqual([]);
  });
});
