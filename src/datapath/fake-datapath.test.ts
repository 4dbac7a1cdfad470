import { expect, test } from 'vitest';
import type { Clock } from '../telemetry/clock.ts';
import type { PacketEvent } from './datapath.ts';
import { createFakeKernel, openFakeDatapath } from './fake-datapath.ts';
import {
  DNS_PORT,
  describeDatapath,
  redirectedFrontend,
  toIp,
  toPortOrThrow,
} from './testing/conformance.ts';
import { eventSink } from './testing/event-sink.ts';

/** Time passes only when a test says so. */
function handClock(): Clock & { pass(ms: number): void } {
  let now = 1_000_000;
  let timers: { at: number; run: () => void }[] = [];
  return {
    nowMs: () => now,
    monotonicMs: () => now,
    after(delayMs, run) {
      const timer = { at: now + delayMs, run };
      timers.push(timer);
      return {
        cancel: () => {
          timers = timers.filter((entry) => entry !== timer);
        },
      };
    },
    pass(ms) {
      now += ms;
      const due = timers.filter((timer) => timer.at <= now);
      timers = timers.filter((timer) => timer.at > now);
      for (const timer of due) timer.run();
    },
  };
}

describeDatapath('the fake', () => {
  let kernel = createFakeKernel();
  const plug = () => {
    kernel.interfaces.set(toIp('172.20.0.10'), { ifindex: 2, ifname: 'v0' });
    kernel.interfaces.set(toIp('172.20.0.20'), { ifindex: 3, ifname: 'v1' });
  };
  return {
    open: (entries) =>
      openFakeDatapath({
        kernel,
        clock: handClock(),
        ...(entries === undefined ? {} : { answerEntries: entries }),
      }),
    reset() {
      kernel = createFakeKernel();
      plug();
    },
    present: ['172.20.0.10', '172.20.0.20'],
    absent: '172.20.9.9',
  };
});

test('the fake retries a failed row until its backend has an interface', async () => {
  const [kernel, clock] = [createFakeKernel(), handClock()];
  const datapath = openFakeDatapath({ kernel, clock });
  const frontends = [redirectedFrontend('10.96.0.10', 'UDP', ['172.20.0.20'])];
  await datapath.apply({ frontends, pods: [], mayPrune: true });
  clock.pass(250);
  expect(datapath.frontends()[0]?.status).toMatchObject({ state: 'error', attempts: 2, sinceMs: 1_000_000 });
  kernel.interfaces.set(toIp('172.20.0.20'), { ifindex: 3, ifname: 'v1' });
  clock.pass(500);
  expect(datapath.frontends()[0]?.status).toMatchObject({ state: 'done', attempts: 3, sinceMs: 1_000_750 });
});

function samplePacket(fields: Partial<PacketEvent>): PacketEvent {
  const source = { address: toIp('172.20.0.10'), port: toPortOrThrow('40000') };
  const destination = { address: toIp('10.96.0.10'), port: DNS_PORT };
  const payload = new Uint8Array();
  const seen = { timeNs: 1n, hook: 'from-endpoint', ifindex: 3, protocol: 'UDP', tcpFlags: 0 } as const;
  return { ...seen, verdict: 'forwarded', source, destination, payload, payloadLength: 0, ...fields };
}

test('the fake tells its listener what a test lets happen', () => {
  const datapath = openFakeDatapath({ kernel: createFakeKernel(), clock: handClock() });
  const heard: [string, number][] = [];
  datapath.onPackets(eventSink((event, lost) => heard.push([event.verdict, lost])));
  datapath.emit(samplePacket({ verdict: 'redirected' }), 2);
  datapath.close();
  datapath.emit(samplePacket({ verdict: 'restored' }));
  expect(heard).toEqual([['redirected', 2]]);
});
