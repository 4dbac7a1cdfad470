import { describe, expect, it } from 'vitest';
import { fakeHost } from '../fake-host.ts';
import { waitForSync } from './startup.ts';

const WAITING = '[INFO] waiting for Kubernetes API before starting server';
const UNSYNCED = '[WARNING] starting server with unsynced Kubernetes API';

function wait(timeoutMs: number, syncedAtMs: number) {
  const { clock, log, lines } = fakeHost();
  const done = { at: Number.NaN };
  const listeners = new Set<() => void>();
  const watch = (listener: () => void) => {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  };
  const tell = () => {
    for (const listener of listeners) listener();
  };
  if (Number.isFinite(syncedAtMs)) clock.after(syncedAtMs, tell);
  const waiting = waitForSync({
    synced: () => clock.monotonicMs() >= syncedAtMs,
    watch,
    timeoutMs,
    clock,
    log,
  });
  const ended = waiting.then(() => {
    done.at = clock.monotonicMs();
  });
  return { clock, lines, done, ended, tell, listeners };
}

describe('waitForSync', () => {
  it('goes on at once when everything is known', async () => {
    const { lines, ended, listeners } = wait(5000, 0);
    await ended;
    expect(listeners.size).toBe(0);
    expect(lines).toEqual([]);
  });

  it('goes on when the last kind is known, not before', async () => {
    const { clock, lines, done, ended, tell, listeners } = wait(5000, 250);
    clock.pass(249);
    tell();
    await Promise.resolve();
    expect(done.at).toBeNaN();
    clock.pass(1);
    await ended;
    expect(done.at).toBe(250);
    expect(lines).toEqual([]);
    expect(listeners.size).toBe(0);
  });

  it('says every 500 ms that it waits', async () => {
    const { clock, lines, ended } = wait(5000, 1600);
    clock.pass(1600);
    await ended;
    expect(lines).toEqual([WAITING, WAITING, WAITING]);
  });

  it('starts without the API after the timeout, and says so', async () => {
    const { clock, lines, ended } = wait(1200, Number.POSITIVE_INFINITY);
    clock.pass(1200);
    await ended;
    expect(lines).toEqual([WAITING, WAITING, UNSYNCED]);
    expect(clock.pending).toBe(0);
  });

  it('does not wait at all with a timeout of 0', async () => {
    const { lines, ended } = wait(0, Number.POSITIVE_INFINITY);
    await ended;
    expect(lines).toEqual([UNSYNCED]);
  });
});
