/**
 * Workers for packet threads. A worker needs as long to load its code as the main thread needs to read its configuration,
 * so a server starts some before it knows what they are for, and packet threads take those over first. One that nobody
 * takes has to be dismissed, or waits for the end of the process.
 */
import { getEnvironmentData, Worker } from 'node:worker_threads';
import { COMMANDS, LIFE, STARTING, stateMemory } from './shared-state.ts';
import { DISMISSED, type WorkerEntry } from './thread-messages.ts';

const ENTRY = new URL('./packet-worker.ts', import.meta.url);
/** A packet thread keeps nothing on its heap. */
const RESOURCE_LIMITS = {
  maxYoungGenerationSizeMb: 1,
  maxOldGenerationSizeMb: 16,
  codeRangeSizeMb: 8,
  stackSizeMb: 1,
} as const;
/** How long the end of the process waits for one that is loading: several times what that takes. */
const MOST_LOAD_MS = 2000;

export interface PacketWorker {
  readonly worker: Worker;
  /** See `shared-state.ts`. Its own from the beginning: it tells in there how far it has come. */
  readonly state: SharedArrayBuffer;
  readonly answererModule: string | undefined;
}

const early: PacketWorker[] = [];

/** It does nothing before it is told to begin. Throws when the system has no thread to give. */
export function startWorker(state: SharedArrayBuffer, answererModule: string | undefined): Worker {
  const boot = getEnvironmentData('zerohop.boot');
  Atomics.store(new Int32Array(state), LIFE, STARTING);
  return new Worker(ENTRY, {
    workerData: { state, answererModule } satisfies WorkerEntry,
    resourceLimits: RESOURCE_LIMITS,
    name: 'packets',
    ...(typeof boot === 'string' && { execArgv: ['--import', boot] }),
  });
}

/** `answererModule` as in `AnswerSource.module`. What goes wrong shows when a packet thread starts its own. */
export function startEarlyWorkers(count: number, answererModule: string | undefined): void {
  process.off('exit', dismissEarlyWorkers).on('exit', dismissEarlyWorkers);
  for (let i = 0; i < count; i++) {
    try {
      const state = stateMemory();
      const worker = startWorker(state, answererModule);
      worker.once('error', () => forget(worker)).once('exit', () => forget(worker));
      early.push({ worker, state, answererModule });
    } catch {
      return;
    }
  }
}

/** From now on the caller's. Only one that has loaded the same answerer. */
export function takeEarlyWorker(answererModule: string | undefined): PacketWorker | undefined {
  const place = early.findIndex((each) => each.answererModule === answererModule);
  return place < 0 ? undefined : early.splice(place, 1)[0];
}

/**
 * Waits until none loads any more, and ends them: Node ends threads where they are, and one that is calling into libc at
 * that moment would abort the process.
 */
export function dismissEarlyWorkers(): void {
  for (const { worker, state } of early.splice(0)) {
    const words = new Int32Array(state);
    Atomics.wait(words, LIFE, STARTING, MOST_LOAD_MS);
    worker.postMessage(DISMISSED);
    Atomics.add(words, COMMANDS, 1);
    Atomics.notify(words, COMMANDS);
  }
}

function forget(worker: Worker): void {
  const place = early.findIndex((each) => each.worker === worker);
  if (place >= 0) early.splice(place, 1);
}
