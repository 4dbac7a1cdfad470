import { describe, expect, it } from 'vitest';
import { setUp } from '../fake-host.ts';
import { setup } from './setup.ts';

describe('reload', () => {
  const accepted: [lines: string, intervalMs: number, jitterMs: number][] = [
    ['reload', 30_000, 15_000],
    ['reload 10s', 10_000, 5000],
    ['reload 1m 20s', 60_000, 20_000],
    ['reload 2s 0', 2000, 0],
  ];
  it.each(accepted)('%s', (lines, intervalMs, jitterMs) => {
    expect(setUp(setup, lines).watchCorefile).toEqual({ intervalMs, jitterMs });
  });

  const refused: [lines: string, text: string][] = [
    ['reload 1s', 'interval value must be greater or equal to 2s'],
    ['reload 10s 500ms', 'jitter value must be 0 or greater or equal to 1s'],
    ['reload soon', 'invalid duration'],
    ['reload 1s 2s 3s', "Wrong argument count or unexpected line ending after '3s'"],
  ];
  it.each(refused)('refuses %s', (lines, text) => {
    expect(() => setUp(setup, lines)).toThrow(text);
  });
});
