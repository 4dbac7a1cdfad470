import { describe, expect, it } from 'vitest';
import type { HttpAnswer } from '../contract.ts';
import { fakeHost, setUp } from '../fake-host.ts';
import { startSelfCheck } from './self-check.ts';
import { setup } from './setup.ts';

function start(lines: string) {
  const pages = new Map<string, HttpAnswer>();
  const fake = fakeHost();
  const host = {
    ...fake,
    http: (address: string, path: string, answer: HttpAnswer) => void pages.set(address + path, answer),
  };
  return { pages, fake, instance: setUp(setup, lines, { host }) };
}

describe('health', () => {
  it('says OK', async () => {
    const { pages } = start('health');
    expect([...pages.keys()]).toEqual([':8080/health']);
    expect(await pages.get(':8080/health')?.()).toEqual({ status: 200, body: 'OK' });
  });

  it('lets the server answer for the lameduck time before it goes', async () => {
    const { instance, fake } = start('health 127.0.0.1:8080 {\nlameduck 5s\n}');
    await instance.onShutdown?.();
    expect(fake.lines).toEqual([]);
    let over = false;
    const end = Promise.resolve(instance.onFinalShutdown?.()).then(() => {
      over = true;
    });
    expect(fake.lines).toEqual(['[INFO] Going into lameduck mode for 5s']);
    fake.clock.pass(4999);
    await Promise.resolve();
    expect(over).toBe(false);
    fake.clock.pass(1);
    await end;
  });

  const refused: [lines: string, text: string][] = [
    ['health localhost', 'missing port in address'],
    ['health {\nlameduck a\n}', "unable to parse lameduck duration value: 'a' : time: invalid duration"],
    ['health {\nnosuch\n}', "unknown property 'nosuch'"],
  ];
  it.each(refused)('refuses %s', (lines, text) => {
    expect(() => start(lines)).toThrow(text);
  });
});

describe('startSelfCheck', () => {
  const settle = () => new Promise((resolve) => setImmediate(resolve));

  async function check(get: (pass: (ms: number) => void) => Promise<void>) {
    const { clock, log, lines, metrics, metric } = fakeHost();
    const stop = startSelfCheck({
      url: 'http://localhost:8080/health',
      clock,
      log,
      metrics,
      get: () => get((ms) => clock.pass(ms)),
    });
    clock.pass(1000);
    await settle();
    return { stop, clock, lines, metric };
  }

  it('times its own page once a second', async () => {
    const { clock, metric, stop } = await check(async () => undefined);
    clock.pass(1000);
    await settle();
    expect(await metric('coredns_health_request_duration_seconds_count')).toBe(2);
    stop();
    expect(clock.pending).toBe(0);
  });

  it('counts and logs failures', async () => {
    const { lines, metric, stop } = await check(() => Promise.reject(new Error('refused')));
    expect(lines).toEqual([
      '[WARNING] Local health request to "http://localhost:8080/health" failed: refused',
    ]);
    expect(await metric('coredns_health_request_failures_total')).toBe(1);
    stop();
  });

  it('logs a slow answer', async () => {
    const { lines, stop } = await check(async (pass) => {
      await Promise.resolve();
      pass(1500);
    });
    expect(lines).toEqual([
      '[WARNING] Local health request to "http://localhost:8080/health" took more than 1s: 1.5s',
    ]);
    stop();
  });
});
