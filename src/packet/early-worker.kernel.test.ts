/** Workers that were started before anybody knew what for: taken over, not wanted, or dead by then. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { memoryLog } from '../server/testing/log.ts';
import { RECEIVE_BUFFER_BYTES } from '../server/udp.ts';
import { systemClock } from '../telemetry/clock.ts';
import { startEarlyWorkers, takeEarlyWorker } from './early-worker.ts';
import { PacketTransport } from './packet-transport.ts';
import { echoSource } from './testing/echo-answerer.ts';
import { describeUdpService } from './testing/udp-conformance.ts';

const AT_ONCE = 4;
const STEPS = 24;
const STEP_MS = 8;
const MODULE = new URL('early-worker.ts', import.meta.url).href;

describeUdpService('a thread that was started early', (onAnswer) => {
  const answers = echoSource();
  startEarlyWorkers(1, answers.module);
  const transport = new PacketTransport({
    threads: 1,
    receiveBufferBytes: RECEIVE_BUFFER_BYTES,
    log: memoryLog(),
    clock: systemClock,
    answers,
    onRestart: () => undefined,
    onAnswer,
  });
  expect(takeEarlyWorker(answers.module)).toBeUndefined();
  return transport;
});

async function endOf(program: string): Promise<string> {
  const args = ['--input-type=module', '-e', `const early = await import('${MODULE}');\n${program}`];
  try {
    const { stdout } = await promisify(execFile)(process.execPath, args);
    return `exit 0 ${stdout}`;
  } catch (error) {
    const { code, signal, stderr } = error as { code: number; signal: string | null; stderr: string };
    return `${signal ?? `exit ${code}`} ${stderr}`;
  }
}

test('a process ends with its own exit code, however far a worker that nobody took has come', {
  timeout: 180_000,
}, async () => {
  const ends = new Set<string>();
  for (let step = 0; step < STEPS; step += AT_ONCE) {
    const programs = Array.from(
      { length: AT_ONCE },
      (_, i) =>
        `early.startEarlyWorkers(1, undefined); setTimeout(() => process.exit(3), ${(step + i) * STEP_MS});`,
    );
    for (const end of await Promise.all(programs.map(endOf))) ends.add(end);
  }
  expect([...ends]).toEqual(['exit 3 ']);
});

test('one that was dismissed keeps no process alive', async () => {
  expect(await endOf('early.startEarlyWorkers(1, undefined); early.dismissEarlyWorkers();')).toBe('exit 0 ');
});

test('one that failed is not handed out, and ends nothing else', async () => {
  const program = `early.startEarlyWorkers(1, 'file:///nosuch.ts');
    process.once('beforeExit', () => console.log(early.takeEarlyWorker('file:///nosuch.ts')));`;
  expect(await endOf(program)).toBe('exit 0 undefined\n');
});

test('one that has loaded another answerer is not handed out', async () => {
  const program = `early.startEarlyWorkers(1, undefined);
    console.log(early.takeEarlyWorker('file:///other.ts') === undefined, early.takeEarlyWorker(undefined) !== undefined);
    process.exit();`;
  expect(await endOf(program)).toBe('exit 0 true true\n');
});
