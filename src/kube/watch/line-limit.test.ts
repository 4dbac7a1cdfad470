import { expect, it } from 'vitest';
import { createManualClock } from '../testing/manual-clock.ts';
import { createHeardLog } from '../testing/scripted-server.ts';
import { createLineLimit } from './line-limit.ts';

it('createLineLimit lets ten lines through in ten minutes, and says how many it kept back', () => {
  const [clock, log] = [createManualClock(), createHeardLog()];
  const limited = createLineLimit(log, clock);
  for (let i = 0; i < 25; i++) limited.warning(`line ${i}`);
  expect(log.lines.length).toBe(11);
  clock.advance(10 * 60_000);
  limited.warning('later');
  expect(log.lines.slice(11)).toEqual(['warning and 15 more lines like these', 'warning later']);
});
