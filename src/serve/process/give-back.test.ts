/** When memory is given back, told by a process that a test makes up, on a clock that it turns. */
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../telemetry/virtual-clock.ts';
import { giveBackWhenIdle } from './give-back.ts';

const MB = 1024 * 1024;

function madeUp() {
  const clock = new VirtualClock();
  const state = { busyMs: 0, residentBytes: 90 * MB, given: 0 };
  const stop = giveBackWhenIdle(
    {
      busyMs: () => state.busyMs,
      residentBytes: () => state.residentBytes,
      giveBack() {
        state.given++;
        state.residentBytes = 60 * MB;
      },
    },
    clock,
  );
  return { clock, state, stop };
}

describe('giveBackWhenIdle', () => {
  it('gives back once what a start took', () => {
    const { clock, state } = madeUp();
    clock.pass(60_000);
    expect(state.given).toBe(1);
  });

  it('leaves a busy process alone, and comes back when the burst is over', () => {
    const { clock, state } = madeUp();
    clock.pass(10_000);
    state.residentBytes = 140 * MB;
    for (let second = 0; second < 30; second++) {
      state.busyMs += 300;
      clock.pass(1000);
    }
    expect(state.given).toBe(1);
    clock.pass(30_000);
    expect(state.given).toBe(2);
  });

  it('does nothing for a little growth, however long it idles', () => {
    const { clock, state } = madeUp();
    clock.pass(10_000);
    state.residentBytes += 4 * MB;
    clock.pass(600_000);
    expect(state.given).toBe(1);
  });

  it('collects no more than three times a minute, whatever is asked of it', () => {
    const { clock, state } = madeUp();
    for (let second = 0; second < 60; second++) {
      state.residentBytes += 20 * MB;
      clock.pass(1000);
    }
    expect(state.given).toBe(3);
  });

  it('stops', () => {
    const { clock, state, stop } = madeUp();
    stop();
    clock.pass(60_000);
    expect(state.given).toBe(0);
  });
});
