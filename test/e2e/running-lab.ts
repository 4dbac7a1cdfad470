/** The lab as a test fixture: started as a user starts it, ended as a user ends it. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export const MAIN = join(import.meta.dirname, '../../src/cli/boot/zerohop.mjs');
/** On a machine that is busy with other things; else it is some seconds. */
const UP_TIMEOUT_MS = 120_000;

export interface RunningLab {
  readonly child: ChildProcess;
  readonly output: () => string;
  /** Exit code, or null when a signal ended it. */
  readonly ended: Promise<number | null>;
}

export function startLab(word: 'up' | 'story' = 'up'): RunningLab {
  const child = spawn(process.execPath, [MAIN, 'lab', word], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
    });
  }
  return { child, output: () => text, ended: new Promise((resolve) => child.on('close', resolve)) };
}

export function untilUp(lab: RunningLab): Promise<void> {
  return untilSays(lab, 'The lab is up');
}

export async function untilSays(lab: RunningLab, words: string): Promise<void> {
  for (const deadline = Date.now() + UP_TIMEOUT_MS; !lab.output().includes(words); await sleep(50)) {
    if (Date.now() > deadline || lab.child.exitCode !== null) {
      throw new Error(`It did not say "${words}":\n${lab.output()}`);
    }
  }
}

export function zerohop(...args: readonly string[]) {
  return spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8', timeout: 60_000 });
}

/** Tries until it holds; throws what `look` last threw. For what takes its moment to become true. */
export async function eventually<T>(look: () => T, timeoutMs = 20_000): Promise<T> {
  for (const deadline = Date.now() + timeoutMs; ; await sleep(50)) {
    try {
      return look();
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}
