/**
 * The trials of the lab, at a tenth of their length and with slack for a busy machine: what may be lost is bounded more
 * tightly by `zerohop lab trials` itself, on a machine that does nothing else. Where nothing may be lost there is no slack.
 */
import { spawn } from 'node:child_process';
import { expect, test } from 'vitest';
import { MAIN } from './running-lab.ts';

const NAMES = [
  'cache-killed',
  'answers-go-on',
  'cache-hung',
  'rolling-update',
  'agent-killed',
  'agent-upgraded',
  'policy-reapplied',
  'client-recreated',
];

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

function runTrials(...args: readonly string[]): Promise<Ended> {
  const child = spawn(process.execPath, [MAIN, 'lab', 'trials', ...args], { detached: true });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString('utf8');
    });
  }
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, output })));
}

test('what dies, hangs or is replaced costs no query beyond those in its hands', async () => {
  const rates = ['--udp-rate', '480', '--tcp-rate', '120', '--queries', '3000', '--slack', '2000'];
  const { code, output } = await runTrials(...NAMES, ...rates);
  expect(output).not.toContain('BROKEN');
  for (const name of NAMES) expect(output).toMatch(new RegExp(`${name} +[1-9]\\d* +\\d+ +\\d+ .* kept`));
  expect(code, output).toBe(0);
}, 300_000);

test('a trial that does not exist is refused by name before anything is made', async () => {
  const { code, output } = await runTrials('cache-bored');
  expect(code).toBe(1);
  expect(output).toContain('there are cache-killed, answers-go-on');
  expect(output).toContain('received "cache-bored"');
});
