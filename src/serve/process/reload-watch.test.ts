import { describe, expect, it } from 'vitest';
import type { Corefile } from '../../corefile/ast.ts';
import { fakeHost } from '../../plugins/fake-host.ts';
import { corefile } from '../fake-environment.ts';
import { watchCorefile } from './reload-watch.ts';

function start(apply: (next: Corefile) => boolean) {
  const { clock, log, lines } = fakeHost();
  const state = { text: '. {\n}', current: corefile('. {\n}'), applied: 0, period: true };
  const stop = watchCorefile({
    clock,
    log,
    random: () => 0.5,
    load: () => corefile(state.text),
    period: () => (state.period ? { intervalMs: 30_000, jitterMs: 15_000 } : undefined),
    currentHash: () => state.current.hash,
    async apply(next) {
      state.applied++;
      if (!apply(next)) return false;
      state.current = next;
      return true;
    },
  });
  const pass = async () => {
    clock.pass(30_000);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { state, lines, pass, stop, clock };
}

describe('watchCorefile', () => {
  it('puts a changed file into force, once', async () => {
    const { state, pass } = start(() => true);
    await pass();
    expect(state.applied).toBe(0);
    state.text = '. {\n errors\n}';
    await pass();
    await pass();
    expect(state.applied).toBe(1);
  });

  it('does not try the same bad file again until it changes', async () => {
    const { state, pass } = start(() => false);
    state.text = '. {\n errors\n}';
    await pass();
    await pass();
    expect(state.applied).toBe(1);
    state.text = '. {\n log\n}';
    await pass();
    expect(state.applied).toBe(2);
  });

  it('logs a file that cannot be parsed and goes on looking', async () => {
    const { state, pass, lines } = start(() => true);
    state.text = '. {\n nosuch\n}';
    await pass();
    expect(lines).toEqual([
      `[WARNING] Corefile parse failed: Corefile:2 - Error during parsing: Unknown directive 'nosuch'`,
    ]);
    state.text = '. {\n errors\n}';
    await pass();
    expect(state.applied).toBe(1);
  });

  it('ends when the file in force no longer says reload, and when stopped', async () => {
    const { state, pass, clock, stop } = start(() => true);
    state.period = false;
    await pass();
    expect(clock.pending).toBe(0);
    stop();
    const again = start(() => true);
    again.stop();
    expect(again.clock.pending).toBe(0);
  });
});
