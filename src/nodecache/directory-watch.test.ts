import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Clock } from '../telemetry/clock.ts';
import { POLL_MS, readDirectory, SETTLE_MS, watchDirectory } from './directory-watch.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'zerohop-watch-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** One timer is all that the watch ever has. */
function handClock() {
  let due: (() => void) | undefined;
  const clock: Clock = {
    nowMs: () => 0,
    monotonicMs: () => 0,
    after(delayMs, run) {
      expect(delayMs).toBe(POLL_MS);
      due = run;
      return { cancel: () => (due = undefined) };
    },
  };
  return { clock, tick: () => due?.() };
}

function start() {
  const { clock, tick } = handClock();
  const changes: (readonly string[])[] = [];
  const errors: unknown[] = [];
  const stop = watchDirectory({
    clock,
    read: () => readDirectory(directory),
    onChange: ({ files }) => changes.push([...files].map(([name, text]) => `${name}=${text}`)),
    onError: (error) => errors.push(error),
  });
  return { tick, changes, errors, stop };
}

describe('watchDirectory', () => {
  it('tells the first content and every change of it', () => {
    writeFileSync(join(directory, 'a'), '1');
    const { tick, changes } = start();
    tick();
    writeFileSync(join(directory, 'a'), '2');
    tick();
    writeFileSync(join(directory, 'b'), '');
    tick();
    expect(changes).toEqual([['a=1'], ['a=2'], ['a=2', 'b=']]);
  });

  it('leaves out what is hidden or a directory', () => {
    writeFileSync(join(directory, '.hidden'), '1');
    mkdirSync(join(directory, 'sub'));
    expect(start().changes).toEqual([[]]);
  });

  it('tells a failure once and goes on looking', () => {
    rmSync(directory, { recursive: true });
    const { tick, changes, errors } = start();
    tick();
    expect(errors).toHaveLength(1);
    mkdirSync(directory);
    writeFileSync(join(directory, 'a'), '1');
    tick();
    expect(changes).toEqual([['a=1']]);
  });

  it('takes text that is not UTF-8 for a failure', () => {
    writeFileSync(join(directory, 'a'), Uint8Array.of(0xff));
    expect(start().errors).toHaveLength(1);
  });

  it('looks sooner when something happens, once for all that happens at a time', () => {
    writeFileSync(join(directory, 'a'), '1');
    const timers = new Map<() => void, number>();
    let [onEvent, stopped] = [(): void => undefined, 0];
    const versions: string[] = [];
    const stop = watchDirectory({
      clock: {
        nowMs: () => 0,
        monotonicMs: () => 0,
        after(delayMs, run) {
          timers.set(run, delayMs);
          return { cancel: () => timers.delete(run) };
        },
      },
      read: () => readDirectory(directory),
      notify(heard) {
        onEvent = heard;
        return () => stopped++;
      },
      onChange: ({ files }) => versions.push(files.get('a') ?? ''),
      onError: () => undefined,
    });
    writeFileSync(join(directory, 'a'), '2');
    for (let i = 0; i < 3; i++) onEvent();
    expect([...timers.values()]).toEqual([SETTLE_MS]);
    for (const run of [...timers.keys()]) run();
    expect(versions).toEqual(['1', '2']);
    expect([...timers.values()]).toEqual([POLL_MS]);
    stop();
    expect([timers.size, stopped]).toEqual([0, 2]);
  });

  it('ends when told to', () => {
    const { tick, changes, stop } = start();
    stop();
    writeFileSync(join(directory, 'a'), '1');
    tick();
    expect(changes).toEqual([[]]);
  });
});
