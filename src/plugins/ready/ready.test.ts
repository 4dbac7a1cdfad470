import { describe, expect, it } from 'vitest';
import type { HttpAnswer } from '../contract.ts';
import { fakeHost, setUp } from '../fake-host.ts';
import { setup } from './setup.ts';

function start(lines: string) {
  const readiness = new Map<string, boolean>();
  const pages = new Map<string, HttpAnswer>();
  const fake = fakeHost();
  const host = {
    ...fake,
    readiness: () => readiness,
    http: (address: string, path: string, answer: HttpAnswer) => void pages.set(address + path, answer),
  };
  const instance = setUp(setup, lines, { host });
  const page = [...pages.values()][0];
  return { readiness, pages, instance, lines: fake.lines, get: () => page?.() };
}

describe('ready', () => {
  it('says OK once everything is, and names what is not until then', async () => {
    const { readiness, lines, get, pages } = start('ready');
    expect([...pages.keys()]).toEqual([':8181/ready']);
    readiness.set('kubernetes', false);
    expect(await get()).toEqual({ status: 503, body: 'kubernetes' });
    expect(lines).toEqual(['[INFO] Plugins not ready: "kubernetes"']);
    readiness.set('kubernetes', true);
    expect(await get()).toEqual({ status: 200, body: 'OK' });
  });

  it('does not ask again what was ready, unless told to', async () => {
    const once = start('ready 127.0.0.1:8181');
    const always = start('ready {\nmonitor continuously\n}');
    for (const { readiness, get } of [once, always]) {
      readiness.set('kubernetes', true);
      expect(await get()).toMatchObject({ status: 200 });
      readiness.set('kubernetes', false);
    }
    expect(await once.get()).toMatchObject({ status: 200 });
    expect(await always.get()).toMatchObject({ status: 503 });
  });

  it('sends clients away while the server goes down', async () => {
    const { instance, get } = start('ready');
    await instance.onShutdown?.();
    expect(await get()).toEqual({ status: 503, body: 'Shutting down' });
  });

  const refused: [lines: string, text: string][] = [
    ['ready 127.0.0.1', 'missing port in address'],
    ['ready\nready', 'this plugin can only be used once per Server Block'],
    ['ready {\nmonitor often\n}', "invalid monitor type 'often'"],
    ['ready {\nnosuch\n}', "unknown property 'nosuch'"],
  ];
  it.each(refused)('refuses %s', (lines, text) => {
    expect(() => start(lines)).toThrow(text);
  });
});
