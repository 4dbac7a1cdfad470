import { expect, it } from 'vitest';
import { isLogged, MAX_LISTENERS, setLogged, stateMemory } from './shared-state.ts';

it('setLogged touches one listener alone, and none beyond the last', () => {
  const state = new Int32Array(stateMemory());
  const listeners = [0, 31, 32, MAX_LISTENERS - 1, MAX_LISTENERS, MAX_LISTENERS + 5000];
  for (const listener of listeners) setLogged(state, listener, true);
  expect(listeners.map((listener) => isLogged(state, listener))).toEqual([
    true,
    true,
    true,
    true,
    false,
    false,
  ]);
  setLogged(state, 31, false);
  expect([0, 31, 32].map((listener) => isLogged(state, listener))).toEqual([true, false, true]);
});
